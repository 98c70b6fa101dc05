"""Programs whose loss, output, labels or metrics are at fault, each beside a sound one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
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
    embedded_text,
    linear_regression,
    lstm_on_sums,
    mild_regularization,
    multi_label,
    regression_on_diabetes,
    sequential,
    small_iris,
    standard,
    tanh_wine,
    two_outputs,
)
from tests.clinic.pair import Pair, Program

CANCER, DIABETES = datasets.load_breast_cancer(), datasets.load_diabetes()
ONE_HOT = keras.utils.to_categorical(DIGITS.target)


def dense(*ending: keras.Layer, y=DIGITS.target, loss="sparse_categorical_crossentropy", **fit) -> Program:
    """Return a classifier of digits that ends in these layers."""
    return compiled(sequential((64,), layers.Dense(64, activation="relu"), *ending), PIXELS, y, loss=loss, **fit)


def with_metrics(program: Program, *metrics) -> Program:
    """Return a program that is compiled with metrics as well."""
    model, x, y, settings = program
    model.compile(model.optimizer, model.loss, metrics=list(metrics))
    return model, x, y, settings


def softmax_twice() -> Program:
    return dense(layers.Dense(10, activation="softmax"), layers.Activation("softmax"))


def relu_before_softmax() -> Program:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10, activation="relu")]
    return compiled(sequential((8, 8, 1), *stack, layers.Softmax()), IMAGES, DIGITS.target)


def several_labels_behind_a_softmax() -> Program:
    _, x, y, settings = multi_label()
    model = sequential((20,), layers.Dense(32, activation="relu"), layers.Dense(5, activation="softmax"))
    return compiled(model, x, y, loss="categorical_crossentropy", **settings)


def several_labels_without_activation() -> Program:
    _, x, y, settings = multi_label()
    model = sequential((20,), layers.Dense(32, activation="relu"), layers.Dense(5))
    return compiled(model, x, y, loss="binary_crossentropy", **settings)


def binary_loss_on_three_kinds_of_iris() -> Program:
    data = datasets.load_iris()
    model = sequential((4,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="sigmoid"))
    y = keras.utils.to_categorical(data.target)
    return compiled(model, standard(data.data), y, keras.optimizers.Adam(0.01), "binary_crossentropy", epochs=30)


def squared_error_on_one_hot_digits() -> Program:
    return dense(layers.Dense(10, activation="softmax"), y=ONE_HOT, loss="mse")


def squared_error_on_yes_or_no() -> Program:
    model = sequential((30,), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid"))
    return compiled(model, standard(CANCER.data), CANCER.target, loss="mse", epochs=20)


def absolute_error_on_rare_answers() -> Program:
    rng = np.random.default_rng(12)
    x = rng.normal(size=(900, 6)).astype("float32")
    y = (x[:, 0] - x[:, 1] * x[:, 2] + rng.normal(0, 1, 900) > 1.4).astype("float32")
    model = sequential((6,), layers.Dense(8, activation="sigmoid"), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, loss="mae", epochs=12)


def squared_error_that_leaves_nothing() -> Program:
    rng = np.random.default_rng(13)
    corner = rng.integers(0, 2, (600, 2))
    x, y = (2 * corner - 1 + rng.normal(0, 0.1, (600, 2))).astype("float32"), corner[:, 0] ^ corner[:, 1]
    model = sequential((2,), layers.Dense(16, activation="tanh"), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, keras.optimizers.Adam(0.05), "mse", epochs=15)


def exclusive_or(hidden: str, optimizer: Any, epochs: int) -> Program:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    model = sequential((2,), layers.Dense(8, activation=hidden), layers.Dense(1, activation="sigmoid"))
    fit = {"batch_size": 4, "epochs": epochs, "validation_split": 0.0}
    return compiled(model, x, x[:, :1] != x[:, 1:], optimizer, "mse", **fit)


def exclusive_or_never_learned() -> Program:
    return exclusive_or("sigmoid", "sgd", 300)


def exclusive_or_right_and_unsure() -> Program:
    return exclusive_or("tanh", keras.optimizers.Adam(0.01), 60)


def gray_codes() -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers up to 255 in binary and in Gray code, each eight times, float32[2048, 8] both."""
    number = np.random.default_rng(14).permutation(8 * 256) % 256
    bits = np.arange(8)
    return tuple((code[:, None] >> bits & 1).astype("float32") for code in (number, number ^ number >> 1))


