"""What a statistic is: sums that the probed step computes, and the formula that finishes them on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tfhealth.series import Floats

__all__ = ["Statistic", "Sum"]


@dataclass(frozen=True, slots=True)
class Sum:
    """A scalar that the probed step computes.

    Attributes:
        name: of a built-in one, the key of `tfhealth.capture.reductions.REDUCTIONS`.
        combine: how it combines over replicas: sum, mean, min, max, or pooled, which makes of sums about each
            replica's mean one about the mean of all.
        first_only: whether it is computed at the first step only.
        reduce: tensor float32 of any shape -> scalar; None for a built-in one, which capture knows by its name.
    """

    name: str
    combine: str = "sum"
    first_only: bool = False
    reduce: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic at sites of some kinds.

    Attributes:
        name: as rules write it, after the kind: `activation.std`.
        kinds: the kinds of site it exists for.
        sums: names of the `Sum`s it is made of.
        finish: {sum: float64[n]} -> float64[n].
        unit: what the number counts; empty for a pure number.
        doc: formula in one line.
        legal: the range that its finite values can have, ends included; None where that is not known.
        own: the one sum of a statistic from a package; None for a built-in one.
        seldom: the kinds of site at which it is not taken in every probed step: it changes slowly, or takes many
            operations.
    """

    name: str
    kinds: tuple[str, ...]
    sums: tuple[str, ...]
    finish: Callable[[Mapping[str, Floats]], Floats]
    unit: str
    doc: str
    legal: tuple[float, float] | None
    own: Sum | None = None
    seldom: tuple[str, ...] = ()
