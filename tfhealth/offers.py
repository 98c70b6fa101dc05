"""An entry point group and a name -> what an installed package offers there; nothing else of the package is loaded."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

__all__ = ["NAME", "offered", "taken"]

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""What may be offered under: a name as rules write it."""

T = TypeVar("T")


def offered(group: str) -> tuple[EntryPoint, ...]:
    """Return what installed packages offer, by name; nothing of it is loaded.

    Raises:
        ValueError: some package's list of entry points is no such list.
    """
    try:
        return tuple(sorted(entry_points(group=group), key=lambda entry: entry.name))
    except (TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"the entry points of the installed packages cannot be read: {why}") from error


def taken(group: str, name: str, word: str, kind: type[T], made_by: str) -> tuple[T, str]:
    """Return the object that an installed package offers under `name`, and what to call it in a fault.

    Args:
        group: the entry point group.
        name: the entry point's name.
        word: what it is, e.g. statistic.
        kind: the class that it must be of.
        made_by: the decorator that makes one, for who offers something else.

    Raises:
        KeyError: no package does.
        ValueError: several do, or it cannot be imported, is of another class, or has a name that it cannot have.
    """
    found = [entry for entry in offered(group) if entry.name == name]
    if not found:
        raise KeyError(name)
    if len(found) > 1:
        packages = " and ".join(_package(entry) for entry in found)
        raise ValueError(f"{word} {name!r} is offered by {packages}; uninstall all but one")
    (entry,) = found
    where = f"{word} {name!r} of the package {_package(entry)}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: a name is at most 60 small letters, digits and _, a letter first")
    try:
        one = entry.load()
    except (Exception, SystemExit) as error:  # whatever goes wrong is the package's fault and says so
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{where} cannot be imported from {entry.value}: {why}") from error
    if not isinstance(one, kind):
        raise ValueError(f"{where}: {entry.value} is of type {type(one).__name__}, not made by {made_by}")
    return one, where


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "unknown"