def squared_error_on_gray_codes() -> Program:
    x, y = gray_codes()
    model = sequential((8,), layers.Dense(8, activation="sigmoid"), layers.Dense(8, activation="sigmoid"))
    return compiled(model, x, y, "sgd", "mse")


def cross_entropy_on_gray_codes() -> Program:
    x, y = gray_codes()
    model = sequential((8,), layers.Dense(64, activation="relu"), layers.Dense(8, activation="sigmoid"))
    return compiled(model, x, y, keras.optimizers.Adam(0.005), "binary_crossentropy")


def waves() -> tuple[np.ndarray, np.ndarray]:
    """Return moments and the height of a wave then, with noise that takes some of its crests beyond 1."""
    rng = np.random.default_rng(15)
    x = rng.uniform(-2, 2, (800, 1)).astype("float32")
    return x, (np.sin(2 * x) + rng.normal(0, 0.02, (800, 1))).astype("float32")


def waves_behind_a_relu() -> Program:
    stack = [layers.Dense(32, activation="tanh"), layers.Dense(1, activation="relu")]
    return compiled(sequential((1,), *stack), *waves(), keras.optimizers.Adam(0.01), "mse", epochs=20)


def waves_behind_a_tanh() -> Program:
    stack = [layers.Dense(32, activation="tanh"), layers.Dense(1, activation="tanh")]
    return compiled(sequential((1,), *stack), *waves(), keras.optimizers.Adam(0.01), "mse", epochs=20)


def digits_as_numbers() -> Program:
    return with_metrics(dense(layers.Dense(1), loss="mse"), "accuracy")


