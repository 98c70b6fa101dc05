"""Programs that answer each step of a sequence or each pixel of an image, and what the loss sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers

from tests.clinic.healthy import compiled, sequential
from tests.clinic.pair import Pair, Program


def _events() -> tuple[Any, Any]:
    """Return recordings, float32[400, 30, 2], and what goes on at each of their steps: rest, a rise or a fall."""
    rng = np.random.default_rng(20)
    x, y = rng.normal(0, 0.3, (400, 30, 2)), np.zeros((400, 30), int)
    for signal, kinds in zip(x, y, strict=True):
        kind, begin, length = rng.integers(1, 3), rng.integers(0, 15), rng.integers(6, 14)
        signal[begin : begin + length] += (2.0, -1.0) if kind == 1 else (-1.0, 2.0)
        kinds[begin : begin + length] = kind
    return x.astype("float32"), y


def _tagger(last: Any, x: Any, y: Any, **fit: Any) -> Program:
    convolutions = [layers.Conv1D(24, 5, padding="same", activation="relu") for _ in range(2)]
    return compiled(sequential(x.shape[1:], *convolutions, layers.Dense(4), last), x, y, **{"epochs": 12, **fit})


def steps_against_each_other() -> Program:
    return _tagger(layers.Softmax(axis=1), *_events())


def classes_against_each_other() -> Program:
    return _tagger(layers.Softmax(), *_events())


def _with_gaps() -> tuple[Any, Any, Any]:
    """Return recordings that end early, float32[400, 30, 2], labels of class 3 behind the end, and 1 before it."""
    x, y = _events()
    there = np.arange(30) < np.random.default_rng(21).integers(12, 26, (400, 1))
    return x * there[..., None], np.where(there, y, 3), there.astype("float32")


def weights_on_what_is_missing() -> Program:
    x, y, there = _with_gaps()
    return _tagger(layers.Softmax(), x, y, sample_weight=1 - there)


def weights_on_what_is_there() -> Program:
    x, y, there = _with_gaps()
    return _tagger(layers.Softmax(), x, y, sample_weight=there)


def _scars(turned: Any) -> Program:
    """Return a program that finds the bright bar in noisy images, float32[300, 16, 16, 1], turned on their way."""
    rng = np.random.default_rng(22)
    x, y = rng.normal(0, 0.3, (300, 16, 16, 1)), np.zeros((300, 16, 16, 1), "float32")
    for image, mask in zip(x, y, strict=True):
        row, column = rng.integers(0, 13), rng.integers(0, 7)
        image[row : row + 3, column : column + 9] += 1.5
        mask[row : row + 3, column : column + 9] = 1
    data = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y))
    train = data.take(240).map(turned).batch(16)
    hidden = [layers.Conv2D(16, 5, padding="same", activation="relu") for _ in range(2)]
    model = sequential((16, 16, 1), *hidden, layers.Conv2D(1, 1, activation="sigmoid"))
    check = data.skip(240).batch(20)
    return compiled(model, train, None, loss="binary_crossentropy", epochs=16, validation_data=check)


def images_turned_without_their_masks() -> Program:
    def turned(image, mask):
        return tf.image.rot90(image, tf.random.uniform([], 0, 4, tf.int32)), mask

    return _scars(turned)


def images_turned_with_their_masks() -> Program:
    def turned(image, mask):
        quarters = tf.random.uniform([], 0, 4, tf.int32)
        return tf.image.rot90(image, quarters), tf.image.rot90(mask, quarters)

    return _scars(turned)


PAIRS = [
    Pair("loss.fits-task", steps_against_each_other, classes_against_each_other),
    Pair("loss.fits-task", weights_on_what_is_missing, weights_on_what_is_there),
    Pair("data.augmentation", images_turned_without_their_masks, images_turned_with_their_masks, "warn"),
]
