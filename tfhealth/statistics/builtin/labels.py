"""Statistics of labels: classes, their order over the batch, and how training and validation differ in them.

Classes are those of exclusive ones, where the loss tells how labels write them: as index, one-hot or binary. Sample
weights and masks are not regarded. Of several replicas each sees its part of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfhealth.series import Floats
from tfhealth.statistics.builtin.formulas import LABEL, POSITIVE, PREDICTION, SHARE, Finish, over, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["STATISTICS", "SUMS"]


def _imbalance(s: Mapping[str, Floats]) -> Floats:
    """Return largest count over the upper 95 % Poisson limit of the smallest: small samples do not cry imbalance."""
    smallest = s["smallest_class"]
    return np.asarray(s["largest_class"] / (smallest + 2 * np.sqrt(smallest) + 3))


def _class_mixing(s: Mapping[str, Floats]) -> Floats:
    expected = s["expected_classes"] - 1
    return np.where(expected > 1e-3, (s["classes_present"] - 1) / np.maximum(expected, 1e-3), np.nan)


def _of_known(part: str, whole: str, other: str) -> Finish:
    """Return the formula part / whole; NaN where either set of labels is empty."""
    return lambda s: np.where((s[whole] > 0) & (s[other] > 0), s[part] / np.maximum(s[whole], 1), np.nan)


def _class_order(s: Mapping[str, Floats]) -> Floats:
    by_chance = s["equal_pairs_by_chance"]
    return (s["equal_pairs"] - by_chance) / (s["pairs"] - by_chance)


SUMS = (
    Sum("integer_count"),
    Sum("row_sum_error", "max"),
    Sum("largest_class"),
    Sum("smallest_class"),
    Sum("labels_seen"),
    Sum("class_entropy", "mean"),
    Sum("classes_present", "max"),
    Sum("class_shift", "mean"),
    Sum("missing_classes", "min"),
    Sum("new_classes", "min"),
    Sum("missing_labels"),
    Sum("new_labels"),
    Sum("training_labels"),
    Sum("classes_seen", "max"),
    Sum("expected_classes", "max"),
    Sum("largest_class_weight"),
    Sum("smallest_class_weight"),
    Sum("pairs"),
    Sum("equal_pairs"),
    Sum("equal_pairs_by_chance"),
    Sum("autocorrelation", "mean"),
)

STATISTICS = (
    Statistic(
        "integer_fraction",
        LABEL,
        ("integer_count", "count"),
        over("integer_count", "count"),
        "share",
        "share of elements that are whole numbers",
        SHARE,
        seldom=("label",),
    ),
    Statistic(
        "imbalance",
        LABEL,
        ("largest_class", "smallest_class"),
        _imbalance,
        "",
        "largest class count so far over the upper 95 % limit of the smallest, k + 2√k + 3; of more than two classes "
        "only those seen",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "weighted_imbalance",
        LABEL,
        ("largest_class_weight", "smallest_class_weight"),
        lambda s: s["largest_class_weight"] / s["smallest_class_weight"],
        "",
        "largest over smallest sum of a class's sample weights so far, of the classes seen",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "classes_seen",
        LABEL,
        ("classes_seen",),
        same("classes_seen"),
        "classes",
        "how many classes probes saw so far",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "class_mixing",
        LABEL,
        ("classes_present", "expected_classes"),
        _class_mixing,
        "",
        "(k − 1) / (m − 1) with k the classes of the batch and m = Σ 1 − (1 − p)ⁿ what n labels drawn at random would "
        "have: about 1 for shuffled data, 0 for batches of one class, NaN while only one class was seen",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "majority_share",
        LABEL,
        ("largest_class", "labels_seen"),
        over("largest_class", "labels_seen"),
        "share",
        "share of the most frequent class among the labels that probes saw so far",
        SHARE,
        seldom=("label",),
    ),
    Statistic(
        "class_entropy",
        LABEL,
        ("class_entropy",),
        same("class_entropy"),
        "nat",
        "−Σ p ln p with p the share of each class so far: the loss of a model that knows nothing else",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "classes_present",
        LABEL,
        ("classes_present",),
        same("classes_present"),
        "classes",
        "how many classes the batch has",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "class_shift",
        LABEL,
        ("class_shift",),
        same("class_shift"),
        "",
        "χ² / degrees of freedom of the batch's class counts against those before it, when validating of all counts "
        "against those of training; about 1 for shuffled data, NaN at the first batch",
        POSITIVE,
        seldom=("label",),
    ),
    Statistic(
        "missing_classes",
        ("validation_label",),
        ("missing_classes",),
        same("missing_classes"),
        "classes",
        "how many classes training probes saw and probes of this validation did not",
        POSITIVE,
    ),
    Statistic(
        "new_classes",
        ("validation_label",),
        ("new_classes",),
        same("new_classes"),
        "classes",
        "how many classes probes of this validation saw and training probes did not",
        POSITIVE,
    ),
    Statistic(
        "missing_share",
        ("validation_label",),
        ("missing_labels", "training_labels", "labels_seen"),
        _of_known("missing_labels", "training_labels", "labels_seen"),
        "share",
        "share of the labels that training probes saw whose class probes of this validation did not see",
        SHARE,
    ),
    Statistic(
        "new_share",
        ("validation_label",),
        ("new_labels", "labels_seen", "training_labels"),
        _of_known("new_labels", "labels_seen", "training_labels"),
        "share",
        "share of the labels of this validation whose class training probes did not see",
        SHARE,
    ),
    Statistic(
        "class_order",
        LABEL,
        ("equal_pairs", "equal_pairs_by_chance", "pairs"),
        _class_order,
        "",
        "(a − c) / (1 − c) with a the share of neighbors in the batch that have the same class and c what shuffling "
        "would give: 0 for shuffled, near 1 for sorted labels, NaN for one class",
        (-np.inf, 1.0),
        seldom=("label",),
    ),
    Statistic(
        "autocorrelation",
        (*LABEL, "input"),
        ("autocorrelation",),
        same("autocorrelation"),
        "",
        "Σ cᵢcᵢ₊₁ / Σ cᵢ² over the batch with c = x − mean, of inputs, and of labels that are no classes; near 0 for "
        "shuffled data",
        (-1.0, 1.0),
        seldom=("label", "input"),
    ),
    Statistic(
        "row_sum_error",
        (*LABEL, *PREDICTION),
        ("row_sum_error",),
        same("row_sum_error"),
        "",
        "largest distance from 1 of the sum of a row of labels, one a unit, or of probabilities of exclusive classes",
        POSITIVE,
        seldom=("label",),
    ),
)
