"""A folder, a pack's name, a profile -> the Checklist in force, or every fault in every file at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from tfhealth.errors import Fault, RuleError, UsageError
from tfhealth.rules import profile as profiles
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.extends import Chain, follow
from tfhealth.rules.installed import open_pack
from tfhealth.rules.pack import Pack, built_in
from tfhealth.rules.profile import ProfileFile
from tfhealth.rules.resolve import resolve

__all__ = ["Opened", "load_checklist", "open_rules", "sent"]

Named = str | os.PathLike[str]


@dataclass(frozen=True)
class Opened:
    """A checklist, and the files it is made of.

    Attributes:
        checklist: may be used where there are no errors.
        packs: in the order in which they were named.
        profiles: an extended one before the one that extends it.
        faults: everything that is wrong or odd in any file.
    """

    checklist: Checklist
    packs: tuple[Pack, ...]
    profiles: tuple[ProfileFile, ...]
    faults: tuple[Fault, ...]

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults with which the checklist may not be used."""
        return tuple(fault for fault in self.faults if fault.level == "error")


def load_checklist(rules: Named | None = None, profile: Named | Mapping[str, Any] | None = None) -> Checklist:
    """Return the rows and rules in force.

    Without arguments these are the built-in ones, as changed by the nearest pyproject.toml at or above the working
    directory that has a table `[tool.tfhealth]`, if there is one.

    Args:
        rules: a folder of rule files, a pack's folder or the name of an installed pack, instead of the built-in rules.
        profile: a YAML file, a pyproject.toml, or what would be in it as a mapping.

    Raises:
        UsageError: `rules` is neither a folder with rules nor an installed pack, or `profile` is no file.
        RuleError: every fault in every file.

    Example:
        >>> from tfhealth import load_checklist
        >>> checklist = load_checklist(profile={"select": ["ACT"], "set": {"ACT002": "off"}})
        >>> "ACT002" in [rule.id for rule in checklist.rules]
        False
    """
    opened = open_rules(rules, profile)
    if opened.errors:
        raise RuleError(opened.errors)
    return opened.checklist


def open_rules(
    rules: Named | None = None, profile: Named | Mapping[str, Any] | None = None, today: date | None = None
) -> Opened:
    """Return what is in force, sound or not, with the files it is made of and what is odd in them.

    Args:
        rules: as for `load_checklist`.
        profile: as for `load_checklist`.
        today: the day by which suppressions expire; None: the day it is.

    Raises:
        UsageError: as `load_checklist` does.
    """
    if rules is None and profile is None:
        profile = profiles.discover(Path.cwd())
        if profile is None:
            return Opened(_built_in(), (built_in(),), (), ())
    chain = Chain([])
    if rules is not None:
        chain.base = open_pack(os.fspath(rules), chain.faults)
    if profile is None:
        chain.add(chain.base)
    else:
        _follow(profile, chain)
    checklist = resolve(chain, today or date.today())
    faults = dict.fromkeys(chain.faults)  # a pack that two profiles name is read twice
    return Opened(checklist, tuple(chain.packs), tuple(chain.profiles), tuple(faults))


def sent(text: str) -> Checklist:
    """Return what is in force by a profile that somebody sent as YAML.

    Args:
        text: the profile, which may name installed packs and no files; empty: the built-in rules as they are.

    Raises:
        RuleError: every fault in it.
    """
    if not text.strip():
        return _built_in()
    chain = Chain([])
    found = profiles.from_text(text, chain.faults)
    if found is not None and not chain.faults:
        follow(found, chain)
    checklist = resolve(chain, date.today())
    errors = [fault for fault in dict.fromkeys(chain.faults) if fault.level == "error"]
    if errors:
        raise RuleError(errors)
    return checklist


def _follow(profile: Named | Mapping[str, Any], chain: Chain) -> None:
    """Add a profile, and what it extends, to the chain."""
    if isinstance(profile, Mapping):
        found = profiles.from_mapping(profile, chain.faults)
        path = None
    else:
        path = Path(profile)
        if not path.is_file():
            raise UsageError(f"{path}: no such profile.")
        found = profiles.read_profile(_near(path), chain.faults)
    if found is None:
        chain.add(chain.base)
    else:
        follow(found, chain, path)


def _near(path: Path) -> Path:
    """Return a path as a person would write it who is in the working directory or in a folder near it."""
    here = Path.cwd()
    near = path.is_absolute() and (path.is_relative_to(here) or here.is_relative_to(path.parent))
    return Path(os.path.relpath(path)) if near else path


@cache
def _built_in() -> Checklist:
    chain = Chain([])
    chain.add(chain.base)
    checklist = resolve(chain, date.today())
    assert not chain.faults, chain.faults  # the wheel has what its tests have seen
    return checklist
