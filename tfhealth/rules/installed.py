"""The name of a pack, or a path -> its folder: what wheels declare, located without importing any of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from tfhealth.errors import Fault, RuleError, UsageError, nearest
from tfhealth.rules.checklist import BUILT_IN
from tfhealth.rules.pack import MANIFEST, Pack, built_in, read_pack

__all__ = ["GROUP", "Installed", "find_pack", "installed_packs", "open_installed", "open_pack"]

GROUP = "tfhealth.rulepacks"
_PACKAGE = re.compile(r"[A-Za-z_]\w*")  # a dotted name would import what stands before the dot


@dataclass(frozen=True)
class Installed:
    """A pack that a wheel declares.

    Attributes:
        name: name of the pack.
        package: the top-level import package whose folder holds it.
        wheel: name and version of what was installed.
    """

    name: str
    package: str
    wheel: str

    def folder(self) -> Path:
        """Return where its files are.

        Raises:
            UsageError: nowhere.
        """
        if not _PACKAGE.fullmatch(self.package):
            raise UsageError(f"its entry point must name a top-level package, not {self.package!r}")
        try:
            spec = find_spec(self.package)
        except (ImportError, ValueError) as error:
            raise UsageError(f"its package {self.package!r} cannot be found: {error}") from None
        folders = [Path(one) for one in spec.submodule_search_locations or ()] if spec else []
        found = next((folder for folder in folders if (folder / MANIFEST).is_file()), None)
        if found is None:
            raise UsageError(f"there is no file {MANIFEST} in a package {self.package!r}")
        return found


def installed_packs() -> tuple[Installed, ...]:
    """Return every pack that a wheel declares, by name; whether one is sound shows when it is opened."""
    found = [
        Installed(point.name, point.value, f"{point.dist.name} {point.dist.version}" if point.dist else "")
        for point in entry_points(group=GROUP)
    ]
    return tuple(sorted(found, key=lambda one: (one.name, one.wheel)))


def find_pack(name_or_path: Path | str) -> Pack:
    """Return a pack: the one in a folder, else the installed one with this name; `built-in` is tfhealth's own.

    Raises:
        UsageError: it is neither, or has no rule file.
        RuleError: every fault in every file of it.
    """
    faults: list[Fault] = []
    pack = open_pack(name_or_path, faults)
    if faults:
        raise RuleError(faults)
    return pack


def open_pack(name_or_path: Path | str, faults: list[Fault]) -> Pack:
    """Return what `find_pack` does, and add to `faults` what is wrong in its files.

    Raises:
        UsageError: there is no such pack.
    """
    name, folder = str(name_or_path), Path(name_or_path)
    if folder.is_dir():
        return read_pack(folder, faults)
    if folder.exists() or len(folder.parts) != 1:
        raise UsageError(f"{folder}: not a folder of rules.")
    return open_installed(name, faults, "neither a folder of rules nor an installed pack")


def open_installed(name: str, faults: list[Fault], otherwise: str = "no installed pack") -> Pack:
    """Return the installed pack `name`, and add to `faults` what is wrong in its files.

    Args:
        name: as its entry point has it.
        faults: is added to.
        otherwise: what `name` is where there is none of this name.

    Raises:
        UsageError: there is no such pack.
    """
    if name == BUILT_IN:
        return built_in()
    known = installed_packs()
    found = [one for one in known if one.name == name]
    if not found:
        legal = [BUILT_IN, *dict.fromkeys(one.name for one in known)]
        raise UsageError(f"{name!r} is {otherwise}; installed: {', '.join(legal)}{nearest(name, legal)}")
    if len(found) > 1:
        raise UsageError(f"the pack {name!r} is in several wheels: {', '.join(one.wheel for one in found)}")
    try:
        pack = read_pack(found[0].folder(), faults)
    except UsageError as error:
        raise UsageError(f"the installed pack {name!r} ({found[0].wheel}) cannot be used: {error}") from None
    if pack.manifest is not None and pack.name != name:
        raise UsageError(f"{found[0].wheel} declares a pack {name!r}, but its {MANIFEST} names it {pack.name!r}")
    return pack
