"""A layer -> another one like it, in its own precision or in float64."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import keras

from tfhealth.packages import of_keras
from tfhealth.preflight.adapted import words_of

__all__ = ["copied", "double"]


def copied(layer: Any) -> Any:
    """Return a layer with the same configuration, or else one that was given the same arguments.

    Many layers of people's own cannot be made from their configuration, for want of a `get_config` or of `**kwargs`;
    and some can, but theirs forgets an argument.
    """
    return _made(layer, layer.get_config, None)


def double(layer: Any) -> Any:
    """Return a layer like this one that computes in float64; to be called where floats are float64.

    A layer of somebody's own is made from its arguments, and what these do not name it gets from there.
    """
    if not of_keras(layer) and _given(layer) is not None:
        return copied(layer)
    return _made(layer, lambda: _in_double(layer.get_config()), "float64")


def _made(layer: Any, config: Any, dtype: str | None) -> Any:
    if isinstance(layer, keras.layers.Lambda):  # a function has no configuration that is the same everywhere
        shape, policy = layer._output_shape, dtype or layer.dtype_policy
        return keras.layers.Lambda(layer.function, shape, layer.mask, layer.arguments, name=layer.name, dtype=policy)
    given, nameless = _given(layer), _nameless(layer)
    try:
        with keras.saving.custom_object_scope(_known(layer)):
            twin = type(layer).from_config({**config(), **dict.fromkeys(nameless)})
        for name, function in nameless.items():
            setattr(twin, name, function)
    except Exception:
        if given is None:
            raise
        twin = None
    if twin is None or (given is not None and not of_keras(layer) and _given(twin) != given):
        twin = type(layer)(**given)
        twin.name = layer.name
    words_of(layer, twin)
    return twin


def _given(layer: Any) -> Any:
    """Return the arguments of a layer where all of them are plain values, which Keras keeps; else None."""
    return getattr(getattr(layer, "_auto_config", None), "config", None)


def _known(layer: Any) -> dict[str, Any]:
    """Return functions and classes that a layer holds, by their names: not all are registered with Keras."""
    inner = layer._flatten_layers(include_self=False) if isinstance(layer, keras.Layer) else ()
    held = [*vars(layer).values(), *inner]
    functions = {one.__name__: one for one in held if isinstance(one, types.FunctionType)}
    kinds = (keras.Layer, keras.Initializer, keras.Regularizer, keras.constraints.Constraint)
    return functions | {type(one).__name__: type(one) for one in held if isinstance(one, kinds)}


def _nameless(layer: Any) -> dict[str, Any]:
    """Return lambdas that a layer was given, by the argument; none can be found again by a name."""
    held = vars(layer).items() if isinstance(layer, keras.Layer) else ()
    return {name: one for name, one in held if isinstance(one, types.FunctionType) and one.__name__ == "<lambda>"}


def _in_double(config: Any, key: str = "") -> Any:
    """Return a configuration with every type and policy of floats in it replaced, those of inner layers too."""
    if key == "dtype":
        name = config["config"].get("name", "") if isinstance(config, Mapping) else str(config)
        return "float64" if "float" in name else config
    if isinstance(config, Mapping):
        return {name: _in_double(one, name) for name, one in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_double(one) for one in config)
    return config
