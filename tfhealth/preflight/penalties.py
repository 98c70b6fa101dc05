"""A clone -> the same with every regularizer times a variable, so that its strength can change between steps."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["scaled"]


class _Scaled(keras.regularizers.Regularizer):  # type: ignore[misc]
    """Another regularizer, times a variable."""

    def __init__(self, one: Any, strength: Any) -> None:
        self.one, self.strength = one, strength

    def __call__(self, x: Any) -> Any:
        return self.one(x) * keras.ops.cast(self.strength, x.dtype)


def scaled(clone: Any, strength: Any) -> bool:
    """Multiply the weight and activity regularizers of a clone by a `tf.Variable`; return whether it has any."""
    found = False
    for layer in clone._flatten_layers():  # Keras has no public way to reach the layers inside of layers
        for name, one in list(vars(layer).items()):
            if name.endswith("_regularizer") and callable(one):  # for weights that are not made yet, and for outputs
                setattr(layer, name, _Scaled(one, strength))
                found = True
    for variable in clone.trainable_variables:
        one = getattr(variable, "regularizer", None)
        if one is not None:
            variable.regularizer = _Scaled(one, strength)
            found = True
    return found
