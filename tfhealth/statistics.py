"""Tensor -> numbers: every statistic once, as the sums it needs on the device and the formula that finishes it.

A statistic names the `sums` that the probed step computes (`tfhealth.capture.reductions` knows how) and a NumPy
`finish` that turns them into the recorded value. Only sums, minima and maxima cross the seam, so they combine over
replicas before they are finished, and this file needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tfhealth.series import Floats

__all__ = ["DEAD_WINDOW", "STATISTICS", "SUMS", "Statistic", "Sum", "find", "statistic_names"]

DEAD_WINDOW = 512
"""Samples seen by probes over which a unit must never have been active to be called dead."""

_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Sum:
    """A scalar that the probed step computes: how it combines over replicas, and whether only at the first step."""

    name: str
    combine: str = "sum"
    first_only: bool = False


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
    """

    name: str
    kinds: tuple[str, ...]
    sums: tuple[str, ...]
    finish: Callable[[Mapping[str, Floats]], Floats]
    unit: str
    doc: str


def _mean(s: Mapping[str, Floats]) -> Floats:
    return s["sum"] / np.maximum(s["count"], 1)


def _std(s: Mapping[str, Floats]) -> Floats:
    mean = s["sum"] / np.maximum(s["count"], 1)
    variance = s["square_sum"] / np.maximum(s["count"], 1) - mean**2
    std: Floats = np.sqrt(np.where(variance < 0, 0.0, variance))  # rounding can make it negative; NaN stays NaN
    return std


def _centered_std(s: Mapping[str, Floats]) -> Floats:
    return np.sqrt(s["centered_square_sum"] / np.maximum(s["count"], 1))


def _norm(s: Mapping[str, Floats]) -> Floats:
    return np.sqrt(s["square_sum"])


def _rms(s: Mapping[str, Floats]) -> Floats:
    return np.sqrt(s["square_sum"] / np.maximum(s["count"], 1))


def _nonfinite(s: Mapping[str, Floats]) -> Floats:
    return np.where(np.isfinite(s["square_sum"]), 0.0, 1.0)


def _share(part: str, whole: str) -> Callable[[Mapping[str, Floats]], Floats]:
    return lambda s: s[part] / np.maximum(s[whole], 1)


def _same(name: str) -> Callable[[Mapping[str, Floats]], Floats]:
    return lambda s: s[name]


def _imbalance(s: Mapping[str, Floats]) -> Floats:
    """Return largest count over the upper 95 % Poisson limit of the smallest: small samples do not cry imbalance."""
    smallest = s["smallest_class"]
    return np.asarray(s["largest_class"] / (smallest + 2 * np.sqrt(smallest) + 3))


def _feature_scale(s: Mapping[str, Floats]) -> Floats:
    return s["largest_feature_std"] / np.maximum(s["smallest_feature_std"], _TINY)


SUMS: dict[str, Sum] = {
    one.name: one
    for one in (
        Sum("count"),
        Sum("sum"),
        Sum("square_sum"),
        Sum("centered_square_sum"),
        Sum("minimum", "min"),
        Sum("maximum", "max"),
        Sum("nonfinite_count"),
        Sum("saturated_count"),
        Sum("dead_count", "max"),
        Sum("units", "max"),
        Sum("first_minimum", "min", first_only=True),
        Sum("first_maximum", "max", first_only=True),
        Sum("unit_difference", "max", first_only=True),
        Sum("largest_feature_std", "max"),
        Sum("smallest_feature_std", "min"),
        Sum("largest_class"),
        Sum("smallest_class"),
        Sum("total", "mean"),
        Sum("data", "mean"),
        Sum("regularization", "mean"),
        Sum("chance", "mean"),
    )
}

