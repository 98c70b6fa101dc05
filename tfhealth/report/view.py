"""(Result, Run, Checklist) -> Report: facts into words; nothing here knows of HTML."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Literal

from tfhealth.report.brand import letterhead
from tfhealth.report.document import Badge, Chapter, Pair, Report, RowPart, Table, Unjudged
from tfhealth.report.findings import Placed, accepted, arrange, parts
from tfhealth.report.given import given, given_intro
from tfhealth.report.identity import identity
from tfhealth.report.limits import in_force
from tfhealth.report.pictures import pictures
from tfhealth.report.settings import settings
from tfhealth.report.silence import suppressed
from tfhealth.report.tried import experiments, left_out, remedies, tried_intro
from tfhealth.report.words import VERDICTS, clean, count, first_sentence, shorten, visible
from tfhealth.result import Finding, Result, Row
from tfhealth.rules.checklist import Checklist
from tfhealth.run import Run

__all__ = ["badge", "view"]

_MOST_NOTES = 50
_MOST_WARNINGS = 20
_MOST_SILENCED = 20
_ENDINGS = {
    "running": "The run had not ended when this was written; what follows holds for the {steps} seen so far.",
    "interrupted": "The training was interrupted; what follows holds for the {steps} it took.",
    "failed": "The training ended with an error; what follows holds for the {steps} it took.",
}


def view(result: Result, run: Run, checklist: Checklist, today: date | None = None) -> Report:
    """Put the verdict on a run into words.

    Args:
        result: the verdict.
        run: the run it is about, for charts and settings.
        checklist: the rules that reached it.
        today: the day from which the profiles that the report proposes accept a finding; today by default.
    """
    placed = arrange(result.findings)
    name = shorten(clean(result.run.name), 80)
    run_path = result.run.path or "RUN"
    here, beyond = _unjudged(result, checklist)
    head = letterhead(checklist.packs)
    return Report(
        title=f"{head.title if head else 'tfhealth report'}: {name}",
        kind="training report" if run.trained else "preflight report",
        name=name,
        letterhead=head,
        badge=badge(result.verdict),
        sentence=clean(result.sentence),
        change=first_sentence(result.findings[0].advice) if result.findings else "",
        counts=_counts(result.checklist),
        identity=identity(result, run, checklist),
        notices=(*_notices(result, run), *(head.problems if head else ())),
        findings=parts(
            placed, result.remedies, run, checklist, _by_profile(run_path, checklist), today or date.today()
        ),
        findings_intro=_findings_intro(result, placed),
        accepted_intro=_accepted_intro(result),
        accepted=accepted(result.suppressed, run, checklist),
        unjudged_intro=_unjudged_intro(result.checklist),
        unjudged=here,
        beyond_intro=f"{count(sum(len(one.questions) for one in beyond), 'row')} that no rule decides yet",
        beyond=beyond,
        notes=_notes(result),
        experiments_intro=tried_intro(run),
        experiments=experiments(run, result, checklist, _links(placed, "rule")),
        left_out=left_out(run),
        remedies=remedies(result),
        pictures=pictures(run, [(one.number, one.finding) for one in placed]),
        given_intro=given_intro(run),
        given=given(run),
        chapters=_chapters(result, checklist, placed),
        commands=_commands(run_path, checklist),
        silence=_silence(result.findings, checklist, today or date.today()),
        limits=in_force(checklist),
        settings=settings(run),
        footer=_footer(result, checklist),
    )


def badge(verdict: str) -> Badge:
    """Return a verdict's symbol and word."""
    return Badge(verdict, *VERDICTS[verdict])


def _counts(rows: Sequence[Row]) -> tuple[tuple[Badge, str], ...]:
    found: Counter[str] = Counter(row.verdict for row in rows)
    return tuple((badge(verdict), f"{found[verdict]:,}") for verdict in VERDICTS if found[verdict])


def _notices(result: Result, run: Run) -> tuple[str, ...]:
    info = result.run
    found = []
    if info.status == "interrupted" and not run.trained:
        found.append("Ctrl-C ended the preflight; what follows is what was tried until then.")
    elif info.status in _ENDINGS:
        found.append(_ENDINGS[info.status].format(steps=count(info.steps, "step")))
    if info.damage:
        found.append(f"The run's file is damaged ({clean(info.damage)}); what could be read of it is reported.")
    if not info.probed_steps and run.trained:
        found.append("The run holds no probed step, so there is little that could be judged.")
    left = len(result.warnings) - _MOST_WARNINGS
    found += [clean(one) for one in result.warnings[:_MOST_WARNINGS]]
    found += [f"And {count(left, 'more warning')} in result.json."] if left > 0 else []
    return tuple(found)


