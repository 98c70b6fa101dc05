"""Statistics of variables: their values, gradients and updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfhealth.series import Floats
from tfhealth.statistics.builtin.formulas import ANY, POSITIVE, norm, rms, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["STATISTICS", "SUMS"]

_ALL = ("gradient", "weight", "update")


def _maximum_absolute(s: Mapping[str, Floats]) -> Floats:
    return np.maximum(np.abs(s["maximum"]), np.abs(s["minimum"]))


def _kurtosis(s: Mapping[str, Floats]) -> Floats:
    return np.maximum(s["unit_fourth_sum"] * s["count"] / 4 - 3, -2)  # rounding can take it below its bound


def _skew(s: Mapping[str, Floats]) -> Floats:
    return np.asarray(s["unit_cube_sum"] * np.sqrt(s["count"] / 8))


def _std_over_expected(s: Mapping[str, Floats]) -> Floats:
    return np.sqrt(s["first_centered_square_sum"] / s["count"]) / s["expected_std"]


def _std_over_fan(s: Mapping[str, Floats]) -> Floats:
    spread = np.sqrt(s["first_centered_square_sum"] / s["count"])
    ratio: Floats = spread / np.clip(spread, s["smallest_fan_std"], s["largest_fan_std"])
    return np.where(spread > 0, ratio, np.nan)


def _off_center(s: Mapping[str, Floats]) -> Floats:
    spread = np.sqrt(s["first_centered_square_sum"] / s["count"])
    errors = np.abs(s["first_sum"] / s["count"]) / np.where(spread > 0, spread, np.nan) - 4 / np.sqrt(s["count"])
    return np.asarray(np.maximum(errors, 0.0))


def _gain(s: Mapping[str, Floats]) -> Floats:
    return np.sqrt(s["fan_in"] * s["square_sum"] / s["count"])


def _root(name: str) -> Callable[[Mapping[str, Floats]], Floats]:
    return lambda s: np.sqrt(s[name])


# Variables are the same on every replica, so these need no combining; "mean" is the identity there.
SUMS = (
    Sum("unit_cube_sum", "mean"),
    Sum("unit_fourth_sum", "mean"),
    Sum("clipped_square_sum", "mean"),
    Sum("regularization_square_sum", "mean"),
    Sum("data_square_sum", "mean"),
    Sum("expected_std", "mean"),
    Sum("fan_in", "mean"),
    Sum("smallest_fan_std", "mean"),
    Sum("largest_fan_std", "mean"),
    Sum("first_sum", "mean", first_only=True),
    Sum("first_centered_square_sum", "mean", first_only=True),
    Sum("first_minimum", "min", first_only=True),
    Sum("first_maximum", "max", first_only=True),
    Sum("unit_difference", "max", first_only=True),
)

STATISTICS = (
    Statistic("norm", _ALL, ("square_sum",), norm, "", "√Σx²", POSITIVE, seldom=("weight", "update")),
    Statistic("rms", _ALL, ("square_sum", "count"), rms, "", "√(Σx²/n)", POSITIVE, seldom=("weight", "update")),
    Statistic(
        "maximum_absolute",
        _ALL,
        ("minimum", "maximum"),
        _maximum_absolute,
        "",
        "max(max x, −min x)",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "skew",
        ("weight", "update"),
        ("unit_cube_sum", "count"),
        _skew,
        "",
        "Σz³ / n with z = (x − mean) / std; 0 for a symmetric spread, NaN where all x are equal",
        ANY,
        seldom=("weight", "update"),
    ),
    Statistic(
        "kurtosis",
        ("weight", "update"),
        ("unit_fourth_sum", "count"),
        _kurtosis,
        "",
        "Σz⁴ / n − 3 with z = (x − mean) / std; 0 for a normal distribution, NaN where all x are equal",
        (-2.0, np.inf),
        seldom=("weight", "update"),
    ),
    Statistic(
        "std_over_expected",
        ("weight",),
        ("first_centered_square_sum", "expected_std", "count"),
        _std_over_expected,
        "",
        "std before the first update over the one that the variable's initializer draws with",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "std_over_fan",
        ("weight",),
        ("first_centered_square_sum", "smallest_fan_std", "largest_fan_std", "count"),
        _std_over_fan,
        "",
        "std before the first update over the nearest one that Glorot's, LeCun's and He's formulas allow: 1 from the "
        "smallest to the largest of √(2/(fan_in + fan_out)), √(1/fan_in) and √(2/fan_in); NaN for equal weights",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "off_center",
        ("weight",),
        ("first_sum", "first_centered_square_sum", "count"),
        _off_center,
        "",
        "max(size of mean / std − 4 / √n, 0) before the first update: how far off 0 the weights are in units of their "
        "spread, less four standard errors; NaN for equal weights",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "gain",
        ("weight",),
        ("square_sum", "fan_in", "count"),
        _gain,
        "",
        "√(fan_in · Σw²/n): how a kernel scales inputs that are not correlated; 1 keeps their spread",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "spread",
        ("weight",),
        ("first_minimum", "first_maximum"),
        lambda s: s["first_maximum"] - s["first_minimum"],
        "",
        "max w − min w before the first update",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "unit_difference",
        ("weight",),
        ("unit_difference",),
        same("unit_difference"),
        "",
        "largest difference between the weights of any unit and those of the first, before the first update",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "clipped_norm",
        ("gradient",),
        ("clipped_square_sum",),
        _root("clipped_square_sum"),
        "",
        "norm after the optimizer's clipnorm, global_clipnorm or clipvalue",
        POSITIVE,
    ),
    Statistic(
        "regularization_norm",
        ("gradient",),
        ("regularization_square_sum",),
        _root("regularization_square_sum"),
        "",
        "norm of the gradient of the variable's own regularizer",
        POSITIVE,
        seldom=("gradient",),
    ),
    Statistic(
        "data_norm",
        ("gradient",),
        ("data_square_sum",),
        _root("data_square_sum"),
        "",
        "norm of the gradient without that of the variable's own regularizer",
        POSITIVE,
        seldom=("gradient",),
    ),
)
