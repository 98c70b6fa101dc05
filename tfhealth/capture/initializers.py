"""A variable and its layer -> how it was initialized, and with which spread."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tfhealth.series import Attribute

__all__ = ["described", "expected_std", "fan_in", "fan_stds", "first_values", "initializer_of", "looks_drawn"]

_NAMES = {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
_CONSTANT = (keras.initializers.Zeros, keras.initializers.Ones, keras.initializers.Constant)
_UNIFORM = ("GlorotUniform", "HeUniform", "LecunUniform")
_LOOKED_AT = 1 << 16  # elements
_CUT_AT_TWO = 0.87962566103423978  # std of a normal distribution of std 1 without its tails beyond 2
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_DENSE = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.RNN)


def described(variable: Any, layer: Any) -> dict[str, Attribute]:
    """Return the attributes of a variable that say how its values began."""
    initializer = initializer_of(variable, layer)
    shape = tuple(int(size) for size in variable.shape)
    return {
        "initializer": None if initializer is None else _name(initializer),
        "expected_std": expected_std(initializer, shape),
        "fan_in": fan_in(variable, layer),
    }


def _name(initializer: Any) -> str:
    return str(getattr(initializer, "__name__", type(initializer).__name__))  # a function may be one, too


def initializer_of(variable: Any, layer: Any) -> Any:
    """Return the initializer of a variable, found by its name as Keras's own layers have it; else None."""
    name = "depthwise_kernel" if _is_depthwise(variable, layer) else str(variable.name)
    owner = layer.cell if type(layer) is keras.layers.RNN else layer
    if name == "bias" and getattr(owner, "unit_forget_bias", False):
        return None  # a part of it begins at 1
    return getattr(owner, f"{_NAMES.get(name, name)}_initializer", None)


def _is_depthwise(variable: Any, layer: Any) -> bool:
    name = str(variable.name)
    return name == "depthwise_kernel" or (name == "kernel" and isinstance(layer, _DEPTHWISE))


def expected_std(initializer: Any, shape: tuple[int, ...]) -> float | None:
    """Return the standard deviation of the values that a Keras initializer draws; None for another one.

    Args:
        initializer: a Keras initializer.
        shape: of the variable.
    """
    kinds = keras.initializers
    if isinstance(initializer, _CONSTANT):
        return 0.0
    if isinstance(initializer, kinds.VarianceScaling):  # Glorot, He and LeCun are kinds of it
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[initializer.mode]
        return math.sqrt(initializer.scale / max(1.0, fan))
    if isinstance(initializer, kinds.RandomNormal):
        return float(initializer.stddev)
    if isinstance(initializer, kinds.TruncatedNormal):
        return float(initializer.stddev) * _CUT_AT_TWO
    if isinstance(initializer, kinds.RandomUniform):
        return float(initializer.maxval - initializer.minval) / math.sqrt(12)
    if isinstance(initializer, kinds.Orthogonal) and len(shape) > 1:
        return float(initializer.gain) / math.sqrt(max(math.prod(shape[:-1]), shape[-1]))
    return None


def fan_stds(variable: Any) -> tuple[float, float] | None:
    """Return the smallest and the largest spread that Glorot's, LeCun's and He's formulas give a kernel; else None."""
    shape = tuple(int(size) for size in variable.shape)
    if len(shape) < 2 or str(variable.name) not in ("kernel", "recurrent_kernel"):
        return None
    fan_in, fan_out = _fans(shape)
    found = [math.sqrt(2 / (fan_in + fan_out)), math.sqrt(1 / fan_in), math.sqrt(2 / fan_in)]
    return min(found), max(found)


def looks_drawn(variable: Any, initializer: Any) -> bool | None:
    """Tell whether a variable still holds what its initializer draws, by spread and range; None where nobody knows.

    A first part of a large variable is looked at. The spread may differ by four standard errors.
    """
    shape = tuple(int(size) for size in variable.shape)
    expected = expected_std(initializer, shape)
    if expected is None or not shape:
        return None
    values = first_values(variable, _LOOKED_AT).astype(np.float64)
    if abs(float(values.std()) - expected) > 4 * expected / math.sqrt(2 * values.size) + 1e-9:
        return False
    uniform = type(initializer).__name__ in _UNIFORM
    return not uniform or float(np.abs(values).max()) <= math.sqrt(3) * expected * (1 + 1e-5)


def first_values(variable: Any, most: int) -> NDArray[Any]:
    """Return the first rows of a variable, of its own dtype: one at least, and else at most so many elements."""
    shape = tuple(int(size) for size in variable.shape)
    if not shape:
        return np.asarray(variable.numpy())
    rows = max(1, most * shape[0] // max(math.prod(shape), 1))
    return np.asarray(keras.ops.convert_to_numpy(variable[:rows]))


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the numbers of inputs and outputs of a unit as Keras's initializers count them."""
    if len(shape) < 2:
        return (float(math.prod(shape)),) * 2
    field = math.prod(shape[:-2])
    return float(field * shape[-2]), float(field * shape[-1])


def fan_in(variable: Any, layer: Any) -> float | None:
    """Return how many inputs each output of a kernel is the sum of; None where that is not known."""
    name, shape = str(variable.name), tuple(int(size) for size in variable.shape)
    if isinstance(layer, keras.layers.EinsumDense) and name == "kernel":
        return _contracted(str(layer.equation), shape)
    if _is_depthwise(variable, layer):
        return float(math.prod(shape[:-2]))
    if name == "pointwise_kernel" or (isinstance(layer, _DENSE) and name in ("kernel", "recurrent_kernel")):
        return float(math.prod(shape[:-1]))
    return None


def _contracted(equation: str, shape: tuple[int, ...]) -> float:
    kernel, output = equation.split(",")[1].split("->")
    return float(math.prod(size for letter, size in zip(kernel, shape, strict=True) if letter not in output))
