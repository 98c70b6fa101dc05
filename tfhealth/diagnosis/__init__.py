"""(Checklist, Run) -> Result: decisions put into words, the leading cause first, and every row of the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from tfhealth import __version__
from tfhealth.accepted import COMPLAINTS, Grounds, accept
from tfhealth.decide import Decision, decide_all
from tfhealth.diagnosis.findings import finding_of, ordered
from tfhealth.diagnosis.rows import row_of, rule_verdict
from tfhealth.result import Finding, Pack, Result, Row, RunInfo, Suppressed
from tfhealth.rules.checklist import Checklist
from tfhealth.run import Run

__all__ = ["evaluate"]

_OF_THE_LOSS = ("loss.decreases", "loss.fits-task")


def evaluate(checklist: Checklist, run: Run, today: date | None = None) -> Result:
    """Judge a run by a checklist.

    Args:
        checklist: rows and rules in force, and what of their findings is accepted.
        run: a recorded run, complete or not.
        today: the day by which suppressions expire; None: the day it is.

    Returns:
        The verdict; a rule that cannot be evaluated is there as `error`, no exception is raised for it.

    Raises:
        UsageError, RuleError: the checklist's baseline cannot be read, or is none.
    """
    accepted = accept(decide_all(checklist, run), checklist, today or date.today())
    info = _run_info(run)
    found = [finding_of(one, run, checklist) for one in accepted.decisions if one.verdict in COMPLAINTS]
    findings = ordered(checklist, found, info.steps)
    suppressed = [_suppressed(part, grounds, run, checklist) for part, grounds in accepted.taken]
    rows = [row_of(item, [d for d in accepted.decisions if d.rule.checklist == item.id]) for item in checklist.items]
    verdict = _overall(findings, rows, run)
    return Result(
        tfhealth=__version__,
        run=info,
        verdict=verdict,
        sentence=_sentence(verdict, findings, rows, run, len({one.finding.rule for one in suppressed})),
        findings=findings,
        checklist=rows,
        rules=[rule_verdict(decision) for decision in accepted.decisions],
        notes=[{"subject": note.subject, "why": note.why} for note in run.notes],
        suppressed=suppressed,
        warnings=list(accepted.warnings),
        profile=checklist.profile,
        packs=[Pack(name=brand.name, version=brand.version) for brand in checklist.packs],
    )


def _suppressed(part: Decision, grounds: Grounds, run: Run, checklist: Checklist) -> Suppressed:
    return Suppressed(
        finding=finding_of(part, run, checklist),
        how=grounds.how,
        reason=grounds.reason,
        expires=grounds.expires.isoformat() if grounds.expires else None,
        set_by=grounds.set_by,
    )


def _overall(
    findings: Sequence[Finding], rows: Sequence[Row], run: Run
) -> Literal["pass", "warn", "fail", "not_measured"]:
    if findings:
        return "fail" if any(finding.verdict == "fail" for finding in findings) else "warn"
    judged = any(row.verdict in ("pass", "suppressed") for row in rows)
    return "pass" if judged and not _nothing_tried(run) else "not_measured"


def _nothing_tried(run: Run) -> bool:
    """Whether a run is a preflight of which no experiment yielded anything; what a model says of itself is no trial."""
    return not run.trained and not any("experiment" in table.kinds for table in run.tables)


def _sentence(verdict: str, findings: Sequence[Finding], rows: Sequence[Row], run: Run, suppressed: int) -> str:
    accepted = f"{suppressed} suppressed finding{'s' if suppressed != 1 else ''}"
    if not findings:
        judged = sum(row.verdict in ("pass", "suppressed") for row in rows)
        if verdict == "pass":
            but = f", but for {accepted}" if suppressed else ""
            found = f"No fault found in the {judged} of {len(rows)} checklist rows that could be judged{but}."
            return found + _unseen(rows)
        if _nothing_tried(run):
            return "Nothing could be judged: no experiment yielded anything; the notes say why."
        return "Nothing could be judged: the run holds no probe that a rule could use."
    lead = findings[0]
    word = "Sick" if verdict == "fail" else "Worth a look"
    others = len(findings) - 1
    more = [f"{others} more finding{'s' if others != 1 else ''}"] if others else []
    more += [accepted] if suppressed else []
    return f"{word}: {lead.message.rstrip('.')}" + (f" ({', '.join(more)})." if more else ".")


def _unseen(rows: Sequence[Row]) -> str:
    """Return what a verdict without a fault must say where nothing could be seen of the loss."""
    verdicts = {row.id: row.verdict for row in rows}
    blind = all(verdicts.get(row) == "not_measured" for row in _OF_THE_LOSS)
    return " Whether the loss falls, and whether it fits the labels, could not be seen." if blind else ""


def _run_info(run: Run) -> RunInfo:
    steps = run.steps
    last = int(steps[-1]) + 1 if len(steps) else 0
    ends = [int(series.steps[-1]) for series in run.logs.values() if len(series)]
    known = run.meta.get("steps")  # weights are also recorded as they are after the last step; a killed run knows less
    return RunInfo(
        path=str(run.path) if run.path else None,
        name=str(run.meta.get("name", "run")),
        status=str(run.meta.get("status", "unknown")),
        complete=run.complete,
        started=run.meta.get("started"),
        ended=run.meta.get("ended"),
        steps=known if isinstance(known, int) else max([last, *ends]),
        probed_steps=len(steps),
        damage=run.damage,
    )
