"""Sums of what reaches the first layer: features, hashes of samples, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction, where
from tfhealth.statistics.builtin.inputs import MEMORY

__all__ = ["PART_OF", "REDUCTIONS", "joint", "moments"]

_MIX = (0x2545F4914F6CDD1D, 0x369DEA0F31A53F85)  # odd, and of no pattern
_LOW, _HIGH, _TOP, _PARTS = 1 << 20, 1 << 32, 1 << 40, 1 << 24
_SLOTS = 1 << 18
_FEW = 1 << 14  # features whose factors are made while tracing
_FEWEST = 16  # samples of which a feature does not follow a target, or leave a gap, by chance


def moments(context: Context) -> tuple[Any, Any]:
    """Return mean and variance over the batch of each feature; of one that does not vary the variance is 0."""
    mean = tf.reduce_mean(context.x, axis=0)
    variance = tf.reduce_mean(tf.math.squared_difference(context.x, mean), axis=0)
    return mean, where(variance > tf.square(1e-6 * mean), variance, 0.0)


def _smallest_feature_std(context: Context) -> Any:
    _, variance = context.once(moments)
    return tf.sqrt(tf.reduce_min(where(variance > 0, variance, float("inf"))))


def _feature_offset(context: Context) -> Any:
    mean, variance = context.once(moments)
    offset = tf.reduce_max(where(variance > 0, tf.abs(mean) * tf.math.rsqrt(variance), -1.0))
    return tf.where(offset < 0, float("nan"), offset)


def _sample_scale(context: Context) -> Any:
    """Return the 90th over the 10th percentile of the largest size within each sample; NaN for fewer than ten."""
    rows = tf.reshape(context.x, [context.length, -1])
    sizes = tf.sort(tf.maximum(tf.reduce_max(rows, axis=1), -tf.reduce_min(rows, axis=1)))
    tenth = context.length // 10
    low, high = sizes[tenth], sizes[-1 - tenth]
    return tf.where((tenth > 0) & (low > 0), high / low, float("nan"))


def _altered(context: Context) -> Any:
    """Return how many elements casting changed by more than rounding does; a layer for whole numbers cuts fractions."""
    loaded = context.part("loaded")
    if loaded is context.tensor and not (context.attributes["whole"] and loaded.dtype.is_floating):
        return tf.constant(0.0)
    loaded = tf.cast(loaded, tf.float32)
    taken = tf.cast(tf.cast(context.x, tf.int64), tf.float32) if context.attributes["whole"] else context.x
    return tf.reduce_sum(tf.cast(tf.abs(taken - loaded) > 0.01 * tf.abs(loaded), tf.float32))


def _sample_hashes(context: Context) -> Any:
    """Return a hash of each sample, int64[B]: Σ wⱼ · bits(xⱼ) modulo 2⁶⁴.

    Integers add up to the same in any order, which rows of a matrix product do not; int64, since TensorFlow keeps sums
    of int32 off the GPU.
    """
    tensor = context.tensor
    if tensor.dtype.is_floating:
        tensor = tf.bitcast(context.x, tf.int32)
    rows = tf.reshape(tf.cast(tensor, tf.int64), [context.length, -1])
    features = context.tensor.shape[1:].num_elements()
    known = features is not None and features <= _FEW
    places = np.arange(features) if known else tf.range(tf.shape(rows, tf.int64)[1])
    return tf.reduce_sum(rows * _odd(places, _MIX[0]), axis=1)


def _odd(places: Any, start: int) -> Any:
    """Return odd int64 numbers of no pattern for places 0, 1, 2 …, as an array or as a tensor, whichever these are."""
    mixed = (places + 1) * start
    for _ in range(3):
        mixed = _without_sums(mixed)
    return 2 * mixed + 1


def _mixed(context: Context) -> Any:
    """Return hashes that do not add up: two batches with equal sums of features must differ."""
    return _without_sums(context.once(_sample_hashes))


def _without_sums(numbers: Any) -> Any:
    """Return int64 numbers whose sums tell nothing of the sums of those that they were made of."""
    high = numbers // _HIGH
    return high * high * _MIX[0] + numbers * _MIX[1]


def joint(contexts: Sequence[Context]) -> Any:
    """Return a hash of each sample of several inputs, int64[B]: what differs in one of them is another sample."""
    length = contexts[0].length
    factors = _odd(np.arange(len(contexts)), _MIX[1])
    hashes = [_of_length(_mixed(one), length) * factor for one, factor in zip(contexts, factors, strict=True)]
    return _without_sums(tf.add_n(hashes))


def _of_length(hashes: Any, length: Any) -> Any:
    """Return so many hashes; an input whose first axis is not the batch must not end the step."""
    return tf.concat([hashes, tf.zeros([length], tf.int64)], 0)[:length]


def _low_part(hashes: Any) -> Any:
    """Return the sum of the hashes' upper 24 bits modulo 2²⁴, which float32 holds exactly."""
    return tf.cast(tf.reduce_sum(hashes // _TOP % _PARTS) % _PARTS, tf.float32)


def _ordered_fingerprint(context: Context) -> Any:
    mixed = context.once(_mixed)
    return _low_part(mixed * _odd(tf.range(tf.shape(mixed, tf.int64)[0]), _MIX[1]))


def _duplicate_count(context: Context) -> Any:
    ordered = tf.math.top_k(context.once(_sample_hashes), context.length).values
    return tf.reduce_sum(tf.cast(tf.equal(ordered[1:], ordered[:-1]), tf.float32))


def _trailing_zeros(context: Context) -> Any:
    rows = tf.reshape(tf.not_equal(context.x, 0), [context.length, -1])
    followed = tf.cumsum(tf.cast(rows, tf.float32), axis=1, reverse=True)  # by how many others, and itself
    return tf.reduce_sum(tf.cast(tf.equal(followed, 0), tf.float32))


def _equal_neighbors(context: Context) -> Any:
    return tf.math.count_nonzero(tf.equal(context.x[1:], context.x[:-1]), dtype=tf.float32)


def _placeholder_share(context: Context) -> Any:
    """Return the largest share of samples that hold one far value at either end of a feature."""
    if context.x.shape.rank != 2 or not context.tensor.dtype.is_floating:
        return tf.constant(0.0)
    low, high = (_far_share(one, context.samples) for one in (context.x, -context.x))
    # Sorting takes long, and most data have no value that is far.
    found = tf.cond(
        tf.reduce_any((low > 0) | (high > 0)), lambda: _where_single(context.x, low, high), lambda: tf.constant(0.0)
    )
    return tf.where(context.length >= _FEWEST, found, 0.0)


def _far_share(x: Any, samples: Any) -> Any:
    """Return, of each feature, the share of samples with its smallest value; 0 where that is near, or found once."""
    lowest, highest = tf.reduce_min(x, 0), tf.reduce_max(x, 0)
    others = x > lowest
    count = _samples_where(others)
    nearest = tf.reduce_min(where(others, x, float("inf")), 0)
    far = nearest - lowest > highest - nearest
    return tf.where(far & (count >= _FEWEST / 2) & (count <= samples - 2), 1 - count / samples, 0.0)


def _where_single(x: Any, low: Any, high: Any) -> Any:
    """Return the largest of these shares of the smallest and of the largest value where all others hardly repeat."""
    ascending = tf.sort(x, axis=0)
    repeats = tf.equal(ascending[1:], ascending[:-1])
    above, below = ascending > ascending[:1], ascending < ascending[-1:]
    single_above = _samples_where(repeats & above[:-1]) <= 0.1 * _samples_where(above)
    single_below = _samples_where(repeats & below[1:]) <= 0.1 * _samples_where(below)
    return tf.reduce_max(tf.maximum(tf.where(single_above, low, 0.0), tf.where(single_below, high, 0.0)))


def _samples_where(holds: Any) -> Any:
    """Return how many samples of each feature it holds for, float32."""
    return tf.reduce_sum(tf.cast(holds, tf.float32), 0)


def _target_correlation(context: Context) -> Any:
    """Return the largest |r| of a feature with the target; a target of another length belongs to other samples.

    Of one number a sample NaN: there is nothing to choose it from.
    """
    y = tf.reshape(tf.cast(context.part("target"), tf.float32), [-1])
    several = tf.size(context.x) > context.length
    known = tf.equal(tf.size(y), context.length) & (context.length >= _FEWEST) & several
    count = tf.minimum(tf.size(y), context.length)
    x, y = tf.reshape(context.x, [context.length, -1])[:count], y[:count] - tf.reduce_mean(y)
    _, variance = context.once(moments)
    covariance = tf.linalg.matvec(x - tf.reduce_mean(x, axis=0), y, transpose_a=True) / tf.cast(count, tf.float32)
    spread = tf.sqrt(tf.reshape(variance, [-1]) * tf.reduce_mean(tf.square(y)))
    largest = tf.reduce_max(tf.math.divide_no_nan(tf.abs(covariance), spread))
    return tf.where(known, tf.minimum(largest, 1.0), float("nan"))


def _answer_count(context: Context) -> Any:
    """Return how many elements equal the label at their place; 0 where labels have other axes."""
    answers = context.parts.get("answers")
    if answers is None:
        return tf.constant(0.0)
    equal = tf.equal(tf.reshape(tf.cast(answers, tf.float32), [-1]), tf.reshape(context.x, [-1]))
    return tf.reduce_sum(tf.cast(equal, tf.float32))


def _seen_samples(context: Context) -> Any:
    """Look samples up in what training remembers, and remember them when training: two bits for each (Bloom, 1970)."""
    training = context.parts.get("training")
    state = context.state if training is None else training
    memory, known = state("samples", (2 * _SLOTS,)), state("samples_known", ())
    several = context.parts.get("joint") is not None
    hashes = _of_length(context.part("joint"), context.length) if several else context.once(_mixed)
    slots = tf.stack([hashes // _TOP % _SLOTS, hashes // _LOW % _SLOTS + _SLOTS])
    found = tf.gather(memory, slots)
    seen = tf.where(known > 0, tf.reduce_sum(tf.reduce_min(found, axis=0)), float("nan"))
    if training is None:
        room = tf.cast(known < MEMORY, tf.float32)
        memory.scatter_update(tf.IndexedSlices(tf.maximum(found, room), slots))
        known.assign_add(room * context.samples)
    return seen


REDUCTIONS: dict[str, Reduction] = {
    "samples": lambda context: context.length,
    "features": lambda context: tf.size(context.once(moments)[1]),
    "constant_features": lambda context: tf.reduce_sum(tf.cast(tf.equal(context.once(moments)[1], 0), tf.float32)),
    "largest_feature_std": lambda context: tf.sqrt(tf.reduce_max(context.once(moments)[1])),
    "smallest_feature_std": _smallest_feature_std,
    "feature_offset": _feature_offset,
    "sample_scale": _sample_scale,
    "altered": _altered,
    "fingerprint": lambda context: _low_part(context.once(_mixed)),
    "ordered_fingerprint": _ordered_fingerprint,
    "duplicate_count": _duplicate_count,
    "trailing_zeros": _trailing_zeros,
    "equal_neighbors": _equal_neighbors,
    "placeholder_share": _placeholder_share,
    "target_correlation": _target_correlation,
    "answer_count": _answer_count,
    "seen_samples": _seen_samples,
}

PART_OF = {"altered": "loaded", "target_correlation": "target"}
