"""Sums of labels and predictions: classes, their order, agreement, and collapse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfhealth.capture.classes import classes_of, guesses, shares_of
from tfhealth.capture.reductions.context import Context, Reduction
from tfhealth.capture.reductions.inputs import moments

__all__ = ["CUMULATIVE", "PART_OF", "REDUCTIONS"]

CUMULATIVE = frozenset(
    {
        *("largest_class", "smallest_class", "labels_seen", "classes_seen", "class_entropy"),
        *("class_shift", "missing_classes", "new_classes", "missing_labels", "new_labels", "training_labels"),
        *("largest_class_weight", "smallest_class_weight"),
    }
)
"""Sums over all batches so far: of several batches the last one says it all."""


def _counts(classes: Any, count: int) -> Any:
    """Return how often each of `count` classes is in int32[N], float32[count]; a class beyond them is not counted."""
    known = tf.minimum(classes, count)  # a negative one belongs to no segment
    return tf.math.unsorted_segment_sum(tf.ones_like(known, tf.float32), known, count + 1)[:count]


def _labels(context: Context) -> Any:
    return classes_of(context.tensor, context.part("encoding"))


def _batch_counts(context: Context) -> Any:
    return _counts(context.once(_labels), context.part("classes"))


def _counts_so_far(context: Context) -> Any:
    """Return how often each class was seen by probes so far, float32[C]."""
    return context.state("classes", (context.part("classes"),)).assign_add(context.once(_batch_counts))


def _smallest_class(context: Context) -> Any:
    """Return the smallest count of a class; of more than two classes only those seen, since some may not exist."""
    counts = context.once(_counts_so_far)
    return tf.reduce_min(counts if context.part("classes") == 2 else tf.where(counts > 0, counts, float("inf")))


def _expected_classes(context: Context) -> Any:
    """Return how many classes a batch of this size would have if it were drawn at random, Σ 1 − (1 − p)ⁿ."""
    counts, drawn = context.once(_counts_so_far), tf.reduce_sum(context.once(_batch_counts))
    share = counts / tf.maximum(tf.reduce_sum(counts), 1)
    return tf.reduce_sum(1 - tf.pow(1 - share, drawn))


def _class_weights(context: Context) -> Any:
    """Return the sum of the samples' weights in each class so far, float32[C]."""
    labels, count = context.once(_labels), context.part("classes")
    legal = tf.where((labels >= 0) & (labels < count), labels, -1)
    found = tf.math.unsorted_segment_sum(context.part("weights"), legal, count)
    return context.state("class_weights", (count,)).assign_add(found)


def _weight_of(reduce: Callable[[Any], Any], absent: float) -> Reduction:
    """Return a reduction over the weights of the classes that were seen."""

    def reduced(context: Context) -> Any:
        seen = context.once(_counts_so_far) > 0
        return reduce(tf.where(seen, context.once(_class_weights), absent))

    return reduced


def _class_entropy(context: Context) -> Any:
    counts = context.once(_counts_so_far)
    share = counts / tf.maximum(tf.reduce_sum(counts), 1)
    return _entropy_of(share)


def _training_counts(context: Context) -> Any:
    """Return how often training probes saw each class, float32[C]."""
    return context.parts["training"]("classes", (context.part("classes"),)).value()


def _class_shift(context: Context) -> Any:
    """Return χ² of two samples of counts over its degrees of freedom: the batch against all batches before it."""
    if context.parts["training"] is None:
        now = context.once(_batch_counts)
        before = context.once(_counts_so_far) - now
    else:
        now, before = context.once(_counts_so_far), context.once(_training_counts)
    ratio = tf.sqrt(tf.reduce_sum(before) / tf.reduce_sum(now))
    chi_square = tf.reduce_sum(tf.math.divide_no_nan(tf.square(now * ratio - before / ratio), now + before))
    freedom = tf.reduce_sum(tf.cast(now + before > 0, tf.float32)) - 1
    return tf.where((ratio > 0) & (freedom > 0), chi_square / freedom, float("nan"))


def _only_in(counts: Reduction, others: Reduction) -> Reduction:
    """Return how many classes one of two sets of counts has and the other has not; NaN where either is empty."""

    def only(context: Context) -> Any:
        one, other = context.once(counts), context.once(others)
        found = tf.reduce_sum(tf.cast((one > 0) & tf.equal(other, 0), tf.float32))
        return tf.where((tf.reduce_sum(one) > 0) & (tf.reduce_sum(other) > 0), found, float("nan"))

    return only


def _labels_only_in(counts: Reduction, others: Reduction) -> Reduction:
    """Return how many labels of one set are of classes that the other one lacks."""

    def only(context: Context) -> Any:
        one, other = context.once(counts), context.once(others)
        return tf.reduce_sum(tf.where(tf.equal(other, 0), one, 0.0))

    return only


def _equal_pairs(context: Context) -> Any:
    labels = context.once(_labels)
    return tf.reduce_sum(tf.cast(tf.equal(labels[1:], labels[:-1]), tf.float32))


