"""Statistics that most tensors have, and those of layer outputs alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfhealth.series import Floats
from tfhealth.statistics.builtin.formulas import (
    ANY,
    INPUT,
    LABEL,
    POSITIVE,
    PREDICTION,
    SHARE,
    centered_std,
    mean,
    over,
    same,
    std,
)
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["DEAD_WINDOW", "STATISTICS", "SUMS"]

DEAD_WINDOW = 512
"""Samples seen by probes over which a unit must never have been active to be called dead."""

_DATA = (*INPUT, *LABEL, *PREDICTION)


def _nonfinite(s: Mapping[str, Floats]) -> Floats:
    return np.where(np.isfinite(s["square_sum"]), 0.0, 1.0)


SUMS = (
    Sum("count"),
    Sum("sum"),
    Sum("square_sum"),
    Sum("centered_square_sum", "pooled"),
    Sum("minimum", "min"),
    Sum("maximum", "max"),
    Sum("zero_count"),
    Sum("nonfinite_count"),
    Sum("saturated_count"),
    Sum("dead_count", "max"),
    Sum("units", "max"),
)

STATISTICS = (
    Statistic(
        "mean",
        (*_DATA, "activation", "gradient", "weight"),
        ("sum", "count"),
        mean,
        "",
        "Σx / n",
        ANY,
        seldom=("input", "label", "weight"),
    ),
    Statistic(
        "std",
        ("activation", "gradient", "weight"),
        ("sum", "square_sum", "count"),
        std,
        "",
        "√(Σx²/n − mean²)",
        POSITIVE,
        seldom=("weight",),
    ),
    Statistic(
        "std",
        _DATA,
        ("centered_square_sum", "sum", "count"),
        centered_std,
        "",
        "√(Σ(x − mean)² / n)",
        POSITIVE,
        seldom=("input", "label"),
    ),
    *(
        Statistic(name, (*_DATA, "activation"), (name,), same(name), "", doc, ANY, seldom=("input", "label"))
        for name, doc in (("minimum", "min x"), ("maximum", "max x"))
    ),
    Statistic(
        "zero_fraction",
        (*INPUT, *LABEL, "activation", "gradient"),
        ("zero_count", "count"),
        over("zero_count", "count"),
        "share",
        "share of elements that are exactly 0",
        SHARE,
    ),
    Statistic(
        "nonfinite",
        ("activation", *PREDICTION, "gradient", "weight"),
        ("square_sum",),
        _nonfinite,
        "",
        "1 where Σx² is NaN or Inf, else 0",
        SHARE,
        seldom=("weight",),
    ),
    Statistic(
        "nonfinite_fraction",
        (*INPUT, *LABEL),
        ("nonfinite_count", "count"),
        over("nonfinite_count", "count"),
        "share",
        "share of elements that are NaN or Inf",
        SHARE,
    ),
    Statistic(
        "saturated_fraction",
        ("activation",),
        ("saturated_count", "count"),
        over("saturated_count", "count"),
        "share",
        "share of outputs where the activation's derivative is below 5 % of its maximum; "
        "of a softmax, share of rows whose largest output is above 0.987",
        SHARE,
    ),
    Statistic(
        "dead_fraction",
        ("activation",),
        ("dead_count", "units"),
        over("dead_count", "units"),
        "share",
        f"share of units not active once in the last {DEAD_WINDOW} probed samples; NaN before so many were seen",
        SHARE,
        seldom=("activation",),
    ),
)
