"""Outcomes at all sites -> Decision: how many must breach, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tfhealth.conditions import SEVERITIES, Outcome, Severity
from tfhealth.rules.checklist import Override
from tfhealth.rules.model import Quantify, Rule
from tfhealth.series import Attribute, Site

__all__ = ["VERDICTS", "Breach", "Decision", "quantified"]

Breach = tuple[Site, Outcome, Attribute]
"""A site, what its condition saw there, and the attribute's value for a rule about an attribute."""

VERDICTS: dict[Severity | None, str] = {
    None: "pass",
    "info": "pass",
    "warning": "warn",
    "error": "fail",
    "critical": "fail",
}


@dataclass(frozen=True)
class Decision:
    """What one rule decided on one run.

    Attributes:
        rule: the rule.
        verdict: pass, warn, fail, not_applicable, not_measured or error.
        reason: one sentence.
        breaches: (site, outcome, attribute's value) where the condition held, the worst first; behind those that reach
            the verdict's rung, those that complain at a milder one.
        judged: number of sites looked at.
        overridden: the sites that were judged by another form of the rule, each with what put it there.
        elsewhere: whether it is not measured because this run did not look in the way that the rule needs.
    """

    rule: Rule
    verdict: str
    reason: str
    breaches: tuple[Breach, ...] = ()
    judged: int = 0
    overridden: Mapping[Site, Override] = field(default_factory=lambda: MappingProxyType({}))
    elsewhere: bool = False

    @property
    def severity(self) -> Severity | None:
        """The highest rung that was breached."""
        return self.breaches[0][1].severity if self.breaches else None

    def variant_of(self, site: Site) -> Rule:
        """Return the form of the rule by which a site was judged: its own, or that of an override."""
        override = self.overridden.get(site)
        return self.rule if override is None or override.rule is None else override.rule

    def set_by(self, site: Site) -> str | None:
        """Return which profile put another form of the rule at a site; None where it was judged by the rule itself."""
        override = self.overridden.get(site)
        return None if override is None else override.set_by


def quantified(rule: Rule, sites: Sequence[Breach], passed: str) -> Decision:
    """Make one decision of the outcomes at all sites.

    Args:
        rule: says how many of them must breach.
        sites: one entry a site, with or without a breach, in execution order.
        passed: the reason of a pass.
    """
    total = len(sites)
    ordered = sorted(sites, key=lambda one: (-_rank(one), one[1].step or 0))
    for severity in reversed(SEVERITIES):
        rank = SEVERITIES.index(severity)
        reached = [one for one in ordered if _rank(one) >= rank]
        if reached and _enough(rule.quantify, len(reached), total):
            # Some sites may breach a higher rung that too few reach: the finding has the severity of its verdict.
            worst = [(site, replace(seen, severity=severity), value) for site, seen, value in reached]
            milder = [one for one in ordered if SEVERITIES.index("info") < _rank(one) < rank]
            reason = f"{len(reached)} of {total} {rule.measure.kind} sites"
            return Decision(rule, VERDICTS[severity], reason, (*worst, *milder), total)
    return Decision(rule, "pass", passed, (), total)


def _rank(one: Breach) -> int:
    severity = one[1].severity
    return -1 if severity is None else SEVERITIES.index(severity)


def _enough(quantify: str | Quantify, count: int, total: int) -> bool:
    if isinstance(quantify, Quantify):
        return count >= (quantify.count or 0) and count >= (quantify.share or 0.0) * total
    return count == total if quantify == "all" else count > 0
