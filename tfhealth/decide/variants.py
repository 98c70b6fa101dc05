"""(Rule, Run, overrides) -> which form of the rule judges which site, and where it is switched off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tfhealth import panels
from tfhealth.conditions import Severity
from tfhealth.panels import Undecided
from tfhealth.rules.checklist import Override
from tfhealth.rules.model import Rule
from tfhealth.rules.patterns import matches
from tfhealth.run import Run
from tfhealth.series import Site

__all__ = ["Variants", "can_reach", "switched_off"]


@dataclass(frozen=True)
class Variants:
    """The forms that a rule has at different sites.

    Attributes:
        rule: the form at every site without an override.
        off: sites that are left out.
        overridden: what stands in the rule's place at some sites.
    """

    rule: Rule
    off: frozenset[Site]
    overridden: Mapping[Site, Override]

    @classmethod
    def of(cls, rule: Rule, run: Run, overrides: Sequence[Override]) -> Variants:
        """Find what holds at each site that a rule is about; of several overrides that match one, the last.

        Raises:
            Undecided: the rule is switched off at all of them.
        """
        found = _found(rule, run, overrides) if overrides else {}
        changed = {site: override for site, override in found.items() if override is not None}
        off = frozenset(site for site, override in changed.items() if override.rule is None)
        if off and len(off) == len(found):
            owners = dict.fromkeys(override.set_by for override in changed.values())
            raise Undecided("not_applicable", f"switched off at every site by {', '.join(owners)}")
        return cls(rule, off, {site: override for site, override in changed.items() if site not in off})

    def rule_at(self, site: Site) -> Rule:
        """Return the form that judges a site which is not switched off."""
        override = self.overridden.get(site)
        return self.rule if override is None or override.rule is None else override.rule

    def grouped(self, sites: Iterable[Site]) -> list[tuple[Rule, list[int]]]:
        """Return each form with the places, in `sites`, of those that it judges."""
        found: dict[int, tuple[Rule, list[int]]] = {}
        for place, site in enumerate(sites):
            rule = self.rule_at(site)
            found.setdefault(id(rule), (rule, []))[1].append(place)
        return list(found.values())

    def reduced(self, sites: Sequence[Site], joint: Site) -> Variants:
        """Return the variants where one series stands for `sites`: an override holds for it that holds for them all."""
        overrides = {id(one): one for one in map(self.overridden.get, sites)}
        only = next(iter(overrides.values())) if len(overrides) == 1 else None
        return replace(self, overridden={} if only is None else {joint: only})


def can_reach(rule: Rule, overrides: Sequence[Override], severity: Severity) -> bool:
    """Return whether a rule, in any of its forms, has a rung of this severity."""
    forms = [rule, *(override.rule for override in overrides if override.rule is not None)]
    return any(severity in form.condition.severities for form in forms)


def switched_off(rule: Rule, run: Run, overrides: Sequence[Override]) -> frozenset[Site]:
    """Return the sites of a rule at which it is switched off."""
    found = _found(rule, run, overrides) if overrides else {}
    return frozenset(site for site, override in found.items() if override is not None and override.rule is None)


def _found(rule: Rule, run: Run, overrides: Sequence[Override]) -> dict[Site, Override | None]:
    """Return every site that a rule is about with the last override that matches it."""
    sites = panels.sites(rule.measure, run) or [panels.absent_site(rule.measure)]
    return {site: next((one for one in reversed(overrides) if matches(one.match, site.name)), None) for site in sites}
