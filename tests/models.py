"""Tiny real models and data, one of each kind that the tests of capture train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

SAMPLES, CLASSES = 72, 5


class Unbuilt(keras.Model):
    """A subclassed model that does not exist before its first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(16, activation="relu")
        self.dropout = layers.Dropout(0.2)
        self.out = layers.Dense(CLASSES, activation="softmax")

    def call(self, x, training=False):
        return self.out(self.dropout(self.hidden(x), training=training))


def dense() -> keras.Model:
    hidden = [layers.Dense(24, activation="relu"), layers.Dense(16, activation="tanh"), layers.Dropout(0.3)]
    return keras.Sequential([keras.Input((12,)), *hidden, layers.Dense(CLASSES, activation="softmax")])


def cnn() -> keras.Model:
    body = [layers.Conv2D(6, 3), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten()]
    head = [layers.Dropout(0.3), layers.Dense(CLASSES, activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 1)), *body, *head])


def lstm() -> keras.Model:
    body = [layers.Embedding(30, 8), layers.LSTM(10), layers.Dense(CLASSES, activation="softmax")]
    return keras.Sequential([keras.Input((7,)), *body])


KINDS: dict[str, tuple[Callable[[], keras.Model], tuple[int, ...]]] = {
    "dense": (dense, (12,)),
    "cnn": (cnn, (8, 8, 1)),
    "lstm": (lstm, (7,)),
    "subclassed": (Unbuilt, (12,)),
}


def data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and integer labels for a kind of model; the last of its batches is not full."""
    rng = np.random.default_rng(0)
    shape = (SAMPLES, *KINDS[kind][1])
    x = rng.integers(0, 30, shape) if kind == "lstm" else rng.normal(size=shape).astype("float32")
    return x, rng.integers(0, CLASSES, SAMPLES)


def trained(kind: str, callbacks: list[Any], epochs: int = 2, **settings: Any) -> tuple[keras.Model, Any]:
    """Return a model of this kind after a short fit from a fixed seed, and its history."""
    keras.utils.set_random_seed(1)
    x, y = data(kind)
    model = KINDS[kind][0]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
    validation = (x[:20], y[:20])
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, verbose=0, validation_data=validation, callbacks=callbacks
    )
    return model, history.history


def state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return every variable of a model and its optimizer: weights, moving statistics, seeds, momenta, iterations."""
    variables = [*model.variables, *model.optimizer.variables]
    return {f"{place} {one.path}": np.asarray(one) for place, one in enumerate(variables)}


def quiet(out: Any, **settings: Any) -> dict[str, Any]:
    """Return arguments for a HealthCallback that prints nothing and writes only result.json."""
    return {"out": out, "verbose": 0, "formats": "json", **settings}
