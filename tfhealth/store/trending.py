"""A project's judged runs -> which rules find something most, over time, and whether that gets rarer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from tfhealth.store.tables import FoundRule, Project, StoredRun

__all__ = ["Change", "RuleTrend", "Span", "Stretch", "Trend", "trend"]

Change = Literal["more often", "less often", "no clear change"]

_STRETCHES = 12
_MOST_RUNS = 5000
_CHANCE = 0.05


@dataclass(frozen=True)
class Span:
    """How far to look back: over the last runs, or over the last weeks; the other is 0."""

    runs: int = 0
    weeks: int = 0


@dataclass(frozen=True)
class Stretch:
    """Runs that follow each other: when the first and the last began, and how many had each verdict."""

    first: datetime
    last: datetime
    verdicts: Counter[str]

    @property
    def runs(self) -> int:
        """How many there are."""
        return self.verdicts.total()


@dataclass(frozen=True)
class RuleTrend:
    """What one rule found.

    Attributes:
        counts: in how many runs of each stretch.
        leading: in how many runs it was the leading cause.
        before, after: the share of the earlier and of the later half of all runs.
        change: whether the halves differ by more than chance does.
    """

    rule: str
    title: str
    counts: tuple[int, ...]
    leading: int
    before: float
    after: float
    change: Change

    @property
    def total(self) -> int:
        """In how many runs it found something."""
        return sum(self.counts)


@dataclass(frozen=True)
class Trend:
    """Stretches in order of time, and the rules that found something, the most frequent first."""

    stretches: tuple[Stretch, ...]
    rules: tuple[RuleTrend, ...]

    @property
    def runs(self) -> int:
        """How many runs were looked at."""
        return sum(one.runs for one in self.stretches)


class _Run(NamedTuple):
    key: int
    started: datetime
    verdict: str


class _Hit(NamedTuple):
    rule: str
    title: str
    run_key: int
    leading: bool


def trend(session: Session, owner: Project, span: Span, at: datetime) -> Trend:
    """Return the trend over a span that ends at a time; runs that were not judged are left out."""
    runs = _runs(session, owner, span, at)
    places = _weeks(runs) if span.weeks else _equal(len(runs))
    groups: dict[int, list[_Run]] = defaultdict(list)
    for run, place in zip(runs, places, strict=True):
        groups[place].append(run)
    stretches = tuple(
        Stretch(own[0].started, own[-1].started, Counter(run.verdict for run in own))
        for _, own in sorted(groups.items())
    )
    order = {place: number for number, place in enumerate(sorted(groups))}
    place_of = {run.key: order[place] for run, place in zip(runs, places, strict=True)}
    return Trend(stretches, _rules(session, owner, runs, place_of, len(stretches)))


def _runs(session: Session, owner: Project, span: Span, at: datetime) -> list[_Run]:
    """Return the judged runs of a span, the earliest first."""
    query = select(StoredRun.key, StoredRun.started, StoredRun.verdict)
    query = query.where(StoredRun.project_id == owner.id, StoredRun.verdict != "", StoredRun.started <= at)
    if span.weeks:
        query = query.where(StoredRun.started > at - timedelta(weeks=span.weeks))
    most = min(span.runs or _MOST_RUNS, _MOST_RUNS)
    latest = session.execute(query.order_by(StoredRun.started.desc(), StoredRun.key.desc()).limit(most))
    return [_Run(*row) for row in latest][::-1]


def _weeks(runs: Sequence[_Run]) -> list[int]:
    """Return the calendar week of each run, as a number that grows by one from Monday to Monday."""
    return [(run.started.toordinal() - 1) // 7 for run in runs]


def _equal(runs: int) -> list[int]:
    """Return the stretch of each run where all stretches have equally many."""
    stretches = min(runs, _STRETCHES)
    return [run * stretches // runs for run in range(runs)]


def _rules(
    session: Session, owner: Project, runs: Sequence[_Run], place_of: dict[int, int], stretches: int
) -> tuple[RuleTrend, ...]:
    if not runs:
        return ()
    query = select(FoundRule.rule, FoundRule.title, FoundRule.run_key, FoundRule.leading)
    query = query.join(StoredRun, StoredRun.key == FoundRule.run_key)
    query = query.where(StoredRun.project_id == owner.id, StoredRun.started >= runs[0].started)
    later = {run.key for run in runs[len(runs) // 2 :]}
    found: dict[str, list[_Hit]] = defaultdict(list)
    for hit in (_Hit(*row) for row in session.execute(query)):
        if hit.run_key in place_of:
            found[hit.rule].append(hit)
    made = []
    for rule, hits in found.items():
        counts = Counter(place_of[hit.run_key] for hit in hits)
        after = sum(hit.run_key in later for hit in hits)
        before, halves = len(hits) - after, (len(runs) - len(later), len(later))
        made.append(
            RuleTrend(
                rule,
                hits[-1].title,
                tuple(counts[place] for place in range(stretches)),
                sum(hit.leading for hit in hits),
                before / max(halves[0], 1),
                after / max(halves[1], 1),
                _change(before, halves[0], after, halves[1]),
            )
        )
    return tuple(sorted(made, key=lambda one: (-one.total, one.rule)))


def _change(before: int, runs_before: int, after: int, runs_after: int) -> Change:
    """Return whether two shares differ by more than chance: Fisher's exact test, two-sided.

    p = Σ P(k) over all k with P(k) ≤ P(after), P hypergeometric (Fisher, The Design of Experiments, 1935).
    """
    total, drawn = runs_before + runs_after, before + after
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])

    def choose(n: int, k: Any) -> Any:
        return logs[n] - logs[k] - logs[n - k]

    k = np.arange(max(0, drawn - runs_before), min(drawn, runs_after) + 1)
    chances = np.exp(choose(runs_after, k) + choose(runs_before, drawn - k) - choose(total, drawn))
    p = chances[chances <= chances[k == after][0] * (1 + 1e-9)].sum()
    if p >= _CHANCE:
        return "no clear change"
    return "more often" if after * runs_before > before * runs_after else "less often"
