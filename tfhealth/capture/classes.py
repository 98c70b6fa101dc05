"""Labels and predictions of a classifier -> their classes, and the shares that predictions give to each."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["classes_of", "guesses", "shares_of"]


def classes_of(labels: Any, encoding: str) -> Any:
    """Return the class of each label, int32[N].

    Args:
        labels: of any numeric dtype, [..., C] where they are onehot, else [...].
        encoding: onehot, index or binary.
    """
    found = tf.argmax(labels, axis=-1) if encoding == "onehot" else labels
    return tf.reshape(tf.cast(found, tf.int32), [-1])


def guesses(predictions: Any, form: str, encoding: str) -> Any:
    """Return the class that each prediction finds the likeliest, int32[N].

    Args:
        predictions: [..., C], where the encoding of the labels is binary [...].
        form: logits or probabilities.
        encoding: of the labels.
    """
    if encoding != "binary":
        return classes_of(predictions, "onehot")
    return classes_of(predictions > (0.0 if form == "logits" else 0.5), "binary")


def shares_of(predictions: Any, form: str, encoding: str) -> Any:
    """Return the probability that predictions, float32 as for `guesses`, give to each class, float32[..., C]."""
    logits = form == "logits"
    if encoding == "binary":
        positive = tf.sigmoid(predictions) if logits else predictions
        return tf.stack([1 - positive, positive], axis=-1)
    return tf.nn.softmax(predictions) if logits else predictions / tf.reduce_sum(predictions, axis=-1, keepdims=True)
