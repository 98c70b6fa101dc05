"""Sound programs of many kinds, on data that scikit-learn ships or that is generated: none of them may fail a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn import datasets
from sklearn.preprocessing import StandardScaler
from sklearn.utils import shuffle

from tests.clinic.pair import Program

DIGITS = datasets.load_digits()
PIXELS = (DIGITS.data / 16).astype("float32")
IMAGES = PIXELS.reshape(-1, 8, 8, 1)
SPARSE = "sparse_categorical_crossentropy"


def standard(columns: np.ndarray) -> np.ndarray:
    """Return columns with zero mean and unit variance, float32."""
    return StandardScaler().fit_transform(columns).astype("float32")


def sequential(shape: tuple[int, ...], *stack: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *stack])


def compiled(model: keras.Model, x: Any, y: Any, optimizer: Any = "adam", loss: Any = SPARSE, **fit: Any) -> Program:
    """Compile a model; the rest is for `fit`, 8 epochs by default."""
    model.compile(optimizer, loss)
    return model, x, y, {"epochs": 8, **fit}


def relu(units: int = 64, **settings: Any) -> keras.Layer:
    return layers.Dense(units, activation="relu", **settings)


def softmax(units: int = 10, **settings: Any) -> keras.Layer:
    return layers.Dense(units, activation="softmax", **settings)


def dense_on_pixels() -> Program:
    model = sequential((64,), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax"))
    return compiled(model, PIXELS, DIGITS.target)


def dense_with_momentum_and_logits() -> Program:
    model = sequential((64,), *[layers.Dense(64, activation="relu") for _ in range(2)], layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(model, standard(DIGITS.data), DIGITS.target, keras.optimizers.SGD(0.05, momentum=0.9), loss)


def cnn_with_dropout() -> Program:
    convolutions = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()]
    convolutions.append(layers.Conv2D(64, 2, activation="relu"))
    head = [layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
    return compiled(sequential((8, 8, 1), *convolutions, *head), IMAGES, DIGITS.target, batch_size=64)


def cnn_with_batch_normalization() -> Program:
    blocks = [
        layer
        for filters in (16, 32, 32)
        for layer in (layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU())
    ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    optimizer = keras.optimizers.Adam(3e-3)
    return compiled(sequential((8, 8, 1), *blocks, *head), IMAGES, DIGITS.target, optimizer, epochs=5)


def raw_pixels_rescaled_in_the_model() -> Program:
    stack = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(64, activation="relu")]
    model = sequential((8, 8, 1), *stack, layers.Dense(10, activation="softmax"))
    return compiled(model, IMAGES * 255, DIGITS.target)


def small_iris() -> Program:
    x, y = shuffle(*datasets.load_iris(return_X_y=True), random_state=0)  # validation takes the last rows
    model = sequential((4,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    settings = {"epochs": 40, "batch_size": 16}
    return compiled(model, standard(x), y, keras.optimizers.Adam(0.01), **settings)


def tanh_wine() -> Program:
    x, y = shuffle(*datasets.load_wine(return_X_y=True), random_state=0)
    model = sequential((13,), layers.Dense(32, activation="tanh"), layers.Dense(3, activation="softmax"))
    labels = keras.utils.to_categorical(y)
    return compiled(model, standard(x), labels, loss="categorical_crossentropy", epochs=40)


def binary_cancer() -> Program:
    x, y = shuffle(*datasets.load_breast_cancer(return_X_y=True), random_state=0)
    hidden = [layers.Dense(16, activation="relu"), layers.Dense(8, activation="relu")]
    model = sequential((30,), *hidden, layers.Dense(1, activation="sigmoid"))
    return compiled(model, standard(x), y, "rmsprop", "binary_crossentropy", epochs=20)


def regression_on_diabetes() -> Program:
    data = datasets.load_diabetes()
    model = sequential((10,), layers.Dense(32, activation="relu"), layers.Dense(1))
    return compiled(model, standard(data.data), standard(data.target[:, None]), loss="mse", epochs=30)


def linear_regression() -> Program:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5)).astype("float32")
    y = x @ np.array([1, 2, -1, 0.5, 0]) + 0.1 * rng.normal(size=600)
    return compiled(sequential((5,), layers.Dense(1)), x, y, keras.optimizers.SGD(0.01), "mse", epochs=10)


def autoencoder() -> Program:
    code = [layers.Dense(size, activation="relu") for size in (32, 8, 32)]
    model = sequential((64,), *code, layers.Dense(64, activation="sigmoid"))
    return compiled(model, PIXELS, PIXELS, loss="mse", epochs=15)


def lstm_on_sums() -> Program:
    x = np.random.default_rng(0).normal(size=(1200, 20, 3)).astype("float32")
    model = sequential((20, 3), layers.LSTM(32), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, (x[:, :, 0].sum(axis=1) > 0).astype("float32"), loss="binary_crossentropy")


def flat_windows_in_order() -> Program:
    day = np.arange(1500)
    series = np.sin(2 * np.pi * day / 30) + 0.2 * np.random.default_rng(2).normal(size=1500)
    x = np.lib.stride_tricks.sliding_window_view(series[:-1], 20).astype("float32")
    convolution = [layers.Reshape((20, 1)), layers.Conv1D(16, 5, activation="relu"), layers.Flatten()]
    return compiled(sequential((20,), *convolution, layers.Dense(1)), x, series[20:], loss="mae", shuffle=False)


def embedded_text() -> Program:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1500)
    x = rng.integers(1, 200, (1500, 30))
    x[y == 1, :6] = rng.integers(1, 40, (int(y.sum()), 6))
    stack = [layers.Embedding(200, 16), layers.GlobalAveragePooling1D(), layers.Dense(16, activation="relu")]
    model = sequential((30,), *stack, layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, loss="binary_crossentropy", epochs=15)


def attention() -> Program:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 50, (1500, 16))
    tokens = keras.Input((16,))
    embedded = layers.Embedding(50, 16)(tokens)
    attended = layers.LayerNormalization()(embedded + layers.MultiHeadAttention(2, 8)(embedded, embedded))
    forward = layers.Dense(16)(layers.Dense(32, activation="gelu")(attended))
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(attended + forward))
    model = keras.Model(tokens, layers.Dense(2, activation="softmax")(pooled))
    return compiled(model, x, ((x < 10).sum(axis=1) > 3).astype(int), keras.optimizers.Adam(2e-3))


class WordsAndPlaces(layers.Layer):
    """Embed words and add where they stand, as Keras's example of a transformer does."""

    def __init__(self, words: int, length: int, units: int) -> None:
        super().__init__()
        self.word, self.place = layers.Embedding(words, units), layers.Embedding(length, units)

    def call(self, x: Any) -> Any:
        return self.word(x) + self.place(keras.ops.arange(0, keras.ops.shape(x)[-1]))


