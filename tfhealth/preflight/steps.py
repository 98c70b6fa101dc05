"""(clone, batch) -> one step of a training, as `fit` takes it, and its loss; and which samples are in a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfhealth.series import Ints

__all__ = ["drawn", "ready", "stepped"]


def drawn(count: int, size: int, seed: int | None) -> Iterator[Ints]:
    """Yield the rows of batches without end, int64[size], epoch by epoch without what is left over.

    Args:
        count: how many samples there are.
        size: of a batch, at most the count.
        seed: of the order; None for the order of the samples.
    """
    generator, left = np.random.default_rng(seed), np.empty(0, np.int64)
    while True:
        if len(left) < size:
            left = np.arange(count) if seed is None else generator.permutation(count)
        yield left[:size]
        left = left[size:]


def ready(model: Any) -> None:
    """Make what the optimizer keeps of each weight, else TensorFlow traces the first step twice."""
    ordinary = type(model).train_step is keras.Model.train_step
    if ordinary and model.built and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def stepped(model: Any, x: Any, y: Any, weight: Any) -> float:
    """Take one step on a batch as `fit` does, and return the loss.

    `train_on_batch` always passes three values, which a train step of the user's own need not expect.
    """
    batch = keras.utils.pack_x_y_sample_weight(x, y, weight)
    model._maybe_symbolic_build(data_batch=batch)
    model.make_train_function()
    model.reset_metrics()  # else Keras returns a mean over all steps so far
    logs = model.train_function(iter([batch]))
    if not isinstance(logs, Mapping) or "loss" not in logs:
        raise ValueError("the model's own train step returns no 'loss'")
    return float(np.mean(logs["loss"]))
