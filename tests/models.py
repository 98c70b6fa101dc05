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


def residual() -> keras.Model:
    inputs = keras.Input((12,))
    hidden = layers.Dense(16, activation="relu")(inputs)
    hidden = layers.Add()([hidden, layers.Dense(16)(hidden)])
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(hidden))


def residual_cnn() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    stem = layers.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    block = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(stem))
    joined = layers.ReLU()(layers.Add()([stem, block]))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(joined)))


def separate_activations() -> keras.Model:
    names = ("tanh", "sigmoid", "elu", "relu", "gelu", "softplus", "selu", "silu", "leaky_relu")
    stack = [layer for name in names for layer in (layers.Dense(12), layers.Activation(name))]
    return keras.Sequential([keras.Input((12,)), *stack, layers.Dense(CLASSES), layers.Softmax()])


def convolutions_in_one_dimension() -> keras.Model:
    stack = [layers.Reshape((12, 1)), layers.Conv1D(6, 3), layers.Activation("tanh"), layers.SpatialDropout1D(0.2)]
    stack += [layers.SeparableConv1D(6, 3), layers.LayerNormalization(), layers.GlobalAveragePooling1D()]
    return keras.Sequential([keras.Input((12,)), *stack, layers.Dense(CLASSES, activation="softmax")])


def regularized() -> keras.Model:
    weights = {"kernel_regularizer": keras.regularizers.L1L2(1e-3, 1e-2), "activity_regularizer": "l2"}
    stack = [layers.Dense(16, **weights), layers.Dense(16, activation="elu", **weights), layers.GaussianNoise(0.1)]
    return keras.Sequential([keras.Input((12,)), *stack, layers.Dense(CLASSES, activation="softmax")])


def transformer() -> keras.Model:
    tokens = keras.Input((7,))
    x = layers.Embedding(30, 8)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, activation="gelu")(x)))
    return keras.Model(tokens, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(x)))


KINDS: dict[str, tuple[Callable[[], keras.Model], tuple[int, ...]]] = {
    "dense": (dense, (12,)),
    "cnn": (cnn, (8, 8, 1)),
    "lstm": (lstm, (7,)),
    "subclassed": (Unbuilt, (12,)),
    "residual": (residual, (12,)),
    "residual cnn": (residual_cnn, (8, 8, 1)),
    "separate activations": (separate_activations, (12,)),
    "one dimension": (convolutions_in_one_dimension, (12,)),
    "regularized": (regularized, (12,)),
    "transformer": (transformer, (7,)),
}


def data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and integer labels for a kind of model; the last of its batches is not full."""
    rng = np.random.default_rng(0)
    shape = (SAMPLES, *KINDS[kind][1])
    x = rng.integers(0, 30, shape) if kind in ("lstm", "transformer") else rng.normal(size=shape).astype("float32")
    return x, rng.integers(0, CLASSES, SAMPLES)


def trained(kind: str, callbacks: list[Any], epochs: int = 2, **settings: Any) -> tuple[keras.Model, Any]:
    """Return a model of this kind after a short fit from a fixed seed, and its history."""
    keras.utils.set_random_seed(1)
    x, y = data(kind)
    model = KINDS[kind][0]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
    validation = (x[:20], y[:20])
    history = model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, validation_data=validation, callbacks=callbacks)
    return model, history.history


def state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return every variable of a model and its optimizer: weights, moving statistics, seeds, momenta, iterations."""
    variables = [*model.variables, *model.optimizer.variables]
    return {f"{place} {one.path}": np.asarray(one) for place, one in enumerate(variables)}


def quiet(out: Any, **settings: Any) -> dict[str, Any]:
    """Return arguments for a HealthCallback that prints nothing and writes only result.json."""
    return {"out": out, "verbose": 0, "formats": "json", **settings}
