"""A compiled model -> a clone of it that computes in float64, for as long as a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from tfhealth.preflight.clones import cloned, layered
from tfhealth.preflight.compiled import compiled_like
from tfhealth.preflight.plain import plainly
from tfhealth.preflight.twins import double

__all__ = ["NOISE", "precise"]

NOISE = ("dropout", "noise", "augmentation")
"""Extras that draw, and are taken out of the clone."""

_POLICY = "dtype_policy"


@contextmanager
def precise(model: Any, x: Any, y: Any) -> Iterator[Any]:
    """Give a clone that computes in float64, as does its loss; None where the model does not go together with it.

    Args:
        model: a compiled model.
        x: inputs of a few samples.
        y: their targets.
    """
    with _in_float64():
        clone = _doubled(model, x, y)
        if clone is not None:
            yield clone
    if clone is None:
        yield None


def _doubled(model: Any, x: Any, y: Any) -> Any:
    try:
        clone = cloned(model, x, made=double if layered(model) and model.built else None)
        plainly(clone, NOISE)
        compiled_like(clone, model, {})
        for loss in keras.tree.flatten(clone.loss):
            if isinstance(loss, keras.Loss):  # a twin, which computes as the one that it is of
                loss._dtype_policy, loss._dtype = keras.DTypePolicy("float64"), "float64"
        clone.compute_loss(x=x, y=y, y_pred=clone(keras.tree.map_structure(keras.ops.convert_to_tensor, x)))
    except Exception:
        return None
    return clone


@contextmanager
def _in_float64() -> Iterator[None]:
    """Make float64 what layers, models and losses made in the block compute in, unless they are told otherwise."""
    from keras.src.backend.common import global_state  # Keras has no public way to leave the policy unset, as it was

    before, policy = keras.config.floatx(), global_state.get_global_attribute(_POLICY)
    try:
        keras.config.set_floatx("float64")
        global_state.set_global_attribute(_POLICY, keras.DTypePolicy("float64"))
        yield
    finally:
        keras.config.set_floatx(before)
        global_state.set_global_attribute(_POLICY, policy)
