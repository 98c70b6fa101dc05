"""Statistics of predictions: agreement with the labels, and collapse to one answer.

Classes are those of exclusive ones, where the loss tells how labels write them, and beside them every yes or no behind
a sigmoid. Sample weights and masks are not regarded. Of several replicas each sees its part of the batch.
"""

from __future__ import annotations

import numpy as np

from tfhealth.statistics.builtin.formulas import LABEL, POSITIVE, PREDICTION, SHARE, over, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["STATISTICS", "SUMS"]

SUMS = (
    Sum("batch_variance", "mean"),
    Sum("entropy", "mean"),
    Sum("guesses"),
    Sum("top_class_count"),
    Sum("correct_count"),
    Sum("squared_error"),
)

STATISTICS = (
    Statistic(
        "std_over_batch",
        (*PREDICTION, *LABEL),
        ("batch_variance",),
        lambda s: np.sqrt(s["batch_variance"]),
        "",
        "√ of the mean over units of the variance over the batch; 0 where every sample has the same values, NaN for "
        "a batch of one",
        POSITIVE,
        seldom=("label", "prediction"),
    ),
    Statistic(
        "entropy",
        PREDICTION,
        ("entropy",),
        same("entropy"),
        "nat",
        "mean of −Σ p ln p over the batch",
        POSITIVE,
    ),
    Statistic(
        "top_class_share",
        PREDICTION,
        ("top_class_count", "guesses"),
        over("top_class_count", "guesses"),
        "share",
        "share of the class that is the likeliest most often in the batch",
        SHARE,
    ),
    Statistic(
        "correct_share",
        PREDICTION,
        ("correct_count", "guesses"),
        over("correct_count", "guesses"),
        "share",
        "share of the batch whose likeliest class is the label; of other labels, where all are 0 or 1, share of the "
        "sigmoid outputs on the label's side of one half",
        SHARE,
    ),
    Statistic(
        "squared_error",
        PREDICTION,
        ("squared_error", "count"),
        over("squared_error", "count"),
        "",
        "Σ(x − y)² / n with y the labels, where these are no classes",
        POSITIVE,
    ),
)