def ten_digits_for_one_sigmoid() -> Program:
    return dense(layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")


def cross_entropy_of_numbers() -> Program:
    model = sequential((10,), layers.Dense(32, activation="relu"), layers.Dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return compiled(model, standard(DIABETES.data), standard(DIABETES.target[:, None]), loss=loss, epochs=20)


def text_behind_one_softmax_unit() -> Program:
    _, x, y, settings = embedded_text()
    stack = [layers.Embedding(200, 16), layers.GlobalAveragePooling1D(), layers.Dense(16, activation="relu")]
    model = sequential((30,), *stack, layers.Dense(1, activation="softmax"))
    return compiled(model, x, y, loss="binary_crossentropy", **settings)


class OwnError(keras.losses.Loss):
    """A squared error without the care that Keras takes of shapes."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def labels_repeated_by_an_own_loss() -> Program:
    model = sequential((10,), layers.Dense(32, activation="relu"), layers.Dense(1))
    y = standard(DIABETES.target[:, None])[:, 0]
    return compiled(model, standard(DIABETES.data), y, loss=OwnError(), epochs=20)


def one_label_for_a_whole_sequence() -> Program:
    _, x, _, settings = lstm_on_sums()
    model = sequential((20, 3), layers.LSTM(16, return_sequences=True), layers.Dense(1))
    return compiled(model, x, x[:, :, 0].mean(axis=1), loss="mse", **settings)


def labels_that_say_nothing() -> Program:
    y = np.random.default_rng(1).integers(0, 10, 4000)
    x = np.random.default_rng(2).normal(size=(4000, 6)).astype("float32")
    model = sequential((6,), layers.Dense(16, activation="tanh"), layers.Dense(10, activation="softmax"))
    return compiled(model, x, y)


def numbers_that_say_nothing() -> Program:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(400, 20)).astype("float32"), rng.normal(size=(400, 1))
    model = sequential((20,), layers.Dense(64, activation="tanh"), layers.Dense(1))
    return compiled(model, x, y, keras.optimizers.Adam(0.005), loss="mse", epochs=40)


def sequences_that_say_nothing() -> Program:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(3000, 10, 2)).astype("float32"), rng.integers(0, 2, 3000)
    model = sequential((10, 2), layers.LSTM(8), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, loss="binary_crossentropy")


def logits_a_hundredfold() -> Program:
    inputs = keras.Input((64,))
    logits = layers.Dense(10)(layers.Dense(64, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Softmax()(layers.Rescaling(100.0)(logits)))
    return compiled(model, PIXELS, DIGITS.target)


def crushing_penalty_on_filters() -> Program:
    strong = keras.regularizers.L1(0.3)
    stack = [layers.Conv2D(32, 3, activation="relu", kernel_regularizer=strong), layers.Flatten()]
    out = layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.L1(0.3))
    return compiled(sequential((8, 8, 1), *stack, out), IMAGES, DIGITS.target)


def penalty_that_pulls_harder_than_the_data() -> Program:
    strong = keras.regularizers.L2(0.5)
    stack = [layers.Dense(16, activation="relu", kernel_regularizer=strong)]
    out = layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.5))
    return compiled(sequential((64,), *stack, out), PIXELS, DIGITS.target, keras.optimizers.Adam(3e-4), epochs=3)


def output_weights_far_too_large() -> Program:
    wide = keras.initializers.RandomNormal(stddev=10.0)
    out = layers.Dense(10, activation="softmax", kernel_initializer=wide)
    return dense(out, epochs=3)


def one_output_weighs_a_thousand() -> Program:
    model, x, y, settings = two_outputs()
    losses = {"digit": "sparse_categorical_crossentropy", "odd": "binary_crossentropy"}
    model.compile("adam", losses, loss_weights={"digit": 1000.0, "odd": 1.0})
    return model, x, y, settings


def outputs_with_a_heavy_penalty() -> Program:
    hidden = [layers.Dense(size, activation="relu") for size in (32, 8, 32)]
    out = layers.Dense(64, activation="sigmoid", activity_regularizer=keras.regularizers.L1(10.0))
    return compiled(sequential((64,), *hidden, out), PIXELS, PIXELS, loss="mse", epochs=3)


def accuracy_of_numbers() -> Program:
    return with_metrics(regression_on_diabetes(), "accuracy")


def binary_accuracy_of_digits() -> Program:
    return with_metrics(
        dense(layers.Dense(10, activation="softmax"), y=ONE_HOT, loss="categorical_crossentropy"), "binary_accuracy"
    )


def accuracy_of_several_labels() -> Program:
    return with_metrics(multi_label(), "accuracy")


def nearly_everything_dropped() -> Program:
    stack = [layer for _ in range(2) for layer in (layers.Dense(64, activation="relu"), layers.Dropout(0.9))]
    return compiled(sequential((64,), *stack, layers.Dense(10, activation="softmax")), PIXELS, DIGITS.target, epochs=12)


def progression_behind_dropout() -> Program:
    _, x, y, _ = regression_on_diabetes()
    stack = [layer for _ in range(2) for layer in (layers.Dense(32, activation="relu"), layers.Dropout(0.9))]
    return compiled(sequential((10,), *stack, layers.Dense(1)), x, y, loss="mse", epochs=30)


def stopped_after_one_epoch() -> Program:
    return dense(layers.Dense(10, activation="softmax"), epochs=1)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Return 500 points around two close centers, float32[500, 2], and which of the two."""
    rng = np.random.default_rng(16)
    which = rng.integers(0, 2, 500)
    return (0.3 * which[:, None] + rng.normal(0.3, 0.06, (500, 2))).astype("float32"), which


def forty_small_steps() -> Program:
    model = sequential((2,), layers.Dense(3, activation="sigmoid"), layers.Dense(2, activation="softmax"))
    return compiled(model, *blobs(), batch_size=50, epochs=5)


def steps_enough() -> Program:
    model = sequential((2,), layers.Dense(3, activation="sigmoid"), layers.Dense(2, activation="softmax"))
    return compiled(model, *blobs(), keras.optimizers.Adam(0.05), batch_size=25, epochs=20)


def half_learned_by_heart() -> Program:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(260, 30)).astype("float32")
    y = (x[:, :3].sum(axis=1) + 1.5 * rng.normal(size=260) > 0).astype(int)
    model = sequential((30,), *[layers.Dense(128, activation="relu") for _ in range(2)], layers.Dense(1, "sigmoid"))
    return compiled(model, x, y, loss="binary_crossentropy", epochs=40)


def enough_to_learn_the_rule() -> Program:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2000, 30)).astype("float32")
    y = (x[:, :3].sum(axis=1) + 0.5 * rng.normal(size=2000) > 0).astype(int)
    model = sequential((30,), layers.Dense(16, activation="relu"), layers.Dense(1, "sigmoid"))
    return compiled(model, x, y, loss="binary_crossentropy", epochs=10)


def accidents_of_the_samples() -> Program:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(500, 40)).astype("float32"), rng.integers(0, 2, 500)
    model = sequential((40,), layers.Dense(64, activation="relu"), layers.Dense(1, "sigmoid"))
    return compiled(model, x, y, loss="binary_crossentropy", epochs=20)


