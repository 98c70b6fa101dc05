"""A model and a loss -> the step that two hand-written loops over replicas take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def replicated_step(model: Any, losses: Any, strategy: Any) -> Callable[[Any], Any]:
    """Return a compiled step on a distributed batch (x, y), which returns the sum of the replicas' losses."""

    def replica_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = losses(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    @tf.function
    def step(batch: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(replica_step, batch), axis=None)

    return step