STATISTICS: tuple[Statistic, ...] = (
    Statistic("mean", ("input", "activation", "weight"), ("sum", "count"), _mean, "", "Σx / n"),
    Statistic("std", ("activation", "weight"), ("sum", "square_sum", "count"), _std, "", "√(Σx²/n − mean²)"),
    Statistic("std", ("input",), ("centered_square_sum", "count"), _centered_std, "", "√(Σ(x − mean)² / n)"),
    Statistic("minimum", ("input", "label", "prediction"), ("minimum",), _same("minimum"), "", "min x"),
    Statistic("maximum", ("input", "label", "prediction"), ("maximum",), _same("maximum"), "", "max x"),
    Statistic("norm", ("gradient", "weight", "update"), ("square_sum",), _norm, "", "√Σx²"),
    Statistic("rms", ("gradient", "weight", "update"), ("square_sum", "count"), _rms, "", "√(Σx²/n)"),
    Statistic(
        "nonfinite",
        ("activation", "gradient", "weight"),
        ("square_sum",),
        _nonfinite,
        "",
        "1 where Σx² is NaN or Inf, else 0",
    ),
    Statistic(
        "nonfinite_fraction",
        ("input", "label"),
        ("nonfinite_count", "count"),
        _share("nonfinite_count", "count"),
        "share",
        "share of elements that are NaN or Inf",
    ),
    Statistic(
        "saturated_fraction",
        ("activation",),
        ("saturated_count", "count"),
        _share("saturated_count", "count"),
        "share",
        "share of outputs where the activation's derivative is below 5 % of its maximum",
    ),
    Statistic(
        "dead_fraction",
        ("activation",),
        ("dead_count", "units"),
        _share("dead_count", "units"),
        "share",
        f"share of units not active once in the last {DEAD_WINDOW} probed samples; NaN before so many were seen",
    ),
    Statistic(
        "spread",
        ("weight",),
        ("first_minimum", "first_maximum"),
        lambda s: s["first_maximum"] - s["first_minimum"],
        "",
        "max w − min w before the first update",
    ),
    Statistic(
        "unit_difference",
        ("weight",),
        ("unit_difference",),
        _same("unit_difference"),
        "",
        "largest difference between the weights of any unit and those of the first, before the first update",
    ),
    Statistic(
        "feature_scale",
        ("input",),
        ("largest_feature_std", "smallest_feature_std"),
        _feature_scale,
        "",
        "largest over smallest std among features that vary within the batch",
    ),
    Statistic(
        "imbalance",
        ("label",),
        ("largest_class", "smallest_class"),
        _imbalance,
        "",
        "largest class count so far over the upper 95 % limit of the smallest, k + 2√k + 3",
    ),
    Statistic(
        "nonfinite",
        ("loss",),
        ("total",),
        lambda s: np.where(np.isfinite(s["total"]), 0.0, 1.0),
        "",
        "1 where the batch's loss is NaN or Inf, else 0",
    ),
    Statistic("total", ("loss",), ("total",), _same("total"), "", "the batch's whole loss"),
    Statistic("data", ("loss",), ("data",), _same("data"), "", "the compiled loss alone"),
    Statistic(
        "regularization",
        ("loss",),
        ("regularization",),
        _same("regularization"),
        "",
        "weight and activity regularizers and add_loss: total − data",
    ),
    Statistic(
        "chance",
        ("loss",),
        ("chance",),
        _same("chance"),
        "nat",
        "cross-entropy of a uniform guess, ln C, and ln 2 for a binary output",
    ),
    Statistic("value", ("log",), (), _same("value"), "", "the value that Keras logged at the end of the epoch"),
)


def statistic_names(kind: str) -> tuple[str, ...]:
    """Return the names of the statistics that exist at sites of `kind`."""
    return tuple(one.name for one in STATISTICS if kind in one.kinds)


def find(kind: str, name: str) -> Statistic:
    """Return the statistic `name` at sites of `kind`; KeyError where there is none."""
    for one in STATISTICS:
        if one.name == name and kind in one.kinds:
            return one
    raise KeyError(f"{kind}.{name}")
