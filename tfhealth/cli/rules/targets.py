"""What a person names on the command line -> packs and profiles, and faults in them as paths from here."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from tfhealth.errors import Fault, UsageError
from tfhealth.rules.loader import Opened, open_rules
from tfhealth.rules.pack import MANIFEST, Pack

__all__ = ["Target", "add_options", "located", "opened", "target"]

_RULE_FILE = re.compile(r"[A-Z]{3,5}\d{3}\b.*\.ya?ml")


class Target(TypedDict):
    """The arguments of `load_checklist` and `open_rules`."""

    rules: str | Path | None
    profile: Path | None


def target(name: str) -> Target:
    """Return what `name` means: a folder of rules, a pack, the project of a pack, or a profile file.

    Raises:
        UsageError: it is a single rule file.
    """
    path = Path(name)
    if path.is_dir():
        return Target(rules=_pack_in(path), profile=None)
    if not path.is_file():
        return Target(rules=name, profile=None)
    if _RULE_FILE.fullmatch(path.name):
        raise UsageError(f"{path}: is one rule; name the folder that it is in, {path.parent}.")
    return Target(rules=None, profile=path)


def _pack_in(folder: Path) -> Path:
    """Return the one folder with a pack in the project `folder`; without such a one, the folder itself."""
    if (folder / MANIFEST).exists():
        return folder
    found = [path.parent for path in folder.glob(f"*/{MANIFEST}")]
    return found[0] if len(found) == 1 else folder


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what a command works on."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a folder of rules, a pack (its folder, or its name where it is installed) or a profile file "
        "(default: the profile in force, else the built-in rules)",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="a profile, beside what else is named")


def opened(arguments: argparse.Namespace) -> list[Opened]:
    """Return what the arguments of `add_options` name, sound or not, each by itself.

    Raises:
        UsageError: a path that leads nowhere.
    """
    found = [open_rules(**target(name)) for name in arguments.paths]
    if arguments.profile is not None or not found:
        found.append(open_rules(profile=arguments.profile))
    return found


def located(fault: Fault, packs: Iterable[Pack]) -> Fault:
    """Return a fault in a pack with the path of its file from here, so that terminals and CI find it."""
    for pack in packs:
        path = pack.folder.parent / fault.file
        if path.is_relative_to(pack.folder) and path.exists():
            return replace(fault, file=os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))
    return fault
