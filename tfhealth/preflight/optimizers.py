"""An optimizer -> another one like it, its learning rate, and how to put both it and its model back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["optimizer_like", "rate_of", "restarter", "stepped_already"]


def optimizer_like(optimizer: Any, changes: Mapping[str, Any]) -> Any:
    """Return an optimizer made from the settings of another as they stand now, and from other ones for some of them."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        settings = {key: value for key, value in optimizer.get_config().items() if key != "inner_optimizer"}
        return type(optimizer)(optimizer_like(optimizer.inner_optimizer, changes), **settings)
    return type(optimizer).from_config({**optimizer.get_config(), **changes})


def rate_of(optimizer: Any) -> float:
    """Return the learning rate; of a schedule the highest that it reaches in 10,000 steps."""
    given = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate  # a schedule is seen nowhere else
    if isinstance(given, keras.optimizers.schedules.LearningRateSchedule):
        return max(float(tf.convert_to_tensor(given(step))) for step in (0, 1, 10, 100, 1000, 10_000))
    return float(tf.convert_to_tensor(optimizer.learning_rate))  # which a strategy mirrors


def stepped_already(optimizer: Any) -> bool:
    """Whether an optimizer took a step."""
    return int(tf.convert_to_tensor(optimizer.iterations)) > 0  # which a strategy mirrors


def restarter(model: Any) -> Callable[[], None]:
    """Return what puts a built model and its optimizer back to where they are now; compiled functions are kept."""
    model.optimizer.build(model.trainable_variables)
    kept = [(one, np.array(one)) for one in (*model.variables, *model.optimizer.variables)]

    def back() -> None:
        for variable, value in kept:
            variable.assign(value)

    return back
