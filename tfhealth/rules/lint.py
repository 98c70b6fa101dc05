"""Packs and profiles that load -> what in them can never be, or does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfhealth.errors import Fault
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.loader import Opened
from tfhealth.rules.model import Rule
from tfhealth.rules.profile import ProfileFile
from tfhealth.rules.sense import impossible
from tfhealth.rules.source import Place, Source

__all__ = ["lint"]


def lint(opened: Opened) -> list[Fault]:
    """Return what is wrong or odd beyond what loading finds: limits that no value can reach, what is accepted in vain.

    A rule that a profile changes is looked at as its pack has it and as it is in force.
    """
    faults = [
        fault for pack in opened.packs for one in pack.rules for fault in _senseless(one.rule, one.source, (), set())
    ]
    for profile in opened.profiles:
        faults += _changed_senselessly(profile, opened.checklist)
        faults += _accepted_in_vain(profile, opened)
    return faults


def _changed_senselessly(profile: ProfileFile, checklist: Checklist) -> Iterator[Fault]:
    for place, rule, base in _changed(profile, checklist):
        yield from _senseless(rule, profile.source, place, set(impossible(base)))


def _accepted_in_vain(profile: ProfileFile, opened: Opened) -> Iterator[Fault]:
    """Warn of suppressions of rules that there are, but none of them in force."""
    known = [one.rule.id for pack in opened.packs for one in pack.rules]
    in_force = [rule.id for rule in opened.checklist.rules]
    for number, one in enumerate(profile.settings.suppress):
        there, here = (any(name.startswith(one.rule) for name in ids) for ids in (known, in_force))
        if there and not here:
            what = f"no rule in force has an id that begins with {one.rule!r}, so nothing is accepted here"
            yield profile.source.fault(("suppress", number, "rule"), what, "warning")


def _changed(profile: ProfileFile, checklist: Checklist) -> Iterator[tuple[Place, Rule, Rule]]:
    """Yield where a profile changes a rule, the rule as it is then, and the rule before."""
    for name, patch in profile.settings.set_.items():
        rule, origin = checklist.rule(name), checklist.origin(name)
        if isinstance(patch, dict) and rule is not None and origin.original is not None:
            yield ("set", name), rule, origin.original
    for number, entry in enumerate(profile.settings.overrides):
        for one in checklist.overrides:
            base = checklist.rule(one.id)
            ours = one.set_by == profile.name and one.match == entry.match and one.id in entry.set_
            if ours and one.rule is not None and base is not None:
                yield ("overrides", number, "set", one.id), one.rule, base


def _senseless(rule: Rule, source: Source, place: Place, known: set[tuple[Place, str]]) -> Sequence[Fault]:
    """Return what is impossible in a rule, without what was so before."""
    return [source.fault((*place, *path), what) for path, what in impossible(rule) if (path, what) not in known]
