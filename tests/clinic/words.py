"""Programs that read sequences: padding behind their end, words that nobody knows, and a head that reads one step."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tests.clinic.healthy import DIGITS, IMAGES, compiled, sequential, softmax
from tests.clinic.pair import Pair, Program

TOPICS = ["goal team match", "vote law party", "cell virus gene", "share bank price"]
OTHERS = "a the of and in to was with for from by on"


def _gestures() -> tuple[np.ndarray, np.ndarray]:
    """Return movements of 8 to 20 steps, float32[900, 160, 2], zeros behind their end, and which of 3 each one is."""
    rng = np.random.default_rng(31)
    x, kinds = np.zeros((900, 160, 2), "float32"), rng.integers(0, 3, 900)
    for movement, kind in zip(x, kinds, strict=True):
        steps = rng.integers(8, 21)
        angle = (0, 0.5, -0.5)[kind] * np.arange(steps) + rng.uniform(0, 6)
        movement[:steps] = np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.2, (steps, 2))
    return x, kinds


def _gesture_reader(*first: keras.Layer) -> Program:
    model = sequential((160, 2), *first, layers.GRU(12), softmax(3))
    return compiled(model, *_gestures(), keras.optimizers.Adam(0.003), epochs=10)


def gestures_with_padding() -> Program:
    return _gesture_reader()


def gestures_without_padding() -> Program:
    return _gesture_reader(layers.Masking())


def _topics(vocabulary: str) -> Program:
    """Return a program on sentences of 6 to 11 words, four of them of the sentence's topic."""
    rng, lookup = np.random.default_rng(32), layers.StringLookup(vocabulary=vocabulary.split(), mask_token="")
    x, y = np.zeros((1200, 12), "int32"), rng.integers(0, 4, 1200)
    for row, topic in zip(x, y, strict=True):
        words = [*rng.choice(OTHERS.split(), rng.integers(2, 8)), *rng.choice(TOPICS[topic].split(), 4)]
        row[: len(words)] = np.asarray(lookup(rng.permutation(words)))
    pooled = [layers.Embedding(30, 8, mask_zero=True), layers.GlobalAveragePooling1D()]
    model = sequential((12,), *pooled, softmax(4))
    return compiled(model, x, y, keras.optimizers.Adam(0.01))


def topics_of_unknown_words() -> Program:
    return _topics(" ".join([*TOPICS, OTHERS]).title())


def topics_of_known_words() -> Program:
    return _topics(" ".join([*TOPICS, OTHERS]))


def _row_by_row(step: int) -> Program:
    """Return a program that reads a digit row by row and answers from what a layer holds after one of the rows."""
    cut = layers.Cropping1D((step, 7 - step))
    stack = [layers.Reshape((8, 8)), layers.GRU(32, return_sequences=True), cut, layers.Flatten(), softmax()]
    return compiled(sequential((8, 8, 1), *stack), IMAGES, DIGITS.target, keras.optimizers.Adam(0.003), epochs=10)


def answered_from_the_first_row() -> Program:
    return _row_by_row(0)


def answered_from_the_last_row() -> Program:
    return _row_by_row(7)


PAIRS = [
    Pair("data.sane-inputs", gestures_with_padding, gestures_without_padding),
    Pair("data.sane-inputs", topics_of_unknown_words, topics_of_known_words),
    Pair("arch.dimensions", answered_from_the_first_row, answered_from_the_last_row, "warn"),
]
