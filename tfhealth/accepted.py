"""(decisions, Checklist, day) -> decisions without what somebody accepted, what was taken out, and what was in vain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from tfhealth import baseline as baselines
from tfhealth.baseline import Baseline
from tfhealth.conditions import SEVERITIES, Severity
from tfhealth.decide import Breach, Decision
from tfhealth.decide.decision import VERDICTS
from tfhealth.rules.checklist import Checklist, Suppression
from tfhealth.rules.patterns import matches
from tfhealth.series import Site

__all__ = ["COMPLAINTS", "Accepted", "Grounds", "accept"]

COMPLAINTS = ("warn", "fail")
"""The verdicts of a rule that make a finding."""

_UNDECIDED = ("not_measured", "error")
_SHOWN = 3


@dataclass(frozen=True)
class Grounds:
    """Why a breach does not count.

    Attributes:
        how: by a suppression of the profile, or by a baseline.
        reason: in a person's words; of a baseline: since when.
        set_by: the profile or the file that says so.
        expires: the last day; None: for ever.
    """

    how: Literal["suppression", "baseline"]
    reason: str
    set_by: str
    expires: date | None = None


@dataclass(frozen=True)
class Accepted:
    """What is left of decisions, and what is not.

    Attributes:
        decisions: as they came, without accepted sites; where none is left the verdict is `suppressed`.
        taken: the accepted part of each decision, one for each grounds.
        warnings: suppressions that expired or matched nothing, entries of the baseline that match nothing.
    """

    decisions: tuple[Decision, ...]
    taken: tuple[tuple[Decision, Grounds], ...]
    warnings: tuple[str, ...]


def accept(decisions: Sequence[Decision], checklist: Checklist, today: date) -> Accepted:
    """Take out of decisions what the checklist's suppressions and its baseline accept.

    A suppression comes before the baseline, and of several that match the first counts.

    Raises:
        UsageError, RuleError: the baseline cannot be read, or is none.
    """
    baseline = baselines.read(checklist.baseline) if checklist.baseline is not None else None
    holding = [one for one in checklist.suppressions if one.expires is None or today <= one.expires]
    find = _finder(holding, baseline, checklist.baseline)
    split = [_split(decision, find) for decision in decisions]
    warnings = [_expired(one) for one in checklist.suppressions if one not in holding]
    warnings += [_unused(one) for one in holding if _is_unused(one, decisions)]
    if baseline is not None and checklist.baseline is not None:
        warnings += _stale(baseline, checklist.baseline, decisions)
    return Accepted(
        tuple(left for left, _ in split), tuple(part for _, taken in split for part in taken), tuple(warnings)
    )


Finder = Callable[[str, Site, Severity], Grounds | None]


def _finder(holding: Sequence[Suppression], baseline: Baseline | None, path: Path | None) -> Finder:
    """Return what finds the grounds on which a breach (rule, site, severity) is accepted."""
    entries = {entry.key: entry for entry in baseline.entries} if baseline else {}

    def find(rule: str, site: Site, severity: Severity) -> Grounds | None:
        for one in holding:
            if _is_about(one, rule, site):
                return Grounds("suppression", one.reason, one.set_by, one.expires)
        entry = entries.get((rule, site.kind, site.name))
        if entry is None or path is None or SEVERITIES.index(severity) > SEVERITIES.index(entry.severity):
            return None
        return Grounds("baseline", f"in the baseline since {entry.since}", path.name)

    return find


def _is_about(suppression: Suppression, rule: str, site: Site) -> bool:
    return rule.startswith(suppression.rule) and matches(suppression.match, site.name)


def _split(decision: Decision, find: Finder) -> tuple[Decision, list[tuple[Decision, Grounds]]]:
    """Return what is left of a decision, and its accepted parts."""
    if decision.verdict not in COMPLAINTS:
        return decision, []
    groups: dict[Grounds | None, list[Breach]] = {}
    for breach in decision.breaches:
        site, outcome, _ = breach
        assert outcome.severity is not None
        groups.setdefault(find(decision.rule.id, site, outcome.severity), []).append(breach)
    left = groups.pop(None, [])
    if len(left) == len(decision.breaches):
        return decision, []
    taken = [(_part(decision, breaches, decision.reason), grounds) for grounds, breaches in groups.items() if grounds]
    of = f"of {decision.judged} {decision.breaches[0][0].kind} sites"
    count = len(decision.breaches) - len(left)
    if left:
        return _part(decision, left, f"{len(left)} {of}, {count} more accepted"), taken
    reasons = "; ".join(dict.fromkeys(grounds.reason for _, grounds in taken))
    return replace(decision, verdict="suppressed", reason=f"accepted at {count} {of}: {reasons}", breaches=()), taken


def _part(decision: Decision, breaches: Sequence[Breach], reason: str) -> Decision:
    """Return a decision at some of its sites only, as grave as the worst of them."""
    verdict = VERDICTS[breaches[0][1].severity]
    return replace(decision, verdict=verdict, reason=reason, breaches=tuple(breaches))


def _is_unused(suppression: Suppression, decisions: Sequence[Decision]) -> bool:
    """Return whether a suppression matched nothing although all that it is about was judged."""
    about = [one for one in decisions if one.rule.id.startswith(suppression.rule)]
    if any(one.verdict in _UNDECIDED for one in about):
        return False
    complaints = [one for one in about if one.verdict in COMPLAINTS]
    if any(_is_about(suppression, one.rule.id, site) for one in complaints for site, _, _ in one.breaches):
        return False
    return any(one.verdict != "not_applicable" for one in about)


def _unused(suppression: Suppression) -> str:
    return f"The suppression of {_told(suppression)} matched nothing in this run."


def _expired(suppression: Suppression) -> str:
    return f"The suppression of {_told(suppression)} expired on {suppression.expires}; what it accepted counts again."


def _told(suppression: Suppression) -> str:
    where = "" if suppression.match == "**" else f" at {suppression.match}"
    by = f"{suppression.set_by}: " if suppression.set_by else ""
    return f"{suppression.rule}{where} ({by}{suppression.reason})"


def _stale(baseline: Baseline, path: Path, decisions: Sequence[Decision]) -> list[str]:
    """Say which entries match nothing, those left out whose rule could not be decided."""
    undecided = {one.rule.id for one in decisions if one.verdict in _UNDECIDED}
    shown = {
        (one.rule.id, site.kind, site.name)
        for one in decisions
        if one.verdict in COMPLAINTS
        for site, _, _ in one.breaches
    }
    stale = [one for one in baseline.entries if one.key not in shown and one.rule not in undecided]
    if not stale:
        return []
    named = ", ".join(f"{one.rule} at {one.kind} {one.site}" for one in stale[:_SHOWN])
    more = ", …" if len(stale) > _SHOWN else ""
    count = f"{len(stale)} of {len(baseline.entries)} entries of {path.name}"
    return [f"{count} match nothing in this run ({named}{more}); --prune-baseline takes out what no run shows."]
