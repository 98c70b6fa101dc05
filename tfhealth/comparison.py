"""Two judged runs, or a baseline and one -> what differs: findings, rows, settings, and where the curves end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfhealth.baseline import Baseline
from tfhealth.conditions import SEVERITIES, Severity
from tfhealth.result import Result, Verdict
from tfhealth.rules.checklist import Checklist
from tfhealth.run import Run
from tfhealth.series import Attribute

__all__ = [
    "Comparison",
    "End",
    "Fate",
    "Judged",
    "RowChange",
    "Seen",
    "Setting",
    "Shift",
    "compare",
    "compare_to_baseline",
]

Fate = Literal["new", "worse", "stays", "better", "unknown", "gone"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A run and the verdict on it."""

    run: Run
    result: Result


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding as far as two sides can be compared; `site` is the leading one, `sites` are how many there are."""

    rule: str
    title: str
    checklist: str
    severity: Severity
    site: str
    sites: int
    message: str
    value: float | str | bool | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """What became of a finding from one side to the other; unknown: it could not be judged on the second."""

    fate: Fate
    before: Seen | None
    after: Seen | None

    @property
    def seen(self) -> Seen:
        """The later of the two."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row of the checklist whose verdict differs."""

    id: str
    asks: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Setting:
    """A fact that differs; None where a side does not have it."""

    site: str
    attribute: str
    before: Attribute
    after: Attribute


@dataclass(frozen=True, slots=True)
class End:
    """What Keras logged of one name at the end and at its lowest, on both sides; NaN where a side lacks it."""

    name: str
    before: float
    after: float
    lowest_before: float
    lowest_after: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs between two sides; `before` is None where the first one is a baseline.

    Attributes:
        shifts: of every finding of either side, the new ones first.
        rows: of the checklist, whose verdict differs; empty against a baseline.
        settings: facts that differ, in the order of the run's sites; empty against a baseline.
        ends: one for each name that Keras logged.
    """

    before: Judged | None
    after: Judged
    shifts: tuple[Shift, ...]
    rows: tuple[RowChange, ...] = ()
    settings: tuple[Setting, ...] = ()
    ends: tuple[End, ...] = ()

    def with_fate(self, *fates: Fate) -> tuple[Shift, ...]:
        """Return the findings of which one of these became."""
        return tuple(one for one in self.shifts if one.fate in fates)


def compare(before: Judged, after: Judged) -> Comparison:
    """Compare two runs that were judged by the same checklist."""
    return Comparison(
        before,
        after,
        _shifts(_of_result(before.result), _of_result(after.result), _undecided(after.result)),
        tuple(_rows(before.result, after.result)),
        tuple(_settings(before.run, after.run)),
        tuple(_ends(before.run, after.run)),
    )


def compare_to_baseline(baseline: Baseline, after: Judged, checklist: Checklist) -> Comparison:
    """Compare a run with the findings that somebody accepted; `after` was judged without that baseline."""
    return Comparison(
        None,
        after,
        _shifts(_of_baseline(baseline, checklist), _of_result(after.result), _undecided(after.result)),
    )


def _of_result(result: Result) -> dict[str, Seen]:
    return {
        one.rule: Seen(
            one.rule,
            one.title,
            one.checklist,
            one.severity,
            f"{one.kind} {one.site}",
            len(one.sites),
            one.message,
            one.value,
            one.step,
        )
        for one in result.findings
    }


def _of_baseline(baseline: Baseline, checklist: Checklist) -> dict[str, Seen]:
    titles = {rule.id: (rule.title, rule.checklist) for rule in checklist.rules}
    found: dict[str, Seen] = {}
    for rule in dict.fromkeys(entry.rule for entry in baseline.entries):
        own = [entry for entry in baseline.entries if entry.rule == rule]
        worst = max(own, key=lambda entry: SEVERITIES.index(entry.severity))
        title, row = titles.get(rule, (rule, ""))
        text = f"Accepted since {min(entry.since for entry in own).isoformat()}."
        found[rule] = Seen(rule, title, row, worst.severity, f"{worst.kind} {worst.site}", len(own), text)
    return found


def _undecided(result: Result) -> set[str]:
    return {one.rule for one in result.rules if one.verdict in ("not_measured", "error")}


def _shifts(before: Mapping[str, Seen], after: Mapping[str, Seen], undecided: set[str]) -> tuple[Shift, ...]:
    found = [Shift(_fate(before.get(rule), one), before.get(rule), one) for rule, one in after.items()]
    found += [
        Shift("unknown" if rule in undecided else "gone", one, None)
        for rule, one in before.items()
        if rule not in after
    ]
    order: tuple[Fate, ...] = ("new", "worse", "stays", "better", "unknown", "gone")
    return tuple(sorted(found, key=lambda shift: order.index(shift.fate)))


def _fate(before: Seen | None, after: Seen) -> Fate:
    if before is None:
        return "new"
    rungs = SEVERITIES.index(after.severity) - SEVERITIES.index(before.severity)
    return "worse" if rungs > 0 else "better" if rungs < 0 else "stays"


def _rows(before: Result, after: Result) -> Iterable[RowChange]:
    known = {row.id: row.verdict for row in before.checklist}
    for row in after.checklist:
        if row.id in known and known[row.id] != row.verdict:
            yield RowChange(row.id, row.asks, known[row.id], row.verdict)


def _settings(before: Run, after: Run) -> Iterable[Setting]:
    sites = dict.fromkeys(site for run in (before, after) for site in run.sites if site.kind == "fact")
    for site in sites:
        one, other = before.sites.get(site, {}), after.sites.get(site, {})
        for attribute in dict.fromkeys([*one, *other]):
            if one.get(attribute) != other.get(attribute):
                yield Setting(site.name, attribute, one.get(attribute), other.get(attribute))


def _ends(before: Run, after: Run) -> Iterable[End]:
    for site in dict.fromkeys([*before.logs, *after.logs]):
        one, other = (_last_and_lowest(run, site.name) for run in (before, after))
        yield End(site.name, one[0], other[0], one[1], other[1])


def _last_and_lowest(run: Run, name: str) -> tuple[float, float]:
    values = next((series.values for site, series in run.logs.items() if site.name == name), np.empty(0))
    finite = values[np.isfinite(values)]
    return (float(values[-1]) if len(values) else np.nan, float(finite.min()) if len(finite) else np.nan)
