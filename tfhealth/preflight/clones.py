"""A compiled model -> a clone of it, compiled like it, that shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.twins import copied

__all__ = ["cloned", "compiled_like", "layered"]


def cloned(model: Any, x: Any, weights: bool = True, made: Callable[[Any], Any] | None = None) -> Any:
    """Return a model of the same architecture, uncompiled.

    Args:
        model: a model, built or not.
        x: inputs of one sample, by which a clone that does not know its shapes is built.
        weights: whether it has the model's weights; else what its initializers draw.
        made: makes a layer of the clone from the model's; by default one that is alike.

    Raises:
        Inapplicable: layers are to be made otherwise, and the model is none of which Keras knows the layers' graph.
    """
    clone = _uncompiled_clone(model, made)
    if model.built:
        if not clone.built:
            clone(keras.tree.map_structure(keras.ops.convert_to_tensor, x))
        if weights:
            clone.set_weights([np.array(one) for one in model.get_weights()])
        for theirs, own in zip(clone._flatten_layers(), model._flatten_layers(), strict=True):
            theirs.trainable = own.trainable
    return clone


def layered(model: Any) -> bool:
    """Whether Keras knows what a model does with its layers: a Sequential or functional one, not a subclassed one."""
    return isinstance(model, keras.Sequential) or type(model) is keras.Model or isinstance(model, keras.src.Functional)


def _uncompiled_clone(model: Any, made: Callable[[Any], Any] | None) -> Any:
    """Return a model of the same architecture with weights of its own."""
    if made is not None and not (layered(model) and model.built):
        raise Inapplicable(f"{type(model).__name__} is no built Sequential or functional model, to change layers in")
    given = getattr(model, "_auto_config", None)
    if given is not None and type(model).get_config is keras.Model.get_config:  # neither Sequential nor functional
        return type(model)(**given.config)  # what __init__ was given; Keras keeps it where that is plain values
    with _compiling_nothing():
        if layered(model):
            return keras.models.clone_model(model, clone_function=made or copied, recursive=True)
        return keras.models.clone_model(model)


@contextmanager
def _compiling_nothing() -> Iterator[None]:
    """Keep `clone_model` from compiling: it does so from a configuration, which a loss of the user's may not have."""
    shadows = {"get_compile_config": lambda self: {}, "compile_from_config": lambda self, config: None}
    try:
        for name, method in shadows.items():
            setattr(keras.Model, name, method)
        yield
    finally:
        for name in shadows:
            delattr(keras.Model, name)


def compiled_like(clone: Any, model: Any, changes: Mapping[str, Any]) -> None:
    """Compile a clone with the settings of `model`, and with objects of its own; `changes` are arguments of `compile`.

    The loss is a twin of the object itself, since a class or function that is registered nowhere cannot be made again
    from its configuration. The optimizer is made from its settings as they stand now.
    """
    if type(model).compile is not keras.Model.compile:
        if type(model).compile_from_config is keras.Model.compile_from_config:
            raise TypeError(f"{type(model).__name__} has its own compile(), and no compile_from_config() to repeat it")
        if changes:
            raise TypeError(f"{type(model).__name__} has its own compile(), of which no setting can be changed")
        clone.compile_from_config(model.get_compile_config())
        return
    settings = dict(model._compile_config.config)
    settings |= {name: _metrics(settings.get(name)) for name in ("metrics", "weighted_metrics")}
    settings["loss"] = _losses(settings.get("loss"))
    settings["optimizer"] = type(model.optimizer).from_config(model.optimizer.get_config())
    clone.compile(**{**settings, **changes})


def _losses(given: Any) -> Any:
    """Return the same losses, each object of Keras's a twin with the same attributes.

    `copy.deepcopy` is no help: Keras copies by way of the configuration.
    """
    if isinstance(given, Mapping):
        return {name: _losses(one) for name, one in given.items()}
    if isinstance(given, list | tuple):
        return [_losses(one) for one in given]
    if not isinstance(given, keras.Loss):
        return given
    held = vars(given)
    if any(isinstance(one, keras.Variable | keras.Layer | tf.Variable) for one in held.values()):
        raise TypeError(f"the loss {type(given).__name__} holds variables, of which a clone cannot have its own")
    twin = object.__new__(type(given))
    twin.__dict__.update(held)
    return twin


def _metrics(given: Any) -> Any:
    """Return the same metrics, and for each object that has a state another one."""
    if isinstance(given, Mapping):
        return {name: _metrics(one) for name, one in given.items()}
    if isinstance(given, list | tuple):
        return [_metrics(one) for one in given]
    return type(given).from_config(given.get_config()) if isinstance(given, keras.Metric) else given
