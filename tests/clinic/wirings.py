"""Programs whose parts are joined wrongly: losses that read too little, answers among the inputs, labels made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from tests.clinic.healthy import DIGITS, IMAGES, PIXELS, compiled, relu, sequential, softmax, standard
from tests.clinic.pair import Pair, Program

WINE, CANCER, DIABETES = datasets.load_wine(), datasets.load_breast_cancer(), datasets.load_diabetes()
BINARY = "binary_crossentropy"
ORDER = np.random.default_rng(3).permutation(len(WINE.target))
WINES, KINDS = standard(WINE.data)[ORDER], WINE.target[ORDER]


def ranked(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Program:
    """Return a model that is to rank one wine above another by its alcohol, and reads its two scores in some way."""

    def cost(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.softplus(second(y_pred) - first(y_pred)))

    x, known = standard(WINE.data)[ORDER], [pairs_of(0, 130, 2000), pairs_of(130, 178, 400)]
    score = keras.Sequential([keras.Input((13,)), relu(16), layers.Dense(1)])
    inputs = [keras.Input((13,)), keras.Input((13,))]
    model = keras.Model(inputs, layers.Concatenate()([score(one) for one in inputs]))
    (x_train, y_train), held_out = [([x[one] for one in pairs], np.zeros((len(pairs[0]), 1))) for pairs in known]
    return compiled(model, x_train, y_train, loss=cost, epochs=6, validation_data=held_out)


def pairs_of(first: int, last: int, count: int) -> np.ndarray:
    """Return places of two wines each, of which the first has more alcohol, int[2, count]."""
    pairs = np.random.default_rng(0).integers(first, last, (2, count))
    alcohol = WINE.data[ORDER, 0][pairs]
    return np.where(alcohol[0] > alcohol[1], pairs, pairs[::-1])


def two_wines_of_each_batch() -> Program:
    return ranked(lambda scores: scores[0], lambda scores: scores[1])


def two_scores_of_each_pair() -> Program:
    return ranked(lambda scores: scores[:, 0], lambda scores: scores[:, 1])


def scaled_by_a_variable_of_the_loss() -> Program:
    """The width of the errors is to be learned beside the answers, by nobody."""
    log_width = tf.Variable(2.0)

    def likelihood(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(0.5 * ops.square((y_true - y_pred) / ops.exp(log_width)) + log_width)

    return regression(likelihood)


def scaled_by_a_number_of_the_loss() -> Program:
    return regression(lambda y_true, y_pred: ops.mean(0.5 * ops.square((y_true - y_pred) / 0.7)))


def regression(loss: Any) -> Program:
    y = standard(DIABETES.target[:, None])
    return compiled(sequential((10,), relu(16), layers.Dense(1)), standard(DIABETES.data), y, loss=loss, epochs=30)


class Weighed(layers.Layer):
    """Adds up the rows of an image, each weighed by a share that a Dense layer gives it."""

    def __init__(self, scores: keras.Layer):
        super().__init__()
        self.scores = scores

    def call(self, x: Any) -> Any:
        return ops.sum(x * self.scores(x), axis=1)


def rows_weighed_one_by_one() -> Program:
    weighed = Weighed(layers.Dense(1, activation="softmax"))
    model = sequential((8, 8), layers.Dense(32, activation="tanh"), weighed, softmax())
    return compiled(model, DIGITS.images / 16, DIGITS.target)


def rows_weighed_against_each_other() -> Program:
    scores = keras.Sequential([layers.Dense(1), layers.Softmax(axis=1)])
    hidden = layers.Dense(32, activation="tanh")
    stack = [hidden, Weighed(scores), softmax()]
    return compiled(sequential((8, 8), *stack), DIGITS.images / 16, DIGITS.target, keras.optimizers.Adam(5e-3))


def half_of_a_cross_entropy() -> Program:
    def missed(y_true: Any, y_pred: Any) -> Any:
        return -ops.mean(y_true * ops.log(y_pred + 1e-7))

    return denoised(missed)


def whole_cross_entropy() -> Program:
    return denoised("binary_crossentropy")


def denoised(loss: Any) -> Program:
    stack = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
    noisy = IMAGES + np.random.default_rng(0).normal(0, 0.2, IMAGES.shape)
    model = sequential((8, 8, 1), *stack, layers.Conv2D(1, 1, activation="sigmoid"))
    return compiled(model, noisy, IMAGES, keras.optimizers.Adam(5e-3), loss)


def visits(loss: str) -> Program:
    """Return a model of how often somebody came, which for many is never."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1500, 4)).astype("float32")
    y = rng.poisson(np.exp(x[:, 0] + 0.5 * x[:, 1])).astype("float32")
    return compiled(sequential((4,), relu(32), layers.Dense(1)), x, y, keras.optimizers.Adam(3e-3), loss, epochs=12)


def percentages_of_no_visit() -> Program:
    return visits("mape")


def differences_of_visits() -> Program:
    return visits("mae")


def dropout_behind_the_answer() -> Program:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), softmax(), layers.Dropout(0.3)]
    return compiled(sequential((8, 8, 1), *stack), IMAGES, DIGITS.target)


def dropout_before_the_answer() -> Program:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.3), softmax()]
    return compiled(sequential((8, 8, 1), *stack), IMAGES, DIGITS.target)


