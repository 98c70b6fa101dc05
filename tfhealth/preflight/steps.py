"""(clone, batch) -> one step of a training, as `fit` takes it, and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

__all__ = ["ready", "stepped"]


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
