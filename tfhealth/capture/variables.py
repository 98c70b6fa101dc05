"""A variable, and the gradient that an optimizer was given of it -> what is known of them without their values."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tfhealth.capture.initializers import described, initializer_of, looks_drawn
from tfhealth.series import Attribute

__all__ = ["negated", "variable_attributes"]

_ROLES = ("recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "kernel", "bias", "gamma", "beta", "embeddings")


def variable_attributes(variable: Any, layer: Any, nested: bool, position: int) -> dict[str, Attribute]:
    """Return what is known of a variable without its values."""
    name = str(variable.name)
    shape = tuple(int(size) for size in variable.shape)
    return {
        "layer": type(layer).__name__ if layer is not None else None,
        "role": next((role for role in _ROLES if name == role), "other"),
        "shape": str(shape),
        "parameters": math.prod(shape),
        "units": shape[-1] if shape else 1,
        "trainable": bool(variable.trainable),
        "stuck": False if variable.trainable else looks_drawn(variable, initializer_of(variable, layer)),
        "forgotten": False,
        "nested": nested,
        "position": position,
        **described(variable, layer),
        **_regularizer(variable),
    }


def _regularizer(variable: Any) -> dict[str, Attribute]:
    """Return the class of a variable's regularizer, and its strength where it is one of Keras's."""
    regularizer = getattr(variable, "regularizer", None)
    strengths = [getattr(regularizer, name, None) for name in ("l1", "l2", "factor")]
    known = [float(one) for one in strengths if one is not None]
    return {
        "regularizer": None if regularizer is None else type(regularizer).__name__,
        "strength": sum(known) if known else None,
    }


def negated(gradient: Any) -> bool | None:
    """Tell whether a step turned the sign of a gradient last before it gave it away; None where nothing is compiled."""
    tensor = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
    if tensor is None or tf.is_symbolic_tensor(tensor) is False:
        return None
    if tensor.op.type == "Mul":
        factors = [tf.get_static_value(one) for one in tensor.op.inputs]
        return any(one is not None and one.ndim == 0 and one < 0 for one in factors)
    return bool(tensor.op.type == "Neg")
