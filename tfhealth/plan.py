"""(Checklist) -> what to probe: the rules pull, little is measured that none of them reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfhealth.conditions import Bound, holds
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.model import Constraint, Measure, Rule
from tfhealth.series import Attribute, Site
from tfhealth.statistics import STATISTICS
from tfhealth.task import DERIVED, NEEDS

__all__ = ["Plan", "described", "fits"]

_ALWAYS = (("optimizer", "learning_rate"),)  # what every report tells, whoever judges it


def described(site: Site, attributes: Mapping[str, Attribute]) -> Mapping[str, Attribute]:
    """Return the attributes of a site by which rules choose, the site's own name among them as `name`."""
    return {**attributes, "name": site.name}


def fits(where: Mapping[str, Constraint], attributes: Mapping[str, Attribute]) -> bool:
    """Return whether a site with `attributes` is one that `where` asks for; an attribute it lacks counts as None."""
    return all(_fits(constraint, attributes.get(name)) for name, constraint in where.items())


def _fits(constraint: Constraint, value: Attribute) -> bool:
    if isinstance(constraint, Bound):
        return holds(constraint, value)
    if isinstance(constraint, list):
        return value in constraint
    return value == constraint


def _known_before(measure: Measure, kind: str) -> Mapping[str, Constraint]:
    """Return the attributes by which sites of a kind can be chosen while they are probed.

    `where` is about the sites that a measure yields series for, and not about what an expression sets them against.
    """
    chosen = measure.where if kind in measure.kinds else {}
    return {name: constraint for name, constraint in chosen.items() if name not in DERIVED}


def _asks_for_task(rule: Rule) -> bool:
    return any(name.startswith("task.") for name in rule.when)


@dataclass(frozen=True)
class Plan:
    """What the rules ask for: (kind, statistic, where) triples."""

    requests: tuple[tuple[str, str, Mapping[str, Constraint]], ...]

    @classmethod
    def of(cls, checklist: Checklist) -> Plan:
        """Collect what every rule of the checklist reads."""
        measures = [measure for rule in checklist.rules for measure in rule.measures]
        requests = [(*need, _known_before(measure, need[0])) for measure in measures for need in measure.needs]
        if any(DERIVED & set(measure.where) for measure in measures) or any(map(_asks_for_task, checklist.rules)):
            requests += [(*need, {}) for need in NEEDS]
        return cls((*requests, *((*pair, {}) for pair in _ALWAYS)))

    def statistics(self, kind: str, attributes: Mapping[str, Attribute]) -> tuple[str, ...]:
        """Return the names of the statistics to probe at a site: built-in ones in their order, then others by name."""
        asked = {name for k, name, where in self.requests if k == kind and fits(where, attributes)}
        built_in = [one.name for one in STATISTICS if kind in one.kinds and one.name in asked]
        return (*built_in, *sorted(asked.difference(built_in)))
