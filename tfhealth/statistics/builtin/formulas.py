"""{sum: float64[n]} -> float64[n]: formulas that several statistics share, ranges of values, kinds that go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfhealth.series import Floats

__all__ = [
    *("ANY", "INPUT", "LABEL", "POSITIVE", "PREDICTION", "SHARE", "Finish"),
    *("centered_std", "mean", "norm", "over", "rms", "same", "std"),
]

ANY = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)
SHARE = (0.0, 1.0)

INPUT = ("input", "validation_input")
LABEL = ("label", "validation_label")
PREDICTION = ("prediction", "validation_prediction")

Finish = Callable[[Mapping[str, Floats]], Floats]


def same(name: str) -> Finish:
    """Return the formula of a statistic that is a sum itself."""
    return lambda s: s[name]


def over(part: str, whole: str) -> Finish:
    """Return the formula part / whole; 0 where there is nothing to have a part of."""
    return lambda s: s[part] / np.maximum(s[whole], 1)


mean = over("sum", "count")


def std(s: Mapping[str, Floats]) -> Floats:
    """Return √(Σx²/n − mean²)."""
    variance = s["square_sum"] / np.maximum(s["count"], 1) - mean(s) ** 2
    root: Floats = np.sqrt(np.where(variance < 0, 0.0, variance))  # rounding can make it negative; NaN stays NaN
    return root


def centered_std(s: Mapping[str, Floats]) -> Floats:
    """Return √(Σ(x − mean)²/n), which keeps its digits where the mean is far from 0."""
    return np.sqrt(s["centered_square_sum"] / np.maximum(s["count"], 1))


def norm(s: Mapping[str, Floats]) -> Floats:
    """Return √Σx²."""
    return np.sqrt(s["square_sum"])


def rms(s: Mapping[str, Floats]) -> Floats:
    """Return √(Σx²/n)."""
    return np.sqrt(s["square_sum"] / np.maximum(s["count"], 1))
