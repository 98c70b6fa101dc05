"""Gradients that vanish, explode or are no numbers, and updates and weights that go astray."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from tests.clinic.healthy import (
    DIGITS,
    IMAGES,
    PIXELS,
    autoencoder,
    cnn_with_dropout,
    compiled,
    dense_on_pixels,
    eight_layers_he,
    linear_regression,
    lstm_on_sums,
    regression_on_diabetes,
    sequential,
    small_iris,
)
from tests.clinic.pair import Pair, Program


def sigmoid_convolutions() -> Program:
    body = [layers.Conv2D(16, 3, padding="same", activation="sigmoid") for _ in range(7)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    model = sequential((8, 8, 1), *body, *head)
    return compiled(model, IMAGES, DIGITS.target, keras.optimizers.SGD(0.05), epochs=3)


def sigmoid_autoencoder() -> Program:
    code = [layers.Dense(size, activation="sigmoid") for size in (48, 32, 16, 8, 16, 32, 48)]
    model = sequential((64,), *code, layers.Dense(64, activation="sigmoid"))
    return compiled(model, PIXELS, PIXELS, keras.optimizers.SGD(0.05, momentum=0.9), "mse", epochs=6)


def unrolled_without_bounds() -> Program:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 100, 3)).astype("float32")
    y = x[:, -1, :1] - x[:, 0, :1]
    recurrent = layers.SimpleRNN(24, activation="relu", recurrent_initializer="identity")
    model = sequential(
        (100, 3), recurrent, layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0, 0.01))
    )
    return compiled(model, x, y, keras.optimizers.Adam(0.02), "mse", epochs=4)


def _next_value() -> tuple[np.ndarray, np.ndarray]:
    """Return windows of a noisy wave, float32[600, 60, 1], and the value that follows each."""
    wave = np.sin(np.arange(660) / 9) + 0.1 * np.random.default_rng(4).normal(size=660)
    x = np.lib.stride_tricks.sliding_window_view(wave, 60)[:600]
    return x[..., None].astype("float32"), wave[60:, None].astype("float32")


def steps_that_multiply() -> Program:
    growing = keras.initializers.Identity(gain=1.3)
    model = sequential((60, 1), layers.SimpleRNN(32, activation="relu", recurrent_initializer=growing), layers.Dense(1))
    return compiled(model, *_next_value(), keras.optimizers.Adam(1e-3), "mse")


def orthogonal_steps() -> Program:
    model = sequential((60, 1), layers.SimpleRNN(32, activation="relu"), layers.Dense(1))
    return compiled(model, *_next_value(), keras.optimizers.Adam(1e-3, clipnorm=1.0), "mse")


def root_of_zero() -> Program:
    inputs = keras.Input((64,))
    hidden = layers.Dense(32, activation="relu")(inputs)
    out = layers.Dense(10, activation="softmax")(layers.Lambda(ops.sqrt)(hidden))
    return compiled(keras.Model(inputs, out), PIXELS, DIGITS.target)


def loss_with_a_bare_logarithm() -> Program:
    def bare(y_true, y_pred):
        return -ops.sum(y_true * ops.log(ops.relu(y_pred - 0.02)), axis=-1)

    model = sequential((64,), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"))
    return compiled(model, PIXELS, keras.utils.to_categorical(DIGITS.target), loss=bare, epochs=3)


def one_wide_unit() -> Program:
    rng = np.random.default_rng(0)
    scale = np.where(np.arange(300) == 7, 60.0, 1.0)
    hidden = [layers.Dense(300, activation="tanh"), layers.Rescaling(scale), layers.Dense(32, activation="relu")]
    labels = rng.integers(0, 10, len(PIXELS))
    model = sequential((64,), *hidden, layers.Dense(10, activation="softmax"))
    return compiled(model, PIXELS, labels, keras.optimizers.SGD(0.01), epochs=3)


def critic_without_bounds() -> Program:
    def distance(y_true, y_pred):
        return ops.mean((1 - 2 * y_true) * y_pred)

    labels = (DIGITS.target % 2).astype("float32")[:, None]
    hidden = [layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu")]
    return compiled(
        sequential((64,), *hidden, layers.Dense(1)), PIXELS, labels, keras.optimizers.Adam(0.03), distance, epochs=25
    )


def steps_too_large_for_small_weights() -> Program:
    small = keras.initializers.RandomNormal(stddev=0.01)
    hidden = [layers.Dense(64, activation="relu", kernel_initializer=small.clone()) for _ in range(2)]
    model = sequential((64,), *hidden, layers.Dense(10, activation="softmax", kernel_initializer=small.clone()))
    return compiled(model, PIXELS, DIGITS.target, keras.optimizers.Adam(0.02), epochs=2)


def one_weight_across_zero() -> Program:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(800, 1)).astype("float32")
    y = x + rng.normal(size=(800, 1))
    model = sequential((1,), layers.Dense(1, kernel_initializer=keras.initializers.Constant(-0.5)))
    return compiled(model, x, y, keras.optimizers.Adam(0.1), "mse", epochs=4)


PAIRS = [
    Pair("grad.vanishing", sigmoid_convolutions, cnn_with_dropout),
    Pair("grad.vanishing", sigmoid_autoencoder, autoencoder),
    Pair("grad.exploding", unrolled_without_bounds, lstm_on_sums),
    Pair("init.signal-by-depth", steps_that_multiply, orthogonal_steps),
    Pair("grad.nonfinite", root_of_zero, dense_on_pixels),
    Pair("grad.nonfinite", loss_with_a_bare_logarithm, eight_layers_he),
    Pair("grad.update-shape", one_wide_unit, small_iris, "warn"),
    Pair("grad.weights-diverge", critic_without_bounds, linear_regression),
    Pair("grad.update-ratio", steps_too_large_for_small_weights, regression_on_diabetes, "warn"),
    Pair("grad.update-ratio", steps_too_large_for_small_weights, one_weight_across_zero, "warn"),
]
