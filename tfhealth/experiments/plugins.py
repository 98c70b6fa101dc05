"""Experiments in installed packages -> `Experiment`, each loaded when a rule or a person first asks for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tfhealth.errors import nearest
from tfhealth.experiments.builtin import EXPERIMENTS
from tfhealth.experiments.model import Experiment
from tfhealth.offers import offered, taken

__all__ = ["GROUP", "find", "load", "names", "quick", "yielding"]

GROUP = "tfhealth.experiments"
"""The entry point group: the name is the experiment's, the value is `module:attribute`."""


def names() -> tuple[str, ...]:
    """Return the names of all experiments: built-in ones, then those of installed packages, which are not loaded."""
    return tuple(dict.fromkeys([*(one.name for one in EXPERIMENTS), *(entry.name for entry in offered(GROUP))]))


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
    one, _ = taken(GROUP, name, "experiment", Experiment, "tfhealth.experiments.experiment")
    return replace(one, name=name)