def attention_with_places() -> Program:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 40, (1500, 12))
    tokens = keras.Input((12,))
    embedded = WordsAndPlaces(40, 12, 16)(tokens)
    attended = layers.LayerNormalization()(embedded + layers.MultiHeadAttention(2, 8)(embedded, embedded))
    pooled = layers.GlobalAveragePooling1D()(attended)
    model = keras.Model(tokens, softmax(2)(relu(16)(pooled)))
    return compiled(model, x, ((x < 8).sum(axis=1) > 2).astype(int), keras.optimizers.Adam(2e-3))


def fine_tuned_at_a_low_rate() -> Program:
    model = sequential((64,), relu(), layers.Dropout(0.2), softmax())
    compiled(model, PIXELS, DIGITS.target)
    model.fit(PIXELS[:1437], DIGITS.target[:1437], epochs=2, verbose=0)
    return compiled(model, PIXELS, DIGITS.target, keras.optimizers.Adam(1e-6))


def eight_layers_he() -> Program:
    hidden = [layers.Dense(64, activation="relu", kernel_initializer="he_normal") for _ in range(8)]
    model = sequential((64,), *hidden, layers.Dense(10, activation="softmax"))
    return compiled(model, standard(DIGITS.data), DIGITS.target)


def four_layers_tanh() -> Program:
    hidden = [layers.Dense(48, activation="tanh") for _ in range(4)]
    model = sequential((64,), *hidden, layers.Dense(10, activation="softmax"))
    return compiled(model, standard(DIGITS.data), DIGITS.target, keras.optimizers.SGD(0.1))


def mild_regularization() -> Program:
    hidden = layers.Dense(128, activation="relu", kernel_regularizer="l2")
    out = layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.L2(1e-3))
    return compiled(sequential((64,), hidden, layers.Dropout(0.2), out), PIXELS, DIGITS.target, epochs=12)


def softmax_regression() -> Program:
    model = sequential((64,), layers.Dense(10, activation="softmax"))
    return compiled(model, PIXELS, DIGITS.target, keras.optimizers.SGD(0.1), epochs=10)


def multi_label() -> Program:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 20)).astype("float32")
    model = sequential((20,), layers.Dense(32, activation="relu"), layers.Dense(5, activation="sigmoid"))
    return compiled(model, x, (x @ rng.normal(size=(20, 5)) > 0).astype("float32"), loss="binary_crossentropy")


def two_outputs() -> Program:
    pixels = keras.Input((64,))
    hidden = layers.Dense(64, activation="relu")(pixels)
    outputs = {
        "digit": layers.Dense(10, activation="softmax", name="digit")(hidden),
        "odd": layers.Dense(1, activation="sigmoid", name="odd")(hidden),
    }
    labels = {"digit": DIGITS.target, "odd": DIGITS.target % 2}
    loss = {"digit": SPARSE, "odd": "binary_crossentropy"}
    return compiled(keras.Model(pixels, outputs), PIXELS, labels, loss=loss)


HEALTHY: tuple[Callable[[], Program], ...] = (
    dense_on_pixels,
    dense_with_momentum_and_logits,
    cnn_with_dropout,
    cnn_with_batch_normalization,
    raw_pixels_rescaled_in_the_model,
    small_iris,
    tanh_wine,
    binary_cancer,
    regression_on_diabetes,
    linear_regression,
    autoencoder,
    lstm_on_sums,
    flat_windows_in_order,
    embedded_text,
    attention,
    attention_with_places,
    fine_tuned_at_a_low_rate,
    eight_layers_he,
    four_layers_tanh,
    mild_regularization,
    softmax_regression,
    multi_label,
    two_outputs,
)
