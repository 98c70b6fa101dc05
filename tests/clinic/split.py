"""What inputs must not know: samples of validation data in training data, and the target among the features."""

from __future__ import annotations

import numpy as np
from keras import layers
from sklearn import datasets
from sklearn.utils import shuffle

from tests.clinic.healthy import compiled, relu, sequential, softmax, standard
from tests.clinic.pair import Pair, Program

CANCER = datasets.load_breast_cancer()


def _rare() -> tuple[np.ndarray, np.ndarray]:
    """Return measurements, float32[407, 30], of which 50 are of class 0."""
    kept = np.concatenate([np.flatnonzero(CANCER.target == 0)[:50], np.flatnonzero(CANCER.target == 1)])
    return shuffle(standard(CANCER.data[kept]), CANCER.target[kept], random_state=0)


def _repeated(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same with every sample of class 0 seven times."""
    rows = np.repeat(np.arange(len(y)), np.where(y == 0, 7, 1))
    return shuffle(x[rows], y[rows], random_state=1)


def repeated_before_the_split() -> Program:
    x, y = _repeated(*_rare())
    return compiled(sequential((30,), relu(32), softmax(2)), x, y, epochs=6, validation_split=0.3)


def never_repeated() -> Program:
    return compiled(sequential((30,), relu(32), softmax(2)), *_rare(), epochs=6, validation_split=0.3)


def _sums() -> tuple[np.ndarray, np.ndarray]:
    """Return measurements, float32[600, 6], and a noisy sum of some of them, float32[600]."""
    rng = np.random.default_rng(23)
    x = rng.normal(size=(600, 6)).astype("float32")
    return x, (x @ [1, -1, 0.5, 0, 0, 0] + 0.3 * rng.normal(size=600)).astype("float32")


def total_among_its_parts() -> Program:
    x, y = _sums()
    return compiled(sequential((7,), relu(32), layers.Dense(1)), np.c_[x, 0.4 * y + 0.1], y, loss="mse", epochs=12)


def parts_alone() -> Program:
    return compiled(sequential((6,), relu(32), layers.Dense(1)), *_sums(), loss="mse", epochs=12)


PAIRS = [
    Pair("data.split-leak", repeated_before_the_split, never_repeated),
    Pair("data.sane-inputs", total_among_its_parts, parts_alone, "warn"),
]
