"""A Keras layer -> what the rest of capture asks about it: its name, activation, weights and owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfhealth.packages import of_keras

__all__ = [
    "activation_name",
    "held",
    "is_normalizing",
    "layers_below",
    "location",
    "owners",
    "prepares",
    "snake_case",
    "weighted",
]

_NORMALIZING = (
    keras.layers.Normalization,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
)
_PREPARING = {
    *("CenterCrop", "Concatenate", "Flatten", "InputLayer", "Lambda", "Permute", "RepeatVector", "Reshape"),
    *("Normalization", "Rescaling", "Resizing"),
    *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing"),
    *("IntegerLookup", "StringLookup", "TextVectorization"),
    *("Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
}


def location(layer: Any) -> str:
    """Return the name of a layer as Keras gives it: its path, or its name before it is built."""
    return str(layer.path or layer.name)


def layers_below(model: Any) -> Iterator[tuple[Any, bool]]:
    """Yield every layer below `model` with whether a model lies between."""
    queue = [(layer, False) for layer in model._layers]
    while queue:
        layer, nested = queue.pop(0)
        yield layer, nested
        inner = nested or isinstance(layer, keras.Model)
        queue = [(below, inner) for below in layer._layers] + queue


def owners(model: Any) -> dict[int, tuple[Any, bool]]:
    """Return {id(variable): (layer, nested)}; the variables of a recurrent layer's cell are the layer's."""
    found: dict[int, tuple[Any, bool]] = {}
    for layer, nested in [(model, False), *layers_below(model)]:
        own = layer.trainable_variables if isinstance(layer, keras.layers.RNN) else layer._trainable_variables
        for variable in own:
            found.setdefault(id(variable), (layer, nested))
    return found


def activation_name(layer: Any) -> str | None:
    """Return the name of the activation that a layer applies to its output; None where it has none."""
    special = {"LeakyReLU": "leaky_relu", "ELU": "elu", "PReLU": "prelu", "Softmax": "softmax"}
    name = type(layer).__name__
    if name == "ReLU":
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return "relu" if plain else "relu6" if layer.max_value else "leaky_relu"
    if name in special:
        return special[name]
    function = getattr(layer, "activation", None)
    return None if function is None else str(getattr(function, "__name__", type(function).__name__)).lower()


def weighted(layer: Any) -> bool:
    """Tell whether a layer has a kernel of its own."""
    if isinstance(layer, keras.layers.RNN):
        return True
    return any("kernel" in str(variable.name) for variable in layer._trainable_variables)


def is_normalizing(layer: Any) -> bool:
    """Tell whether a layer brings its input to zero mean and unit variance."""
    return isinstance(layer, _NORMALIZING)


def snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in small letters: MeanSquaredError, mean_squared_error."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def prepares(layer: Any) -> bool:
    """Tell whether a layer only prepares data: what it puts out is still input.

    Of the user's own layers, and of Lambda, that is taken for granted where they have no weights, also unknown ones.
    """
    name = type(layer).__name__
    if not of_keras(layer):
        return not layer._layers and not layer.variables and held(layer) is None
    return name in _PREPARING or name.startswith("Random")


def held(layer: Any) -> str | None:
    """Return what an own layer keeps that looks like weights and is none to Keras: variable or tensor, or None.

    A `tf.Variable` of floats that is to be trained, or of a layer without any variable a float tensor with two axes.
    """
    if of_keras(layer):
        return None
    kept = [one for one in vars(layer).values() if isinstance(one, tf.Tensor | tf.Variable) and one.dtype.is_floating]
    if any(isinstance(one, tf.Variable) and one.trainable for one in kept):
        return "variable"
    matrices = any(isinstance(one, tf.Tensor) and (one.shape.rank or 0) > 1 for one in kept)
    return "tensor" if matrices and not layer.variables else None
