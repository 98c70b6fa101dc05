"""(Findings, Run, Checklist) -> findings in words, each below the one that it follows from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from tfhealth.report.document import AcceptedPart, Badge, FindingPart, Pair, Picture, Table
from tfhealth.report.evidence import evidence
from tfhealth.report.limits import Form, form_of, limits
from tfhealth.report.silence import snippet
from tfhealth.report.words import VERDICTS, clean, count, number, shorten, value, visible
from tfhealth.result import Breach, Finding, Suppressed, Tried
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.model import Rule
from tfhealth.run import Run

__all__ = ["Placed", "accepted", "arrange", "parts"]

_MOST_SITES = 12
_MOST_CHARTS = 20  # some 20 kB each; the whole page stays below 1 MB
_SILENCE = (
    "Is this right for your model? Save these lines as my-profile.yaml, or add what is below suppress to the profile "
    "that you have, say why, and judge this run again. That takes no new training."
)


@dataclass(frozen=True)
class Placed:
    """A finding with its number in the report; `cause` is the rule of the finding that it stands below."""

    number: int
    finding: Finding
    cause: str | None

    @property
    def anchor(self) -> str:
        """Where links to the finding lead."""
        return f"finding-{self.number}"


def arrange(findings: Sequence[Finding]) -> tuple[Placed, ...]:
    """Number findings in the order of the report: each cause, then all that follows from it, step by step."""
    known = {finding.rule: finding for finding in findings}
    causes = {rule: next((one for one in f.explained_by if one in known), None) for rule, f in known.items()}
    placed: dict[str, Placed] = {}

    def place(rule: str, root: str) -> None:
        placed[rule] = Placed(len(placed) + 1, known[rule], None if rule == root else root)
        for other, cause in causes.items():
            if cause == rule and other not in placed:
                place(other, root)

    # Whoever is left after the causes stands in a circle of them, and the first of it leads.
    for rule in [*(rule for rule in known if causes[rule] is None), *known]:
        if rule not in placed:
            place(rule, rule)
    return tuple(placed.values())


def parts(
    placed: Sequence[Placed], remedies: Sequence[Tried], run: Run, checklist: Checklist, command: str, today: date
) -> tuple[FindingPart, ...]:
    """Put findings into words, those that follow from another below it.

    `remedies` is what their advice did to clones, `command` judges by a profile of one's own, `today` is the day from
    which such a profile accepts a finding.
    """
    by_rule = {one.finding.rule: one for one in placed}
    made = {one.number: _part(one, by_rule, run, checklist, command, today) for one in placed}
    for one in placed:
        tried = tuple(f"{clean(other.sentence)}." for other in remedies if other.rule == one.finding.rule)
        made[one.number] = replace(made[one.number], tried=tried)
    found = []
    for one in placed:
        if one.cause is None:
            below = tuple(made[other.number] for other in placed if other.cause == one.finding.rule)
            found.append(replace(made[one.number], consequences=below))
    return tuple(found)


def accepted(suppressed: Sequence[Suppressed], run: Run, checklist: Checklist) -> tuple[AcceptedPart, ...]:
    """Put accepted findings into words: what they are, who accepted them, why and until when."""
    found = []
    for place, one in enumerate(suppressed, 1):
        finding = one.finding
        how = "baseline" if one.how == "baseline" else "suppressed by"
        facts = (
            Pair("Accepted", f"{how} {shorten(clean(one.set_by), 80)}"),
            Pair("Because", clean(one.reason)),
            Pair("Until", clean(one.expires) if one.expires else "no end"),
            *_facts(finding, form_of(finding, checklist, run), checklist),
        )
        badge = Badge("suppressed", *VERDICTS["suppressed"])
        words = (clean(finding.title), clean(finding.message))
        found.append(AcceptedPart(f"accepted-{place}", badge, finding.rule, *words, facts, _sites(finding)))
    return tuple(found)


def _part(
    placed: Placed, by_rule: Mapping[str, Placed], run: Run, checklist: Checklist, command: str, today: date
) -> FindingPart:
    finding = placed.finding
    form = form_of(finding, checklist, run)
    causes = sorted(by_rule[one].number for one in finding.explained_by if one in by_rule)
    return FindingPart(
        number=placed.number,
        anchor=placed.anchor,
        badge=Badge(finding.verdict, *VERDICTS[finding.verdict]),
        rule=finding.rule,
        title=clean(finding.title),
        message=clean(finding.message),
        facts=_facts(finding, form, checklist),
        follows_from=_follows(causes),
        sites=_sites(finding),
        picture=_picture(placed, form.rule, run, checklist),
        why=visible(finding.why),
        advice=visible(finding.advice),
        sources=" · ".join(_source(one, checklist.sources) for one in finding.references),
        silence=_SILENCE,
        snippet=snippet(finding, form, checklist.profile, today),
        command=command,
    )


def _picture(placed: Placed, rule: Rule | None, run: Run, checklist: Checklist) -> Picture | None:
    if rule is None or placed.number > _MOST_CHARTS:
        return None
    return evidence(placed.finding, rule, run, checklist.overrides_of(rule.id))


def _follows(causes: Sequence[int]) -> str:
    if not causes:
        return ""
    listed = " and ".join(filter(None, [", ".join(map(str, causes[:-1])), str(causes[-1])]))
    return f"Probably follows from finding{'' if len(causes) == 1 else 's'} {listed}."


def _facts(finding: Finding, form: Form, checklist: Checklist) -> tuple[Pair, ...]:
    rule = form.rule
    place = f"{finding.kind} {shorten(clean(finding.site))}"
    others = len(finding.sites) - 1
    found = [
        Pair("Value", _value(finding.value, finding.step, rule)),
        Pair("Breach", limits(finding, form, checklist)),
        Pair("Where", f"{place}, and {count(others, 'more site')}" if others > 0 else place),
    ]
    if finding.step is not None and (rule is None or rule.measure.attribute is None):
        found.append(Pair("Since", f"step {finding.step:,}"))
    found.append(Pair("Severity", finding.severity))
    return tuple(found)


def _value(found: float | str | bool | None, step: int | None, rule: Rule | None) -> str:
    if found is not None:
        return value(found)
    if step is None:
        return "not there"
    return "none" if rule is not None and rule.measure.attribute is not None else "NaN or Inf"


def _sites(finding: Finding) -> Table | None:
    """Return the worst sites; None where there is only the one that the message names."""
    if len(finding.sites) < 2:
        return None
    left = len(finding.sites) - _MOST_SITES
    more = f"and {count(left, 'more site')}, all in result.json" if left > 0 else ""
    rows = tuple(_site(one) for one in finding.sites[:_MOST_SITES])
    return Table("Sites, worst first", ("Site", "Severity", "Since step", "Value"), rows, more)


def _site(one: Breach) -> tuple[str, ...]:
    step = "–" if one.step is None else number(one.step)
    return f"{one.kind} {shorten(clean(one.name), 64)}", one.severity, step, _value(one.value, one.step, None)


def _source(reference: str, sources: Mapping[str, str]) -> str:
    """Return a reference with the article that its letters stand for: `V35` is point 35 of article V."""
    known = re.match(r"([A-Z]+)[-\d]", reference)
    article = sources.get(reference) or (sources.get(known[1]) if known else None)
    return clean(f"{reference}: {article}" if article else reference)
