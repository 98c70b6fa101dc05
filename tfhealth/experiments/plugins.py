"""Experiments in installed packages -> `Experiment`, each loaded when a rule or a person first asks for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from tfhealth.errors import nearest
from tfhealth.experiments.builtin import EXPERIMENTS
from tfhealth.experiments.model import NAME, Experiment

__all__ = ["GROUP", "find", "load", "names", "offered", "quick", "yielding"]

GROUP = "tfhealth.experiments"
"""The entry point group: the name is the experiment's, the value is `module:attribute`."""


def offered() -> tuple[EntryPoint, ...]:
    """Return what installed packages offer, by name; nothing of it is loaded.

    Raises:
        ValueError: some package's list of entry points is no such list.
    """
    try:
        return tuple(sorted(entry_points(group=GROUP), key=lambda entry: entry.name))
    except (TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"the entry points of the installed packages cannot be read: {why}") from error


def names() -> tuple[str, ...]:
    """Return the names of all experiments: built-in ones, then those of installed packages, which are not loaded."""
    return tuple(dict.fromkeys([*(one.name for one in EXPERIMENTS), *(entry.name for entry in offered())]))


def find(name: str) -> Experiment:
    """Return the experiment `name`.

    Raises:
        ValueError: there is none, or the package's one cannot be used; the text says what is legal, or who is to blame.
    """
    try:
        return load(name)
    except KeyError:
        legal = names()
        raise ValueError(
            f"experiment {name!r} does not exist; legal: {', '.join(legal)}{nearest(name, legal)}"
        ) from None


def quick(name: str) -> bool:
    """Whether the experiment `name` is part of a quick preflight; of one that cannot be loaded it is not known: yes."""
    try:
        return find(name).quick
    except ValueError:
        return True


def yielding(statistic: str | None = None) -> tuple[Experiment, ...]:
    """Return the experiments that yield `statistic`, by default all; those of packages that are broken are left out.

    No package is imported for a statistic that a built-in one yields.
    """
    found = [one for one in EXPERIMENTS if statistic in one.statistics]
    if found:
        return tuple(found)
    for name in names():
        try:
            one = load(name)
        except ValueError:  # whoever asks for it by its name is told
            continue
        if statistic is None or statistic in one.statistics:
            found.append(one)
    return tuple(found)


@cache
def load(name: str) -> Experiment:
    """Return the experiment `name`: a built-in one, else what an installed package offers.

    Raises:
        KeyError: there is none.
        ValueError: several packages offer it, or it is none, is broken, or has a name that it cannot have.
    """
    for one in EXPERIMENTS:  # first of all: no package can take a built-in one away
        if one.name == name:
            return one
    found = [entry for entry in offered() if entry.name == name]
    if not found:
        raise KeyError(name)
    if len(found) > 1:
        packages = " and ".join(_package(entry) for entry in found)
        raise ValueError(f"experiment {name!r} is offered by {packages}; uninstall all but one")
    where = f"experiment {name!r} of the package {_package(found[0])}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: a name is at most 60 small letters, digits and _, a letter first")
    return replace(_attribute(found[0], where), name=name)


def _attribute(entry: EntryPoint, where: str) -> Experiment:
    """Import what an entry point names; whatever goes wrong is the package's fault and says so."""
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{where} cannot be imported from {entry.value}: {why}") from error
    if not isinstance(found, Experiment):
        kind = type(found).__name__
        raise ValueError(f"{where}: {entry.value} is of type {kind}, not made by tfhealth.experiments.experiment")
    return found


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "unknown"