def _findings_intro(result: Result, placed: Sequence[Placed]) -> str:
    if not result.findings:
        return "No rule found anything to object to."
    following = sum(one.cause is not None for one in placed)
    text = f"{count(len(placed), 'finding')}, the most likely cause first."
    if following:
        text += (
            f" {following:,} of them probably follow{'s' if following == 1 else ''} from another and stand below it."
        )
    return text


def _accepted_intro(result: Result) -> str:
    amount = len({one.finding.rule for one in result.suppressed})
    does = "It does" if amount == 1 else "They do"
    return f"{count(amount, 'finding')} that somebody accepted. {does} not count for the verdict." if amount else ""


def _unjudged(result: Result, checklist: Checklist) -> tuple[tuple[Unjudged, ...], tuple[Unjudged, ...]]:
    """Return the rows that this run left open, by reason: those that a fit can decide, and those it cannot."""
    groups: tuple[dict[tuple[str, str], list[str]], ...] = ({}, {})
    ruled = {rule.checklist for rule in checklist.rules}
    for row in sorted(result.checklist, key=lambda row: row.verdict != "error"):
        if row.verdict in ("not_measured", "error"):
            groups[row.id not in ruled].setdefault((row.verdict, clean(row.reason)), []).append(clean(row.asks))
    here, beyond = (
        tuple(Unjudged(badge(verdict), tuple(asks), reason) for (verdict, reason), asks in group.items())
        for group in groups
    )
    return here, beyond


def _unjudged_intro(rows: Sequence[Row]) -> str:
    still = sum(row.verdict in ("not_measured", "error") for row in rows)
    if not still:
        return "Every row of the checklist was judged, or is for a person to judge."
    return f"Open: {still:,} of {count(len(rows), 'row')}. What was not measured has not passed."


def _notes(result: Result) -> Table | None:
    if not result.notes:
        return None
    pairs = [(shorten(clean(note["subject"])), clean(note["why"])) for note in result.notes]
    left = len(pairs) - _MOST_NOTES
    more = f"and {count(left, 'more note')} in result.json" if left > 0 else ""
    return Table("What capture could not do", ("Subject", "Why"), tuple(pairs[:_MOST_NOTES]), more)


def _links(placed: Sequence[Placed], by: Literal["rule", "checklist"]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return {rule or row: (words, anchor) of its findings}."""
    links: dict[str, tuple[tuple[str, str], ...]] = {}
    for one in placed:
        key = one.finding.rule if by == "rule" else one.finding.checklist
        links[key] = (*links.get(key, ()), (f"finding {one.number}", one.anchor))
    return links


def _chapters(result: Result, checklist: Checklist, placed: Sequence[Placed]) -> tuple[Chapter, ...]:
    rows = {row.id: row for row in result.checklist}
    links = _links(placed, "checklist")
    for place, other in enumerate(result.suppressed, 1):
        row = other.finding.checklist
        links[row] = (*links.get(row, ()), ("accepted", f"accepted-{place}"))
    found = []
    for title, items in checklist.chapters:
        listed = [rows[item.id] for item in items if item.id in rows]
        shown = tuple(
            RowPart(badge(row.verdict), row.id, clean(row.asks), clean(row.reason), links.get(row.id, ()))
            for row in listed
        )
        counts = ", ".join(f"{amount} {one.word}" for one, amount in _counts(listed))
        found.append(Chapter(clean(title), counts, shown))
    return tuple(found)


def _commands(run_path: str, checklist: Checklist) -> tuple[Pair, ...]:
    path = shlex.quote(visible(run_path))
    return (
        Pair("Write this report again", f"tfhealth report {path}"),
        Pair("Judge the run again, by the built-in rules", f"tfhealth evaluate {path} --rules built-in"),
        Pair("Judge it by a profile of your own", _by_profile(run_path, checklist)),
    )


def _silence(findings: Sequence[Finding], checklist: Checklist, today: date) -> str:
    """Return what accepts the findings; on paper it stands once, where the page has it below each of them."""
    return suppressed(findings[:_MOST_SILENCED], checklist.profile, today) if findings else ""


def _by_profile(run_path: str, checklist: Checklist) -> str:
    """Return the command that judges a run by a profile of one's own, on top of the rules in force."""
    # A profile in force names its packs by itself; without one they stood in the place of the built-in rules.
    base = checklist.packs[0].name if checklist.packs and checklist.profile is None else None
    rules = f" --rules {shlex.quote(visible(base))}" if base else ""
    return f"tfhealth evaluate {shlex.quote(visible(run_path))}{rules} --profile my-profile.yaml"


def _footer(result: Result, checklist: Checklist) -> str:
    rules = count(len(checklist.rules), "rule")
    rows = count(len(result.checklist), "row")
    return f"tfhealth {result.tfhealth}, {rules} on {rows}; result format {result.result_version}."