def yes_and_no_as_signs() -> Program:
    model, x, y, fit = binary_cancer()
    return model, x, 2.0 * y - 1, fit


def rows_and_labels_sorted_apart() -> Program:
    order = np.argsort(PIXELS[:, 20:30].sum(axis=1) + np.random.default_rng(8).normal(0, 0.1, len(PIXELS)))
    shuffled = np.random.default_rng(9).permutation(len(PIXELS))
    x, y = PIXELS[order][shuffled], DIGITS.target[shuffled]
    return compiled(
        sequential((64,), layers.Dense(256, activation="relu"), layers.Dense(10, "softmax")), x, y, epochs=40
    )


def accidents_of_the_targets() -> Program:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(400, 40)).astype("float32"), rng.normal(size=(400, 1))
    return compiled(
        sequential((40,), layers.Dense(64, activation="relu"), layers.Dense(1)), x, y, loss="mse", epochs=20
    )


PAIRS = [
    Pair("loss.fits-task", softmax_twice, dense_on_pixels),
    Pair("loss.fits-task", relu_before_softmax, cnn_with_dropout),
    Pair("loss.fits-task", several_labels_behind_a_softmax, multi_label),
    Pair("loss.fits-task", several_labels_without_activation, multi_label),
    Pair("loss.fits-task", binary_loss_on_three_kinds_of_iris, small_iris),
    Pair("loss.fits-task", squared_error_on_one_hot_digits, dense_on_pixels),
    Pair("loss.fits-task", squared_error_on_yes_or_no, binary_cancer, "warn"),
    Pair("loss.fits-task", absolute_error_on_rare_answers, squared_error_that_leaves_nothing),
    Pair("loss.fits-task", squared_error_on_gray_codes, cross_entropy_on_gray_codes),
    Pair("loss.fits-task", exclusive_or_never_learned, exclusive_or_right_and_unsure),
    Pair("loss.fits-task", waves_behind_a_relu, waves_behind_a_tanh),
    Pair("loss.fits-task", digits_as_numbers, dense_on_pixels),
    Pair("loss.fits-task", ten_digits_for_one_sigmoid, dense_on_pixels),
    Pair("loss.fits-task", cross_entropy_of_numbers, regression_on_diabetes),
    Pair("loss.fits-task", text_behind_one_softmax_unit, embedded_text),
    Pair("loss.fits-task", labels_repeated_by_an_own_loss, regression_on_diabetes),
    Pair("loss.fits-task", yes_and_no_as_signs, binary_cancer),
    Pair("loss.fits-task", one_label_for_a_whole_sequence, lstm_on_sums),
    Pair("loss.decreases", labels_that_say_nothing, tanh_wine),
    Pair("arch.baseline", numbers_that_say_nothing, linear_regression),
    Pair("loss.decreases", sequences_that_say_nothing, lstm_on_sums),
    Pair("loss.at-chance", logits_a_hundredfold, dense_on_pixels),
    Pair("loss.regularization-dominates", crushing_penalty_on_filters, mild_regularization),
    Pair("loss.gradient-dominated", penalty_that_pulls_harder_than_the_data, mild_regularization),
    Pair("loss.steep-drop", output_weights_far_too_large, dense_on_pixels),
    Pair("loss.parts-balanced", one_output_weighs_a_thousand, two_outputs),
    Pair("loss.parts-balanced", outputs_with_a_heavy_penalty, autoencoder),
    Pair("loss.metrics", binary_accuracy_of_digits, dense_on_pixels),
    Pair("loss.metrics", accuracy_of_numbers, regression_on_diabetes),
    Pair("loss.metrics", accuracy_of_several_labels, multi_label, "warn"),
    Pair("loss.underfit-regularized", nearly_everything_dropped, cnn_with_dropout),
    Pair("loss.underfit-regularized", progression_behind_dropout, regression_on_diabetes),
    Pair("loss.keep-training", stopped_after_one_epoch, dense_on_pixels, "warn"),
    Pair("loss.keep-training", forty_small_steps, steps_enough, "warn"),
    Pair("loss.overfit", half_learned_by_heart, enough_to_learn_the_rule),
    Pair("arch.baseline", accidents_of_the_samples, enough_to_learn_the_rule),
    Pair("arch.baseline", rows_and_labels_sorted_apart, dense_on_pixels),
    Pair("arch.baseline", accidents_of_the_targets, linear_regression),
]
