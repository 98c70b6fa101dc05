"""Statistics of what reaches the first layer: features, repeats of a batch, and duplicates within it.

A feature is one position of a sample: its std and mean run over the batch. Of several replicas each sees its part of
the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfhealth.series import Floats
from tfhealth.statistics.builtin.formulas import INPUT, LABEL, POSITIVE, SHARE, over, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["MEMORY", "STATISTICS", "SUMS"]

MEMORY = 1 << 14
"""How many of the samples that training probes see are remembered."""

_TINY = 1e-30
_HASHES = 1 << 24  # float32 holds every integer below


def _feature_scale(s: Mapping[str, Floats]) -> Floats:
    return s["largest_feature_std"] / np.maximum(s["smallest_feature_std"], _TINY)


def _constant_fraction(s: Mapping[str, Floats]) -> Floats:
    share = s["constant_features"] / np.maximum(s["features"], 1)
    return np.where(s["samples"] > 1, share, np.nan)


def _sample_bits(s: Mapping[str, Floats]) -> Floats:
    """Return −d · log₂ e with e the share of equal elements, one of them where there is none."""
    pairs = s["count"] - s["features"]
    share = np.maximum(s["equal_neighbors"], 1) / np.maximum(pairs, 1)
    return np.where(pairs > 0, -s["features"] * np.log2(np.minimum(share, 1.0)), np.nan)


def _hash(name: str) -> Callable[[Mapping[str, Floats]], Floats]:
    return lambda s: s[name] % _HASHES


SUMS = (
    Sum("samples"),
    Sum("features", "max"),
    Sum("constant_features", "min"),
    Sum("largest_feature_std", "max"),
    Sum("smallest_feature_std", "min"),
    Sum("feature_offset", "max"),
    Sum("sample_scale", "max"),
    Sum("altered"),
    Sum("fingerprint"),
    Sum("ordered_fingerprint"),
    Sum("duplicate_count"),
    Sum("trailing_zeros"),
    Sum("equal_neighbors"),
    Sum("placeholder_share", "max"),
    Sum("target_correlation", "max"),
    Sum("answer_count"),
    Sum("seen_samples"),
)

STATISTICS = (
    Statistic(
        "samples",
        (*INPUT, *LABEL),
        ("samples",),
        same("samples"),
        "samples",
        "how many samples the batch has; when validating, those of all batches that were probed",
        POSITIVE,
    ),
    Statistic(
        "altered_fraction",
        INPUT,
        ("altered", "count"),
        over("altered", "count"),
        "share",
        "share of elements that casting to the dtype of the layer changed by more than 1 %",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "sample_scale",
        INPUT,
        ("sample_scale",),
        same("sample_scale"),
        "",
        "90th over 10th percentile of the largest size within each sample; NaN for fewer than ten samples",
        POSITIVE,
        seldom=("input",),
    ),
    Statistic(
        "largest_feature_std",
        INPUT,
        ("largest_feature_std", "samples"),
        lambda s: np.where(s["samples"] > 1, s["largest_feature_std"], np.nan),
        "",
        "largest std of a feature over the batch; NaN for a batch of one",
        POSITIVE,
        seldom=("input",),
    ),
    Statistic(
        "feature_scale",
        INPUT,
        ("largest_feature_std", "smallest_feature_std"),
        _feature_scale,
        "",
        "largest over smallest std among features that vary within the batch",
        POSITIVE,
        seldom=("input",),
    ),
    Statistic(
        "feature_offset",
        INPUT,
        ("feature_offset",),
        same("feature_offset"),
        "",
        "largest mean, in size, over std among features that vary within the batch; NaN where none does",
        POSITIVE,
        seldom=("input",),
    ),
    Statistic(
        "constant_fraction",
        INPUT,
        ("constant_features", "features", "samples"),
        _constant_fraction,
        "share",
        "share of features that do not vary within the batch; NaN for a batch of one",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "fingerprint",
        INPUT,
        ("fingerprint",),
        _hash("fingerprint"),
        "",
        "24-bit hash of the batch's samples in any order; equal batches have equal ones",
        (0.0, _HASHES - 1.0),
        seldom=("input",),
    ),
    Statistic(
        "ordered_fingerprint",
        INPUT,
        ("ordered_fingerprint",),
        _hash("ordered_fingerprint"),
        "",
        "24-bit hash of the batch's samples in their order",
        (0.0, _HASHES - 1.0),
        seldom=("input",),
    ),
    Statistic(
        "duplicate_fraction",
        INPUT,
        ("duplicate_count", "samples"),
        over("duplicate_count", "samples"),
        "share",
        "share of samples that are a repeat of another one in the batch",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "trailing_zero_fraction",
        INPUT,
        ("trailing_zeros", "count"),
        over("trailing_zeros", "count"),
        "share",
        "share of elements that are 0 with nothing but 0 behind them in their sample",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "sample_bits",
        INPUT,
        ("equal_neighbors", "count", "features"),
        _sample_bits,
        "bit",
        "−d log₂ e with d the features and e the share of elements equal to that of the sample before: were features "
        "independent, one of 2 to the power of so many samples would equal another; NaN for a batch of one",
        POSITIVE,
        seldom=("input",),
    ),
    Statistic(
        "placeholder_share",
        ("input",),
        ("placeholder_share",),
        same("placeholder_share"),
        "share",
        "of the feature where it is largest, share of samples that hold one and the same value, its smallest or "
        "largest, farther from all other values than these are from each other, which hardly repeat; 0 for fewer than "
        "16 samples, and where a sample is no row of features",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "target_correlation",
        ("input",),
        ("target_correlation",),
        same("target_correlation"),
        "",
        "largest size of Pearson's correlation of a feature with a target that is one number for each sample; NaN for "
        "fewer than 16 samples, and where a sample is one number itself",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "answer_fraction",
        ("input",),
        ("answer_count", "count"),
        over("answer_count", "count"),
        "share",
        "share of elements equal to the label at the same place of a sample; 0 where labels have other axes",
        SHARE,
        seldom=("input",),
    ),
    Statistic(
        "seen_fraction",
        INPUT,
        ("seen_samples", "samples"),
        over("seen_samples", "samples"),
        "share",
        f"share of samples equal, in all inputs, to one of the first {MEMORY} that training probes saw before; "
        "NaN before the first; below 0.4 % by chance",
        SHARE,
        seldom=("input",),
    ),
)
