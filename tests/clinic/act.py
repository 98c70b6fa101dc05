"""Hidden layers that are dead, flat, too wide, too narrow or far from zero."""

from __future__ import annotations

import keras
from keras import layers
from sklearn import datasets

from tests.clinic.healthy import (
    DIGITS,
    IMAGES,
    PIXELS,
    autoencoder,
    binary_cancer,
    cnn_with_dropout,
    compiled,
    dense_on_pixels,
    four_layers_tanh,
    mild_regularization,
    regression_on_diabetes,
    sequential,
    standard,
    tanh_wine,
)
from tests.clinic.pair import Pair, Program

CANCER, DIABETES = datasets.load_breast_cancer(), datasets.load_diabetes()


def classifier(*hidden: keras.Layer, optimizer="adam", out="glorot_uniform", **fit) -> Program:
    """Return a dense classifier of digits with these hidden layers; from kernels of zero `out` it begins at chance."""
    model = sequential((64,), *hidden, layers.Dense(10, activation="softmax", kernel_initializer=out))
    return compiled(model, PIXELS, DIGITS.target, optimizer, **fit)


def filters_pushed_below_zero() -> Program:
    bias = keras.initializers.Constant(-5.0)
    body = [layers.Conv2D(32, 3, activation="relu", bias_initializer=bias), layers.MaxPooling2D(), layers.Flatten()]
    return compiled(sequential((8, 8, 1), *body, layers.Dense(10, activation="softmax")), IMAGES, DIGITS.target)


def normalized_below_zero() -> Program:
    low = layers.BatchNormalization(beta_initializer=keras.initializers.Constant(-6.0))
    return classifier(layers.Dense(64, use_bias=False), low, layers.ReLU())


def code_that_never_fires() -> Program:
    bias = keras.initializers.Constant(-4.0)
    code = [layers.Dense(32, activation="relu"), layers.Dense(8, activation="relu", bias_initializer=bias)]
    model = sequential((64,), *code, layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid"))
    return compiled(model, PIXELS, PIXELS, loss="mse", epochs=8)


def sparse_features(strength: float) -> Program:
    hidden = layers.Dense(64, activation="relu", activity_regularizer=keras.regularizers.L1(strength))
    return classifier(hidden, optimizer=keras.optimizers.Adam(0.01))


def features_pressed_to_zero() -> Program:
    return sparse_features(10.0)


def features_kept_sparse() -> Program:
    return sparse_features(1e-4)


def sigmoid_with_wide_kernels() -> Program:
    wide = keras.initializers.RandomNormal(stddev=5.0)
    hidden = layers.Dense(32, activation="sigmoid", kernel_initializer=wide)
    model = sequential((30,), hidden, layers.Dense(1, activation="sigmoid"))
    return compiled(model, standard(CANCER.data), CANCER.target, loss="binary_crossentropy", epochs=15)


def tanh_behind_a_large_scale() -> Program:
    hidden = [layers.Dense(48), layers.Rescaling(40.0), layers.Activation("tanh")]
    return classifier(*hidden, optimizer=keras.optimizers.SGD(0.01))


def scaled_down_in_the_middle() -> Program:
    hidden = [layers.Dense(64, activation="relu"), layers.Rescaling(1e-3), layers.Dense(32, activation="tanh")]
    return classifier(*hidden, epochs=4)


def lifted_far_above_zero() -> Program:
    high = keras.initializers.Constant(40.0)
    hidden = [layers.Dense(64, activation="gelu", bias_initializer=high), layers.Dense(32, activation="gelu")]
    return classifier(*hidden, out="zeros", optimizer=keras.optimizers.SGD(0.01), epochs=4)


def regression_lifted_far_above_zero() -> Program:
    high = keras.initializers.Constant(100.0)
    hidden = [layers.Dense(32, activation="elu", bias_initializer=high), layers.Dense(16, activation="elu")]
    model = sequential((10,), *hidden, layers.Dense(1, kernel_initializer="zeros"))
    y = standard(DIABETES.target[:, None])
    return compiled(model, standard(DIABETES.data), y, keras.optimizers.SGD(1e-4), "mse", epochs=8)


PAIRS = [
    Pair("act.dead-relu", filters_pushed_below_zero, cnn_with_dropout),
    Pair("act.dead-relu", normalized_below_zero, dense_on_pixels),
    Pair("act.dead-relu", code_that_never_fires, autoencoder),
    Pair("act.dead-relu", features_pressed_to_zero, features_kept_sparse),
    Pair("act.saturated", sigmoid_with_wide_kernels, binary_cancer),
    Pair("act.saturated", tanh_behind_a_large_scale, four_layers_tanh),
    Pair("act.std-range", scaled_down_in_the_middle, mild_regularization),
    Pair("act.mean", lifted_far_above_zero, tanh_wine),
    Pair("act.mean", regression_lifted_far_above_zero, regression_on_diabetes),
]
