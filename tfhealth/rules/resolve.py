"""Packs and profiles in force -> Checklist: what profiles change, switch off, accept and ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from tfhealth.errors import Level, nearest
from tfhealth.rules.checklist import BUILT_IN, Checklist, Gate, Override, Suppression
from tfhealth.rules.entries import Entry, Names, gather, rows_of
from tfhealth.rules.extends import Chain
from tfhealth.rules.pack import ROWS
from tfhealth.rules.patch import BY_SITE, PARTIAL, patched
from tfhealth.rules.profile import ProfileFile
from tfhealth.rules.source import Place

__all__ = ["resolve"]

_OFF = ("off", False)


def resolve(chain: Chain, today: date) -> Checklist:
    """Return the checklist in force; it may be used where no fault in `chain.faults` is an error.

    Args:
        chain: the packs and profiles, in order; what is wrong is added to its faults.
        today: the day by which suppressions expire.
    """
    return _Resolver(chain, today).checklist()


class _Resolver:
    """Applies the profiles of a chain to the rules of its packs, and collects what is wrong in them."""

    def __init__(self, chain: Chain, today: date) -> None:
        self.chain, self.today = chain, today
        self.entries = gather(chain)
        self.ids = self.entries.keys() | {name for pack in chain.packs for name in pack.broken}
        self.rows = rows_of(chain)
        self.names = Names.of(self.rows)
        unread = any(pack.rows is None and (pack.folder / ROWS).exists() for pack in chain.packs)
        self.knows_rows = chain.whole and not unread

    def checklist(self) -> Checklist:
        """Return the checklist in force."""
        if self.knows_rows:
            self._check_names()
        for profile in self.chain.profiles:
            self._set(profile)
        chosen = self._selected()
        profiles = self.chain.profiles
        overrides = tuple(one for profile in profiles for one in self._overrides(profile, chosen))
        suppressions = tuple(one for profile in profiles for one in self._suppressions(profile))
        gate = [self._gate(profile) for profile in profiles if "gate" in profile.settings.model_fields_set]
        baselines = [_baseline(profile) for profile in profiles if "baseline" in profile.settings.model_fields_set]
        made = Checklist.of(self.rows, [entry.rule for entry in chosen.values()])
        return replace(
            made,
            origins={name: entry.origin for name, entry in chosen.items() if entry.origin is not None},
            overrides=overrides,
            suppressions=suppressions,
            baseline=baselines[-1] if baselines else None,
            gate=gate[-1] if gate else Gate(),
            packs=tuple(pack.brand for pack in self.chain.packs if pack.name != BUILT_IN),
            profile=profiles[-1].name if profiles else None,
        )

    def _check_names(self) -> None:
        """Complain of rows and groups of causes that packs name and that are none."""
        for pack in self.chain.packs:
            if pack.rows is not None and pack.rows_source is not None:
                self.chain.faults += [pack.rows_source.fault(*one) for one in self.names.unknown_in(pack.rows)]
        for entry in self.entries.values():
            self.chain.faults += [entry.written.source.fault(*one) for one in self.names.unknown_to(entry.rule)]

    def _set(self, profile: ProfileFile) -> None:
        """Change rules as a profile says under `set`."""
        for name, value in profile.settings.set_.items():
            entry = self._known(profile, ("set", name), name)
            if entry is None:
                continue
            if isinstance(value, dict):
                self._change(profile, ("set", name), entry, value)
            else:
                entry.on = value not in _OFF

    def _known(self, profile: ProfileFile, place: Place, name: str) -> Entry | None:
        """Return the rule that a profile names; a fault where there is none, a warning where it is deprecated."""
        if name not in self.ids:
            self._fault(profile, place, f"there is no rule {name!r} in {self._packs()}{nearest(name, self.ids)}")
        self._deprecated(profile, place, name)
        return self.entries.get(name)

    def _change(self, profile: ProfileFile, place: Place, entry: Entry, patch: Mapping[str, Any]) -> None:
        made = patched(entry.data, patch, profile.source, place, PARTIAL)
        if isinstance(made, list):
            self.chain.faults += made
            return
        rule, data = made
        if self.knows_rows:
            wrong = [((*place, *path), what) for path, what in self.names.unknown_to(rule) if path[0] in patch]
            self.chain.faults += [profile.source.fault(*one) for one in wrong]
        entry.change(rule, data, profile.name)

    def _selected(self) -> dict[str, Entry]:
        """Return the rules that are in force."""
        for profile in self.chain.profiles:
            for key, prefixes in (("select", profile.settings.select), ("ignore", profile.settings.ignore)):
                self._prefixes(profile, (key,), prefixes, "error" if key == "select" else "warning")
        wanted = tuple(one for profile in self.chain.profiles for one in profile.settings.select)
        unwanted = tuple(one for profile in self.chain.profiles for one in profile.settings.ignore)
        chosen = {
            name: entry
            for name, entry in self.entries.items()
            if entry.on and name.startswith(wanted or ("",)) and not name.startswith(unwanted)
        }
        sound = all(fault.level == "warning" for fault in self.chain.faults)
        if not chosen and self.chain.profiles and sound:
            self.chain.faults.append(self.chain.profiles[-1].source.fault((), "leaves no rule in force"))
        return chosen

    def _prefixes(self, profile: ProfileFile, place: Place, prefixes: Sequence[str], level: Level) -> None:
        """Complain of beginnings of ids with which no id begins."""
        for number, prefix in enumerate(prefixes):
            self._prefix(profile, (*place, number), prefix, level)

    def _prefix(self, profile: ProfileFile, place: Place, prefix: str, level: Level) -> None:
        if not any(name.startswith(prefix) for name in self.ids):
            legal = self.ids | {name.rstrip("0123456789") for name in self.ids}
            what = f"no rule in {self._packs()} has an id that begins with {prefix!r}{nearest(prefix, legal)}"
            self._fault(profile, place, what, level)
        elif place[0] != "ignore":
            self._deprecated(profile, place, prefix)

    def _overrides(self, profile: ProfileFile, chosen: Mapping[str, Entry]) -> list[Override]:
        found = []
        for number, one in enumerate(profile.settings.overrides):
            for name, value in one.set_.items():
                place: Place = ("overrides", number, "set", name)
                entry = self._known(profile, place, name)
                if entry is None:
                    continue
                rule = None if value in _OFF else entry.rule
                if isinstance(value, dict):
                    made = patched(entry.data, value, profile.source, place, BY_SITE)
                    if isinstance(made, list):
                        self.chain.faults += made
                        continue
                    rule = made[0]
                if name in chosen:
                    found.append(Override(one.match, name, rule, profile.name))
                else:
                    self._fault(profile, place, f"{name} is not in force, so nothing differs here", "warning")
        return found

    def _suppressions(self, profile: ProfileFile) -> list[Suppression]:
        found = []
        for number, one in enumerate(profile.settings.suppress):
            self._prefix(profile, ("suppress", number, "rule"), one.rule, "warning")
            if one.expires is not None and one.expires < self.today:
                what = f"the suppression of {one.rule} expired on {one.expires}"
                self._fault(profile, ("suppress", number, "expires"), what, "warning")
            found.append(Suppression(one.rule, one.reason, one.match, one.expires, profile.name))
        return found

    def _gate(self, profile: ProfileFile) -> Gate:
        gate = profile.settings.gate
        if gate is None:
            return Gate()
        self._prefixes(profile, ("gate", "ignore"), gate.ignore, "warning")
        legal = [*self.ids, *self.names.rows]
        for number, name in enumerate(gate.require):
            if name not in legal and (self.knows_rows or "." not in name):
                what = f"{name!r} is neither a row of the checklist nor a rule{nearest(name, legal)}"
                self._fault(profile, ("gate", "require", number), what)
        return Gate(gate.fail_on, tuple(gate.ignore), tuple(gate.require))

    def _deprecated(self, profile: ProfileFile, place: Place, name: str) -> None:
        advice = self.entries[name].rule.deprecated if name in self.entries else None
        if advice:
            self._fault(profile, place, f"{name} is deprecated: {advice}", "warning")

    def _packs(self) -> str:
        return ", ".join(pack.name for pack in self.chain.packs) or "no pack at all"

    def _fault(self, profile: ProfileFile, place: Place, what: str, level: Level = "error") -> None:
        """Add a fault, unless it may be a consequence of a pack that was not found."""
        if self.chain.whole:
            self.chain.faults.append(profile.source.fault(place, what, level))


def _baseline(profile: ProfileFile) -> Path | None:
    name = profile.settings.baseline
    return None if name is None else profile.folder.absolute() / name  # a script may leave the folder it starts in
