"""The page of what a project's rules find over time: which find most, and whether that gets rarer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from tfhealth.report.words import VERDICTS, count
from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store import trending
from tfhealth.store.listing import VERDICTS as WORST_FIRST
from tfhealth.store.tables.base import now
from tfhealth.store.trending import Span, Trend

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

SPANS = {
    **{f"last-{runs}": (f"last {runs:,} runs", Span(runs=runs)) for runs in (24, 120, 600, 3000)},
    **{f"weeks-{weeks}": (f"last {weeks} weeks, by week", Span(weeks=weeks)) for weeks in (4, 12, 26, 52)},
}
"""{what an address says: (words, span)}."""

_USUAL = "last-120"
_HEIGHT = 100


@dataclass(frozen=True)
class Bar:
    """One part of a bar: where it lies in 100 units of height, the class of its color, and what it says."""

    y: float
    height: float
    look: str
    says: str


@router.get("/projects/{project}/trend")
def trend(
    request: Request,
    project: Slug,
    caller: TheCaller,
    service: TheService,
    span: Annotated[str, Query(max_length=20)] = _USUAL,
) -> HTMLResponse:
    """Show what the rules found over a span of a project's runs."""
    chosen = span if span in SPANS else _USUAL
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        found = trending.trend(session, owner, SPANS[chosen][1], now())
    labels = [_label(one) for one in found.stretches]
    return page(
        request,
        "trend.html.j2",
        project=project,
        spans={name: words for name, (words, _) in SPANS.items()},
        span=chosen,
        trend=found,
        verdicts=WORST_FIRST,
        labels=labels,
        columns=_columns(found, labels),
        rows=[(one, _bars(one, found, labels)) for one in found.rules],
        sentence=_sentence(found),
    )


def _label(stretch: trending.Stretch) -> str:
    first, last = (f"{when:%Y-%m-%d}" for when in (stretch.first, stretch.last))
    return first if first == last else f"{first} to {last}"


def _columns(found: Trend, labels: list[str]) -> list[list[Bar]]:
    """Return a bar for each stretch: the shares of the verdicts upon each other, what fails at the foot."""
    made = []
    for stretch, label in zip(found.stretches, labels, strict=True):
        top, column = float(_HEIGHT), []
        for verdict in WORST_FIRST:
            amount = stretch.verdicts[verdict]
            height = _HEIGHT * amount / stretch.runs
            top -= height
            if amount:
                says = f"{label}: {amount} of {count(stretch.runs, 'run')} {VERDICTS[verdict][1]}"
                column.append(Bar(top, height, verdict, says))
        made.append(column)
    return made


def _bars(rule: trending.RuleTrend, found: Trend, labels: list[str]) -> list[Bar]:
    """Return a bar for each stretch: the share of its runs in which the rule found something."""
    made = []
    for amount, stretch, label in zip(rule.counts, found.stretches, labels, strict=True):
        height = _HEIGHT * amount / stretch.runs
        says = f"{label}: {amount} of {count(stretch.runs, 'run')}"
        made.append(Bar(_HEIGHT - height, height, "found", says))
    return made


def _sentence(found: Trend) -> str:
    """Return what matters most: what finds most, and what becomes more or less frequent."""
    if not found.rules:
        return "No rule found anything in these runs." if found.runs else "No run was judged in this time."
    first = found.rules[0]
    parts = [f"{first.title} is found most: in {first.total:,} of {count(found.runs, 'run')}"]
    for change in ("more often", "less often"):
        amount = sum(one.change == change for one in found.rules)
        if amount:
            parts.append(f"{count(amount, 'rule')} {'finds' if amount == 1 else 'find'} something {change} than before")
    return "; ".join(parts) + "."
