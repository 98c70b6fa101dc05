"""Gradients and what one step changes, of a clone -> nothing, or an AssertionError with what was seen."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.errors import UsageError
from tfhealth.experiments import Inapplicable, find
from tfhealth.testing.trial import that, tried

__all__ = ["assert_gradients_flow", "assert_gradients_match", "assert_only_trainable_weights_move"]


def assert_gradients_flow(model: Any, x: Any, y: Any = None) -> None:
    """Assert that the loss has a finite gradient with respect to every trainable variable, and none is zero.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used.
        y: targets, where x is arrays.

    Example:
        >>> assert_gradients_flow(model, x_train[:32], y_train[:32])
    """
    with tried(model, x, y) as trial:
        clone, batch = trial.model(), trial.batch(trial.batch_size)
        clone.train_on_batch(*batch)  # builds what its first batch builds
        inputs, targets = (keras.tree.map_structure(tf.convert_to_tensor, part) for part in batch)
        with tf.GradientTape() as tape:
            loss = clone.compute_loss(x=inputs, y=targets, y_pred=clone(inputs, training=True))
        variables = [one.value for one in clone.trainable_variables]
        found = dict(zip([one.path for one in clone.trainable_variables], tape.gradient(loss, variables), strict=True))
    faults = [f"{path}: {fault}" for path, gradient in found.items() if (fault := _fault(gradient))]
    that(not faults, "gradients do not flow:\n  " + "\n  ".join(faults))


def assert_gradients_match(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-3) -> None:
    """Assert that the gradients of a few weights of each variable agree with finite differences in float64.

    Args:
        model: a compiled model.
        x: what `fit` takes; eight samples are used.
        y: targets, where x is arrays.
        tolerance: the largest relative error.

    Raises:
        UsageError: the model cannot be checked; the text says why.

    Example:
        >>> assert_gradients_match(model, x_train[:32], y_train[:32])
    """
    told: list[str] = []
    with tried(model, x, y, told.append) as trial:
        try:
            errors = find("gradient_check").run(trial)["error"]
        except Inapplicable as reason:
            raise UsageError(f"gradients cannot be checked: {reason}") from reason
    worst = max(errors)
    that(worst <= tolerance, f"gradients are off by {worst:.3g}, at most {tolerance:g}: {'; '.join(told)}")


def assert_only_trainable_weights_move(model: Any, x: Any, y: Any = None) -> None:
    """Assert that one step of training changes every trainable variable, and no frozen one.

    Moving statistics, as of batch normalization, are no weights; they may change where their layer is trained.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used.
        y: targets, where x is arrays.

    Example:
        >>> assert_only_trainable_weights_move(model, x_train[:32], y_train[:32])
    """
    with tried(model, x, y) as trial:
        clone, batch = trial.model(), trial.batch(trial.batch_size)
        clone.predict_on_batch(batch[0])  # builds what its first batch builds
        frozen = [one for layer in clone._flatten_layers() if not layer.trainable for one in layer.weights]
        before = {one.path: np.array(one) for one in clone.weights}
        clone.train_on_batch(*batch)
        moved = {one.path: not np.array_equal(before[one.path], np.array(one)) for one in clone.weights}
    stood = [one.path for one in clone.trainable_variables if not moved[one.path]]
    wandered = [path for path in dict.fromkeys(one.path for one in frozen) if moved[path]]
    that(not stood, f"a step of training did not change {', '.join(stood)}, which may be trained")
    that(not wandered, f"a step of training changed {', '.join(wandered)}, which is frozen")


def _fault(gradient: Any) -> str:
    if gradient is None:
        return "none, the loss does not depend on it"
    size = float(tf.linalg.global_norm([gradient]))
    return "not finite" if not math.isfinite(size) else "zero" if size == 0 else ""
