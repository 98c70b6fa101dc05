"""(Rule, Run, Variants) -> an outcome for each site that the rule is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfhealth import panels
from tfhealth.conditions import (
    SEVERITIES,
    Clock,
    Mask,
    Outcome,
    covered,
    judge,
    judge_absence,
    judge_attribute,
    possible,
)
from tfhealth.decide.decision import Breach
from tfhealth.decide.variants import Variants
from tfhealth.panels import Absent, Undecided
from tfhealth.rules.model import Rule
from tfhealth.run import Run
from tfhealth.series import Panel

__all__ = ["Judged", "judged", "missing"]


class Judged(NamedTuple):
    """One entry a site, in execution order; what to say where none of them breaches; which form judged which site."""

    entries: list[Breach]
    passed: str
    variants: Variants


def judged(variants: Variants, run: Run) -> Judged:
    """Judge every site at which a rule's measure is there.

    Raises:
        Undecided: none can be judged; `Absent` where that is because nothing is there.
    """
    return _series(variants, run) if variants.rule.measure.attribute is None else _attributes(variants, run)


def missing(variants: Variants, run: Run) -> list[Breach]:
    """Return the sites at which a rule's measure is not there, where the rule says that this is a breach."""
    rule, measure = variants.rule, variants.rule.measure
    forms = [rule, *(variants.rule_at(site) for site in variants.overridden)]
    if not any(form.condition.missing in SEVERITIES for form in forms):
        return []
    try:
        if measure.attribute is None:
            there = set(panels.about(measure, run, variants.off).sites)
        else:
            there = {site for site, value in panels.attributes(measure, run, variants.off).items() if value is not None}
    except Absent:
        there = set()
    if there and measure.across is not None:
        return []  # what is reduced over sites is there where some of them are
    sites = [site for site in panels.sites(measure, run) or [panels.absent_site(measure)] if site not in there]
    found = [(site, judge_absence(variants.rule_at(site).condition)) for site in sites if site not in variants.off]
    return [(site, outcome, None) for site, outcome in found if outcome is not None]


def _attributes(variants: Variants, run: Run) -> Judged:
    found = panels.attributes(variants.rule.measure, run, variants.off)
    known = [(site, value) for site, value in found.items() if value is not None]
    entries: list[Breach] = [
        (site, judge_attribute(variants.rule_at(site).condition, value), value) for site, value in known
    ]
    return Judged(entries, _passed(variants.rule, len(entries), _listed(value for _, value in known)), variants)


def _series(variants: Variants, run: Run) -> Judged:
    rule = variants.rule
    panel, variants, clock = _panel(variants, run)
    guard = panels.guard(rule.while_, run, panel, clock)
    held = panel.measured if guard is None else panel.measured & guard
    if panels.unmet(rule.given, run, clock):
        guard = held = np.zeros_like(held)
    found: dict[int, Outcome] = {}
    lacks: list[str] = []
    forms = variants.grouped(panel.sites)
    for form, rows in forms:
        part = panel.take(rows)
        ready, complete = _enough(form, part, clock)
        lacks += [] if complete else [_lack(form, part, clock)]
        outcomes = judge(form.condition, part, held[rows], clock, ready)
        found |= {row: one for row, one, fine in zip(rows, outcomes, ready, strict=True) if fine or one.severity}
    entries: list[Breach] = [(panel.sites[row], found[row], None) for row in sorted(found)]
    if found and guard is not None and not held[list(found)].any():
        never = f"its condition never arose in {panel.measured.sum(axis=1).max()} probes"
        return Judged(entries, never, variants)
    if all(outcome.severity in (None, "info") for outcome in found.values()):
        if lacks:
            raise Undecided("not_measured", lacks[0])
        if not any(outcome.finite or _asks_nonfinite(form) for outcome in found.values() for form, _ in forms):
            raise Undecided("not_measured", "every measured value was NaN or Inf")
    values = [found[row].value for row in sorted(found) if np.isfinite(found[row].value)]
    return Judged(entries, _passed(rule, len(entries), _listed(values)), variants)


def _panel(variants: Variants, run: Run) -> tuple[Panel, Variants, Clock]:
    """Return the part of a rule's panel that counts, the variants at its sites, and the time by which to judge it."""
    rule = variants.rule
    about = panels.about(rule.measure, run, variants.off)
    whole = panels.reduced(rule.measure, about)
    if rule.measure.across is not None:
        variants = variants.reduced(about.sites, whole.sites[0])
    in_epochs = rule.active.in_epochs or any(form.condition.in_epochs for form, _ in variants.grouped(whole.sites))
    clock = panels.clock_of(run) if in_epochs or rule.active.phase is not None else Clock()
    if in_epochs and clock.epoch is None:
        raise Undecided("not_measured", "how many steps an epoch has is not known")
    return panels.active(rule.active, whole, clock), variants, clock


def _enough(form: Rule, panel: Panel, clock: Clock) -> tuple[Mask, bool]:
    """Return at which sites enough was seen for any of a rule's tests, bool[S], and whether it was for each of them."""
    able = possible(form.condition, panel, clock)
    ready = panel.measured.sum(axis=1) >= form.active.probes
    if len(able):
        ready &= able.any(axis=0)
    return ready, bool(ready.any() and (able & ready).any(axis=1).all())


def _lack(form: Rule, panel: Panel, clock: Clock) -> str:
    """Say what a rule needs and what there is of it."""
    least, span = form.condition.least(clock)
    least = max(least, form.active.probes)
    most = int(panel.measured.sum(axis=1).max(initial=0))
    if most < least or not span:
        return f"needs {least} probes, the run has {most}"
    return f"needs {least} probes over {span:g} steps, the run has {most} over {covered(panel).max():g}"


def _asks_nonfinite(form: Rule) -> bool:
    return form.condition.nonfinite != "ignore" or any(test.nonfinite for test in form.condition.tests())


def _passed(rule: Rule, total: int, seen: str) -> str:
    where = f"at {total} {rule.measure.kind} site{'s' if total != 1 else ''}"
    return f"{seen} {where}" if seen else where


def _listed(values: Iterable[object]) -> str:
    shown = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in dict.fromkeys(values)]
    return ", ".join(shown[:4]) + (" …" if len(shown) > 4 else "")
