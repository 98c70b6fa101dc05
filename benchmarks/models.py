"""A name -> a compiled model and batches of its size: a dense net, a CNN, an LSTM, a small Transformer."""

import keras
import numpy as np
from keras import layers

CLASSES, WORDS = 10, 1000


def dense():
    hidden = [layers.Dense(256, activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(CLASSES)]), 64


def cnn():
    blocks = [
        layer
        for filters in (16, 32, 64)
        for layer in (
            layers.Conv2D(filters, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
        )
    ]
    return keras.Sequential([keras.Input((32, 32, 3)), *blocks, layers.Flatten(), layers.Dense(CLASSES)]), 32


def lstm():
    return keras.Sequential([keras.Input((40, 16)), layers.LSTM(64), layers.Dense(CLASSES)]), 32


def transformer():
    words = keras.Input((32,), dtype="int32")
    x = layers.Embedding(WORDS, 64)(words)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, activation="gelu")(x)))
    return keras.Model(words, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x))), 32


MODELS = {"dense": dense, "cnn": cnn, "lstm": lstm, "transformer": transformer}


def compiled(name, **settings):
    """Return a model of this name, compiled, and its batch size; settings as of `compile`."""
    keras.utils.set_random_seed(0)
    model, batch = MODELS[name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, **settings)
    return model, batch


def data(model, count):
    """Return inputs and labels of `count` samples, of noise."""
    rng, shape = np.random.default_rng(0), (count, *model.input_shape[1:])
    words = model.inputs[0].dtype == "int32"
    x = rng.integers(0, WORDS, shape, "int32") if words else rng.normal(size=shape).astype("float32")
    return x, rng.integers(0, CLASSES, count)