def _equal_pairs_by_chance(context: Context) -> Any:
    counts = context.once(_batch_counts)
    return tf.reduce_sum(counts * (counts - 1)) / tf.maximum(tf.reduce_sum(counts), 1)


def _autocorrelation(context: Context) -> Any:
    centered = context.x - tf.reduce_mean(context.x, axis=0)
    found = tf.reduce_sum(centered[1:] * centered[:-1]) / (2 * tf.nn.l2_loss(centered))
    return tf.clip_by_value(found, -1.0, 1.0)  # rounding can take it beyond


def _row_sum_error(context: Context) -> Any:
    return tf.reduce_max(tf.abs(tf.reduce_sum(context.x, axis=-1) - 1))


def _batch_variance(context: Context) -> Any:
    _, variance = context.once(moments)
    return tf.where(context.samples > 1, tf.reduce_mean(variance), float("nan"))


def _entropy_of(shares: Any) -> Any:
    """Return the entropy in nats of the last axis, which adds up to 1."""
    return tf.maximum(-tf.reduce_sum(tf.math.xlogy(shares, shares), axis=-1), 0.0)  # rounding can make it negative


def _entropy(context: Context) -> Any:
    return tf.reduce_mean(_entropy_of(shares_of(context.x, context.part("form"), context.part("encoding"))))


def _guesses(context: Context) -> Any:
    return guesses(context.x, context.part("form"), context.part("encoding"))


def _top_class_count(context: Context) -> Any:
    return tf.reduce_max(_counts(context.once(_guesses), context.part("classes")))


def _correct_count(context: Context) -> Any:
    """Return how many guesses are right; NaN where the loss does not say that labels are classes, and they are none."""
    labels = classes_of(context.part("label"), context.part("encoding"))
    right = tf.reduce_sum(tf.cast(tf.equal(context.once(_guesses), labels), tf.float32))
    if context.attributes["encoding"] is not None:
        return right
    written = tf.cast(context.part("label"), tf.float32)
    return tf.where(tf.reduce_all(tf.equal(written, 0) | tf.equal(written, 1)), right, float("nan"))


def _squared_error(context: Context) -> Any:
    label = tf.reshape(tf.cast(context.part("target"), tf.float32), tf.shape(context.x))
    return 2 * tf.nn.l2_loss(context.x - label)


REDUCTIONS: dict[str, Reduction] = {
    "integer_count": lambda context: tf.reduce_sum(tf.cast(tf.equal(context.x, tf.round(context.x)), tf.float32)),
    "largest_class": lambda context: tf.reduce_max(context.once(_counts_so_far)),
    "smallest_class": _smallest_class,
    "classes_seen": lambda context: tf.reduce_sum(tf.cast(context.once(_counts_so_far) > 0, tf.float32)),
    "expected_classes": _expected_classes,
    "largest_class_weight": _weight_of(tf.reduce_max, float("-inf")),
    "smallest_class_weight": _weight_of(tf.reduce_min, float("inf")),
    "labels_seen": lambda context: tf.reduce_sum(context.once(_counts_so_far)),
    "class_entropy": _class_entropy,
    "classes_present": lambda context: tf.reduce_sum(tf.cast(context.once(_batch_counts) > 0, tf.float32)),
    "class_shift": _class_shift,
    "missing_classes": _only_in(_training_counts, _counts_so_far),
    "new_classes": _only_in(_counts_so_far, _training_counts),
    "missing_labels": _labels_only_in(_training_counts, _counts_so_far),
    "new_labels": _labels_only_in(_counts_so_far, _training_counts),
    "training_labels": lambda context: tf.reduce_sum(context.once(_training_counts)),
    "pairs": lambda context: tf.size(context.once(_labels)) - 1,
    "equal_pairs": _equal_pairs,
    "equal_pairs_by_chance": _equal_pairs_by_chance,
    "autocorrelation": _autocorrelation,
    "row_sum_error": _row_sum_error,
    "batch_variance": _batch_variance,
    "entropy": _entropy,
    "guesses": lambda context: tf.size(context.once(_guesses)),
    "top_class_count": _top_class_count,
    "correct_count": _correct_count,
    "squared_error": _squared_error,
}

PART_OF = {
    "largest_class": "classes",
    "smallest_class": "classes",
    "labels_seen": "classes",
    "class_entropy": "classes",
    "classes_present": "classes",
    "class_shift": "classes",
    "missing_classes": "classes",
    "new_classes": "classes",
    "missing_labels": "classes",
    "new_labels": "classes",
    "training_labels": "classes",
    "classes_seen": "classes",
    "expected_classes": "classes",
    "largest_class_weight": "weights",
    "smallest_class_weight": "weights",
    "pairs": "order",
    "equal_pairs": "order",
    "equal_pairs_by_chance": "order",
    "autocorrelation": "quantity",
    "row_sum_error": "distribution",
    "entropy": "form",
    "guesses": "label",
    "top_class_count": "classes",
    "correct_count": "label",
    "squared_error": "target",
}
