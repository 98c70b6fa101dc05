"""The built-in statistics: every one once, as the sums it needs on the device and the formula that finishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfhealth.series import Floats
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["DEAD_WINDOW", "STATISTICS", "SUMS"]

DEAD_WINDOW = 512
"""Samples seen by probes over which a unit must never have been active to be called dead."""

_TINY = 1e-30
_ANY = (-np.inf, np.inf)
_POSITIVE = (0.0, np.inf)
_SHARE = (0.0, 1.0)


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
    Statistic("mean", ("input", "activation", "weight"), ("sum", "count"), _mean, "", "Σx / n", _ANY),
    Statistic("std", ("activation", "weight"), ("sum", "square_sum", "count"), _std, "", "√(Σx²/n − mean²)", _POSITIVE),
    Statistic("std", ("input",), ("centered_square_sum", "count"), _centered_std, "", "√(Σ(x − mean)² / n)", _POSITIVE),
    Statistic("minimum", ("input", "label", "prediction"), ("minimum",), _same("minimum"), "", "min x", _ANY),
    Statistic("maximum", ("input", "label", "prediction"), ("maximum",), _same("maximum"), "", "max x", _ANY),
    Statistic("norm", ("gradient", "weight", "update"), ("square_sum",), _norm, "", "√Σx²", _POSITIVE),
    Statistic("rms", ("gradient", "weight", "update"), ("square_sum", "count"), _rms, "", "√(Σx²/n)", _POSITIVE),
    Statistic(
        "nonfinite",
        ("activation", "gradient", "weight"),
        ("square_sum",),
        _nonfinite,
        "",
        "1 where Σx² is NaN or Inf, else 0",
        _SHARE,
    ),
    Statistic(
        "nonfinite_fraction",
        ("input", "label"),
        ("nonfinite_count", "count"),
        _share("nonfinite_count", "count"),
        "share",
        "share of elements that are NaN or Inf",
        _SHARE,
    ),
    Statistic(
        "saturated_fraction",
        ("activation",),
        ("saturated_count", "count"),
        _share("saturated_count", "count"),
        "share",
        "share of outputs where the activation's derivative is below 5 % of its maximum",
        _SHARE,
    ),
    Statistic(
        "dead_fraction",
        ("activation",),
        ("dead_count", "units"),
        _share("dead_count", "units"),
        "share",
        f"share of units not active once in the last {DEAD_WINDOW} probed samples; NaN before so many were seen",
        _SHARE,
    ),
    Statistic(
        "spread",
        ("weight",),
        ("first_minimum", "first_maximum"),
        lambda s: s["first_maximum"] - s["first_minimum"],
        "",
        "max w − min w before the first update",
        _POSITIVE,
    ),
    Statistic(
        "unit_difference",
        ("weight",),
        ("unit_difference",),
        _same("unit_difference"),
        "",
        "largest difference between the weights of any unit and those of the first, before the first update",
        _POSITIVE,
    ),
    Statistic(
        "feature_scale",
        ("input",),
        ("largest_feature_std", "smallest_feature_std"),
        _feature_scale,
        "",
        "largest over smallest std among features that vary within the batch",
        _POSITIVE,
    ),
    Statistic(
        "imbalance",
        ("label",),
        ("largest_class", "smallest_class"),
        _imbalance,
        "",
        "largest class count so far over the upper 95 % limit of the smallest, k + 2√k + 3",
        _POSITIVE,
    ),
    Statistic(
        "nonfinite",
        ("loss",),
        ("total",),
        lambda s: np.where(np.isfinite(s["total"]), 0.0, 1.0),
        "",
        "1 where the batch's loss is NaN or Inf, else 0",
        _SHARE,
    ),
    Statistic("total", ("loss",), ("total",), _same("total"), "", "the batch's whole loss", _ANY),
    Statistic("data", ("loss",), ("data",), _same("data"), "", "the compiled loss alone", _ANY),
    Statistic(
        "regularization",
        ("loss",),
        ("regularization",),
        _same("regularization"),
        "",
        "weight and activity regularizers and add_loss: total − data",
        _ANY,
    ),
    Statistic(
        "chance",
        ("loss",),
        ("chance",),
        _same("chance"),
        "nat",
        "cross-entropy of a uniform guess, ln C, and ln 2 for a binary output",
        _POSITIVE,
    ),
    Statistic("value", ("log",), (), _same("value"), "", "the value that Keras logged at the end of the epoch", _ANY),
)
