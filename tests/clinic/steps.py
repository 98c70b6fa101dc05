"""Programs that answer each step of a sequence or each pixel of an image, and what the loss sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from tests.clinic.healthy import compiled, sequential
from tests.clinic.pair import Pair, Program


def _events() -> tuple[Any, Any]:
    """Return recordings, float32[400, 30, 2], and what goes on at each of their steps: rest, a rise or a fall."""
    rng = np.random.default_rng(20)
    x, y = rng.normal(0, 0.3, (400, 30, 2)), np.zeros((400, 30), int)
    for signal, kinds in zip(x, y, strict=True):
        kind, begin, length = rng.integers(1, 3), rng.integers(0, 15), rng.integers(6, 14)
        signal[begin : begin + length] += (2.0, -1.0) if kind == 1 else (-1.0, 2.0)
        kinds[begin : begin + length] = kind
    return x.astype("float32"), y


def _tagger(last: Any, x: Any, y: Any, **fit: Any) -> Program:
    convolutions = [layers.Conv1D(24, 5, padding="same", activation="relu") for _ in range(2)]
    return compiled(sequential(x.shape[1:], *convolutions, layers.Dense(4), last), x, y, **{"epochs": 12, **fit})


def steps_against_each_other() -> Program:
    return _tagger(layers.Softmax(axis=1), *_events())


def classes_against_each_other() -> Program:
    return _tagger(layers.Softmax(), *_events())


def _with_gaps() -> tuple[Any, Any, Any]:
    """Return recordings that end early, float32[400, 30, 2], labels of class 3 behind the end, and 1 before it."""
    x, y = _events()
    there = np.arange(30) < np.random.default_rng(21).integers(12, 26, (400, 1))
    return x * there[..., None], np.where(there, y, 3), there.astype("float32")


def weights_on_what_is_missing() -> Program:
    x, y, there = _with_gaps()
    return _tagger(layers.Softmax(), x, y, sample_weight=1 - there)


def weights_on_what_is_there() -> Program:
    x, y, there = _with_gaps()
    return _tagger(layers.Softmax(), x, y, sample_weight=there)


PAIRS = [
    Pair("loss.fits-task", steps_against_each_other, classes_against_each_other),
    Pair("loss.fits-task", weights_on_what_is_missing, weights_on_what_is_there),
]
