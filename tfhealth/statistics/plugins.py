"""Functions on tensors in installed packages -> statistics, each loaded when a rule first names it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from tfhealth.errors import nearest
from tfhealth.offers import taken
from tfhealth.series import KINDS
from tfhealth.statistics.builtin import STATISTICS
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["GROUP", "TENSORS", "load", "statistic"]

GROUP = "tfhealth.statistics"
"""The entry point group: the name is the statistic's, the value is `module:attribute`."""

_WITHOUT = ("optimizer", "log", "time", "memory", "experiment", "layer", "fact")
TENSORS = tuple(kind for kind in KINDS if kind not in _WITHOUT)
"""The kinds of site where there is a tensor to reduce."""

_COMBINE = ("sum", "mean", "min", "max")


def statistic(
    *kinds: str, doc: str, unit: str = "", legal: tuple[float, float] | None = None, combine: str = "mean"
) -> Callable[[Callable[[Any], Any]], Statistic]:
    """Make a statistic of a function that takes a tensor, float32 of any shape, to one number.

    The function is traced into the probed step. It imports TensorFlow inside of itself, so that judging a recorded
    run does not load it, and has no effect beside its value.

    Args:
        kinds: the kinds of site that it exists for.
        doc: its formula in one line.
        unit: what the number counts; empty for a pure number.
        legal: the range that its finite values can have, ends included; None where that is not known.
        combine: how values of several replicas become one: sum, mean, min or max.

    Raises:
        ValueError: an argument that cannot be meant.

    Example:
        >>> @statistic("weight", doc="share of elements below 1e-6 in size", unit="share", legal=(0.0, 1.0))
        ... def near_zero_fraction(tensor):
        ...     import tensorflow as tf
        ...
        ...     return tf.reduce_mean(tf.cast(tf.abs(tensor) < 1e-6, tf.float32))
    """
    for kind in kinds or ("",):
        if kind not in TENSORS:
            raise ValueError(f"kind of site {kind!r} has no tensor; legal: {', '.join(TENSORS)}{nearest(kind, KINDS)}")
    if combine not in _COMBINE:
        raise ValueError(f"combine must be one of {', '.join(_COMBINE)}, received {combine!r}")
    if legal is not None and not legal[0] < legal[1]:
        raise ValueError(f"legal is (low, high) with low below high, received {legal!r}")
    if not doc.strip():
        raise ValueError("doc is the formula in one line; it is empty")

    def made(function: Callable[[Any], Any]) -> Statistic:
        own = Sum(function.__name__, combine, reduce=function)
        finish = operator.itemgetter(own.name)
        return Statistic(function.__name__, kinds, (own.name,), finish, unit, doc.strip(), legal, own)

    return made


@cache
def load(name: str) -> Statistic:
    """Return the statistic that an installed package offers under `name`.

    Raises:
        KeyError: no package does.
        ValueError: several do, or what is there is no statistic, is broken, or has a name that it cannot have.
    """
    one, where = taken(GROUP, name, "statistic", Statistic, "tfhealth.statistics.statistic")
    if one.own is None:
        raise ValueError(f"{where} is one of tfhealth's own, not made by tfhealth.statistics.statistic")
    built_in = [kind for kind in one.kinds if any(built.name == name and kind in built.kinds for built in STATISTICS)]
    if built_in:
        raise ValueError(f"{where} has the name of a built-in one at {', '.join(built_in)} sites; it needs its own")
    return _named(one, name)


def _named(one: Statistic, name: str) -> Statistic:
    """Return a statistic under the name of its entry point; so its sum is told from every other at the same site."""
    assert one.own is not None
    own = replace(one.own, name=f"{GROUP}:{name}")
    return replace(one, name=name, sums=(own.name,), finish=operator.itemgetter(own.name), own=own)
