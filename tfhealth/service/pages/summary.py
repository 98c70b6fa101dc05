"""A stored run and the last verdict on it -> what a page shows at once, before and beside the report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from tfhealth.gating import Gated, gated
from tfhealth.report.document import Badge, Pair
from tfhealth.report.findings import arrange
from tfhealth.report.words import VERDICTS, clean, count, day, duration, first_sentence, shorten
from tfhealth.result import Finding, Result
from tfhealth.service import work
from tfhealth.service.pages.sketch import Sketch, sketches
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Judgement, StoredRun

__all__ = ["Part", "Summary", "summary"]


@dataclass(frozen=True)
class Part:
    """A finding in short; its anchor is the report's."""

    number: int
    anchor: str
    badge: Badge
    rule: str
    title: str
    message: str
    change: str
    follows: bool


@dataclass(frozen=True)
class Summary:
    """A run in short.

    Attributes:
        status: in words, with how long it took.
        badge: its verdict; None before the first.
        sentence: the verdict in words; empty before the first.
        judged: of what, where that is not all that was received; else empty.
        trouble: why it could not be judged; empty where it could.
        gate: what the project's gate says of it; None where there is none, or it waits for the end.
    """

    status: str
    running: bool
    badge: Badge | None
    sentence: str
    judged: str
    trouble: str
    gate: Gated | None
    facts: tuple[Pair, ...]
    findings: tuple[Part, ...]
    sketches: tuple[Sketch, ...]


def summary(stored: StoredRun, judgement: Judgement | None) -> Summary:
    """Put a run and the last verdict on it into words."""
    result = None if judgement is None else Result.model_validate(unpacked(judgement.result))
    placed = () if result is None else arrange(result.findings)
    since = {one.number: one.finding.step for one in placed if one.finding.step is not None}
    return Summary(
        status=clean(stored.status),
        running=stored.status == "running",
        badge=None if result is None else Badge(result.verdict, *VERDICTS[result.verdict]),
        sentence="" if result is None else clean(result.sentence),
        judged=_judged(stored, result),
        trouble=clean(stored.trouble),
        gate=None if result is None else _gate(stored, result),
        facts=_facts(stored),
        findings=tuple(_part(one.number, one.anchor, one.finding, one.cause is not None) for one in placed),
        sketches=() if judgement is None else sketches(unpacked(judgement.curves), since),
    )


def _judged(stored: StoredRun, result: Result | None) -> str:
    if result is None or stored.judged_revision == stored.revision:
        return ""
    return f"More was received since; this holds for the first {count(result.run.steps, 'step')}."


def _gate(stored: StoredRun, result: Result) -> Gated | None:
    by = work.gate(stored.project.profile)
    found = None if by is None else gated([result], by)
    waits = found is not None and found.word == "incomplete" and stored.status == "running"
    return None if waits else found


def _part(number: int, anchor: str, finding: Finding, follows: bool) -> Part:
    return Part(
        number,
        anchor,
        Badge(finding.verdict, *VERDICTS[finding.verdict]),
        finding.rule,
        clean(finding.title),
        clean(finding.message),
        first_sentence(finding.advice),
        follows,
    )


def _facts(stored: StoredRun) -> tuple[Pair, ...]:
    started, ended = stored.started.isoformat(), stored.ended.isoformat() if stored.ended else None
    took = duration(started, ended)
    pairs = [
        ("Started", day(stored.started.astimezone(UTC).isoformat()) + (f", took {took}" if took else "")),
        ("Status", clean(stored.status)),
        ("Seen", count(stored.steps, "step")),
        ("Model", shorten(clean(stored.model))),
        ("Sent by", shorten(clean(stored.person))),
        ("Last heard of", day(stored.changed.astimezone(UTC).isoformat()) if stored.status == "running" else ""),
    ]
    return tuple(Pair(name, text) for name, text in pairs if text)