def gaps(value: float) -> Program:
    """Return a program on measurements of which every fifth of one column in three was lost."""
    rng = np.random.default_rng(1)
    mixed = rng.permutation(len(CANCER.target))
    lost = (rng.random(CANCER.data.shape) < 0.2) & (np.arange(30) % 3 == 0)
    x = np.where(lost, np.nan, CANCER.data)
    x = standard(np.where(lost, np.nanmean(x, axis=0) if np.isnan(value) else value, x))
    model = sequential((30,), relu(16), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x[mixed], CANCER.target[mixed], loss=BINARY, epochs=12)


def gaps_marked_by_a_number() -> Program:
    return gaps(-99999.0)


def gaps_filled_with_the_mean() -> Program:
    return gaps(float("nan"))


def sorted_numbers(moved: bool) -> Program:
    """Return a model that reads numbers and writes them in order, one after the other."""
    numbers = np.random.default_rng(2).integers(1, 9, (2500, 4))
    ordered = np.sort(numbers, axis=1)
    told = np.pad(ordered[:, :-1], ((0, 0), (1, 0))) if moved else ordered
    read, written = keras.Input((4,)), keras.Input((4,))
    state = layers.GRU(48)(layers.Embedding(9, 16)(read))
    states = layers.GRU(48, return_sequences=True)(layers.Embedding(9, 16)(written), initial_state=state)
    model = keras.Model([read, written], softmax(9)(states))
    return compiled(model, [numbers, told], ordered, keras.optimizers.Adam(5e-3), batch_size=64, epochs=10)


def given_the_numbers_to_write() -> Program:
    return sorted_numbers(moved=False)


def given_the_numbers_before() -> Program:
    return sorted_numbers(moved=True)


def kinds_numbered(twice: bool) -> Program:
    """Return a program that is validated on all digits but zeros, perhaps numbered without them."""
    held_out = np.arange(1200, 1797)[DIGITS.target[1200:] != 0]
    x, y = PIXELS[held_out], DIGITS.target[held_out] - int(twice)
    settings = {"validation_data": (x, y), "epochs": 12}
    return compiled(sequential((64,), relu(48), softmax()), PIXELS[:1200], DIGITS.target[:1200], **settings)


def numbered_anew_for_validation() -> Program:
    return kinds_numbered(twice=True)


def numbered_once() -> Program:
    return kinds_numbered(twice=False)


def scaled_in_the_model(adapted: bool) -> Program:
    scaled = layers.Normalization()
    if adapted:
        scaled.adapt(WINE.data[ORDER])
    model = sequential((13,), scaled, layers.Dense(16, activation="tanh"), softmax(3))
    return compiled(model, WINE.data[ORDER], KINDS, keras.optimizers.Adam(0.01), epochs=12, batch_size=16)


def scaled_by_nothing() -> Program:
    return scaled_in_the_model(adapted=False)


def scaled_by_adapted_numbers() -> Program:
    return scaled_in_the_model(adapted=True)


def shares(kind: str) -> Program:
    """Return a model of the share of pixels that are set, as numbers of some kind."""
    y = (IMAGES > 0.5).mean(axis=(1, 2, 3)).astype(kind)
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    return compiled(sequential((8, 8, 1), *stack), IMAGES, y, loss=BINARY, epochs=4)


def shares_as_whole_numbers() -> Program:
    return shares("int32")


def shares_as_they_are() -> Program:
    return shares("float32")


def smoothed(series: Any, targets: Any) -> Program:
    """Return a model that reads windows of twelve values and tells a number that goes with each."""
    windows = np.lib.stride_tricks.sliding_window_view(series, 12)[: len(targets), :, None]
    stack = [layers.Conv1D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(1)]
    return compiled(sequential((12, 1), *stack), windows, targets[: len(windows)], loss="mse", epochs=8)


def series_with_noise() -> np.ndarray:
    times = np.arange(1600)
    return (np.sin(times / 5) + 0.2 * np.random.default_rng(4).normal(size=1600)).astype("float32")


def first_value_of_the_window() -> Program:
    series = series_with_noise()
    return smoothed(series, series)


def value_behind_the_window() -> Program:
    series = series_with_noise()
    return smoothed(series, series[12:])


PAIRS = [
    Pair("arch.dimensions", two_wines_of_each_batch, two_scores_of_each_pair),
    Pair("arch.frozen", scaled_by_a_variable_of_the_loss, scaled_by_a_number_of_the_loss, "warn"),
    Pair("arch.dimensions", rows_weighed_one_by_one, rows_weighed_against_each_other),
    Pair("loss.fits-task", half_of_a_cross_entropy, whole_cross_entropy),
    Pair("loss.fits-task", percentages_of_no_visit, differences_of_visits),
    Pair("loss.fits-task", dropout_behind_the_answer, dropout_before_the_answer),
    Pair("data.sane-inputs", gaps_marked_by_a_number, gaps_filled_with_the_mean, "warn"),
    Pair("data.sane-inputs", given_the_numbers_to_write, given_the_numbers_before, "warn"),
    Pair("data.split-preprocessing", numbered_anew_for_validation, numbered_once),
    Pair("data.sane-inputs", scaled_by_nothing, scaled_by_adapted_numbers),
    Pair("data.single-label-batches", shares_as_whole_numbers, shares_as_they_are),
    Pair("data.sane-inputs", first_value_of_the_window, value_behind_the_window, "warn"),
]
