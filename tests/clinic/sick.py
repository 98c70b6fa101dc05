"""Programs with one known fault each, and the row of the checklist that must say so first."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from sklearn import datasets

from tests.clinic.healthy import (
    DIGITS,
    PIXELS,
    binary_cancer,
    compiled,
    dense_on_pixels,
    dense_with_momentum_and_logits,
    eight_layers_he,
    four_layers_tanh,
    mild_regularization,
    multi_label,
    raw_pixels_rescaled_in_the_model,
    regression_on_diabetes,
    relu,
    sequential,
    standard,
    tanh_wine,
)
from tests.clinic.pair import Pair, Program

CANCER, DIABETES, WINE = datasets.load_breast_cancer(), datasets.load_diabetes(), datasets.load_wine()


def digits(*hidden: keras.Layer, optimizer="adam", out=None, x=PIXELS, y=DIGITS.target, **settings) -> Program:
    """Return a dense classifier of digits with these hidden layers."""
    out = out or layers.Dense(10, activation="softmax")
    return compiled(sequential((64,), *hidden, out), x, y, optimizer, **settings)


def raw_pixels() -> Program:
    return digits(relu(), x=PIXELS * 255)


def unscaled_features() -> Program:
    model = sequential((13,), relu(32), layers.Dense(3, activation="softmax"))
    return compiled(model, WINE.data.astype("float32"), WINE.target)


def far_from_zero_mean() -> Program:
    return digits(relu(), x=PIXELS + 100)


def rare_class() -> Program:
    y = (np.random.default_rng(0).random(len(PIXELS)) < 0.02).astype(int)
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


PAIRS = [
    Pair("data.standardized", raw_pixels, raw_pixels_rescaled_in_the_model),
    Pair("data.standardized", unscaled_features, tanh_wine),
    Pair("data.mean-centered", far_from_zero_mean, dense_on_pixels),
    Pair("data.class-balance", rare_class, binary_cancer, "warn"),
    Pair("data.nonfinite-inputs", many_missing_values, dense_on_pixels),
    Pair("init.symmetry", all_zero_kernels, dense_on_pixels),
    Pair("init.symmetry", all_one_kernels, four_layers_tanh),
    Pair("init.signal-by-depth", huge_initial_weights, eight_layers_he),
    Pair("init.signal-by-depth", tiny_initial_weights, four_layers_tanh),
    Pair("grad.vanishing", eight_sigmoid_layers, eight_layers_he),
    Pair("act.dead-relu", units_pushed_below_zero, dense_on_pixels),
    Pair("act.saturated", saturated_by_its_weights, four_layers_tanh),
    Pair("opt.learning-rate", rate_far_too_high, dense_on_pixels),
    Pair("opt.learning-rate", momentum_far_too_high, dense_with_momentum_and_logits),
    Pair("opt.learning-rate", rate_far_too_low, dense_on_pixels),
    Pair("opt.learning-rate", descent_far_too_slow, dense_with_momentum_and_logits),
    Pair("grad.nonfinite", logarithm_of_zero, dense_on_pixels),
    Pair("arch.frozen", gradient_cut, dense_on_pixels),
    Pair("arch.frozen", frozen_layer, dense_on_pixels, "warn"),
    Pair("loss.regularization-dominates", crushing_regularization, mild_regularization),
    Pair("loss.fits-task", softmax_on_one_unit, binary_cancer),
    Pair("loss.fits-task", sigmoid_for_exclusive_classes, dense_on_pixels),
    Pair("loss.fits-task", logits_taken_for_probabilities, dense_with_momentum_and_logits),
    Pair("loss.fits-task", probabilities_taken_for_logits, dense_with_momentum_and_logits),
    Pair("loss.fits-task", binary_loss_on_ten_classes, multi_label),
    Pair("loss.fits-task", relu_for_signed_targets, regression_on_diabetes),
    Pair("loss.fits-task", sigmoid_for_large_targets, regression_on_diabetes),
]
