"""Programs with one known fault each, and the row of the checklist that must say so first."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers
from sklearn import datasets

from tests.clinic.healthy import DIGITS, PIXELS, Program, compiled, sequential, standard

CANCER, DIABETES, WINE = datasets.load_breast_cancer(), datasets.load_diabetes(), datasets.load_wine()


def digits(*hidden: keras.Layer, optimizer="adam", out=None, x=PIXELS, y=DIGITS.target, **settings) -> Program:
    """Return a dense classifier of digits with these hidden layers."""
    out = out or layers.Dense(10, activation="softmax")
    return compiled(sequential((64,), *hidden, out), x, y, optimizer, **settings)


def relu(units=64, **settings) -> keras.Layer:
    return layers.Dense(units, activation="relu", **settings)


def raw_pixels() -> Program:
    return digits(relu(), x=PIXELS * 255)


def unscaled_features() -> Program:
    model = sequential((13,), relu(32), layers.Dense(3, activation="softmax"))
    return compiled(model, WINE.data.astype("float32"), WINE.target)


def far_from_zero_mean() -> Program:
    return digits(relu(), x=PIXELS + 100)


def rare_class() -> Program:
    y = (np.random.default_rng(0).random(len(PIXELS)) < 0.005).astype(int)
    model = sequential((64,), relu(), layers.Dense(1, activation="sigmoid"))
    return compiled(model, PIXELS, y, loss="binary_crossentropy")


def many_missing_values() -> Program:
    x = PIXELS.copy()
    x[::20, 3] = np.nan
    return digits(relu(), x=x)


def all_zero_kernels() -> Program:
    return digits(relu(kernel_initializer="zeros"), relu(kernel_initializer="zeros"))


def all_one_kernels() -> Program:
    return digits(layers.Dense(64, activation="tanh", kernel_initializer="ones"))


def huge_initial_weights() -> Program:
    return digits(*[relu(kernel_initializer=keras.initializers.RandomNormal(stddev=1.0)) for _ in range(4)])


def tiny_initial_weights() -> Program:
    tiny = keras.initializers.RandomNormal(stddev=0.01)
    hidden = [layers.Dense(64, activation="tanh", kernel_initializer=tiny.clone()) for _ in range(5)]
    return digits(*hidden, optimizer=keras.optimizers.SGD(0.01))


def eight_sigmoid_layers() -> Program:
    hidden = [layers.Dense(64, activation="sigmoid") for _ in range(8)]
    return digits(*hidden, optimizer=keras.optimizers.SGD(0.01))


def units_pushed_below_zero() -> Program:
    return digits(relu(bias_initializer=keras.initializers.Constant(-10.0)))


def saturated_by_its_weights() -> Program:
    wide = keras.initializers.RandomNormal(stddev=20.0)
    return digits(layers.Dense(64, activation="tanh", kernel_initializer=wide))


def rate_far_too_high() -> Program:
    return digits(relu(), relu(), optimizer=keras.optimizers.Adam(1.0))


def momentum_far_too_high() -> Program:
    return digits(relu(), relu(), optimizer=keras.optimizers.SGD(10.0), x=standard(DIGITS.data))


def rate_far_too_low() -> Program:
    return digits(relu(), optimizer=keras.optimizers.Adam(1e-7))


def descent_far_too_slow() -> Program:
    return digits(relu(), optimizer=keras.optimizers.SGD(1e-6))


def logarithm_of_zero() -> Program:
    inputs = keras.Input((64,))
    hidden = layers.Lambda(keras.ops.log)(relu(32)(inputs))
    return compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden)), PIXELS, DIGITS.target)


def gradient_cut() -> Program:
    inputs = keras.Input((64,))
    hidden = layers.Lambda(keras.ops.stop_gradient)(layers.Dense(32)(inputs))
    return compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden)), PIXELS, DIGITS.target)


def frozen_layer() -> Program:
    return digits(relu(trainable=False))


def crushing_regularization() -> Program:
    out = layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.L2(1.0))
    return digits(relu(128, kernel_regularizer=keras.regularizers.L2(1.0)), out=out)


def softmax_on_one_unit() -> Program:
    model = sequential((30,), relu(16), layers.Dense(1, activation="softmax"))
    return compiled(model, standard(CANCER.data), CANCER.target, loss="binary_crossentropy")


def sigmoid_for_exclusive_classes() -> Program:
    return digits(relu(), out=layers.Dense(10, activation="sigmoid"))


def logits_taken_for_probabilities() -> Program:
    return digits(relu(), out=layers.Dense(10))


def probabilities_taken_for_logits() -> Program:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inputs = keras.Input((64,))
    out = layers.Reshape((10,))(layers.Dense(10, activation="softmax")(relu()(inputs)))
    return compiled(keras.Model(inputs, out), PIXELS, DIGITS.target, loss=loss)


def binary_loss_on_ten_classes() -> Program:
    return digits(relu(), y=keras.utils.to_categorical(DIGITS.target), loss="binary_crossentropy")


def relu_for_signed_targets() -> Program:
    model = sequential((10,), relu(32), layers.Dense(1, activation="relu"))
    return compiled(model, standard(DIABETES.data), standard(DIABETES.target[:, None]), loss="mse")


def sigmoid_for_large_targets() -> Program:
    model = sequential((10,), relu(32), layers.Dense(1, activation="sigmoid"))
    return compiled(model, standard(DIABETES.data), DIABETES.target.astype("float32"), loss="mse")


SICK: dict[Callable[[], Program], str] = {
    raw_pixels: "data.standardized",
    unscaled_features: "data.standardized",
    far_from_zero_mean: "data.mean-centered",
    rare_class: "data.class-balance",
    many_missing_values: "data.nonfinite-inputs",
    all_zero_kernels: "init.symmetry",
    all_one_kernels: "init.symmetry",
    huge_initial_weights: "init.signal-by-depth",
    tiny_initial_weights: "init.signal-by-depth",
    eight_sigmoid_layers: "grad.vanishing",
    units_pushed_below_zero: "act.dead-relu",
    saturated_by_its_weights: "act.saturated",
    rate_far_too_high: "grad.update-ratio",
    momentum_far_too_high: "grad.update-ratio",
    rate_far_too_low: "grad.update-ratio",
    descent_far_too_slow: "grad.update-ratio",
    logarithm_of_zero: "grad.nonfinite",
    gradient_cut: "arch.frozen",
    frozen_layer: "arch.frozen",
    crushing_regularization: "loss.regularization-dominates",
    softmax_on_one_unit: "loss.fits-task",
    sigmoid_for_exclusive_classes: "loss.fits-task",
    logits_taken_for_probabilities: "loss.fits-task",
    probabilities_taken_for_logits: "loss.fits-task",
    binary_loss_on_ten_classes: "loss.fits-task",
    relu_for_signed_targets: "loss.fits-task",
    sigmoid_for_large_targets: "loss.fits-task",
}
"""Each program with the row that must be the leading cause."""

ONLY_WARNED = (rare_class, frozen_layer)
"""Faults that may be meant: their row warns."""
