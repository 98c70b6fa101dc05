"""A model -> another one of the same architecture, uncompiled, that shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.adapted import normalized_like
from tfhealth.preflight.rebuilt import rebuilt
from tfhealth.preflight.twins import copied

__all__ = ["cloned", "layered"]


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
        if not clone.built or len(clone.weights) < len(model.weights):
            clone(keras.tree.map_structure(keras.ops.convert_to_tensor, x))
        pairs = list(zip(clone._flatten_layers(), model._flatten_layers(), strict=True))
        if weights:
            clone.set_weights([np.array(one) for one in model.get_weights()])
        for theirs, own in pairs:
            normalized_like(own, theirs)
            theirs.trainable = own.trainable
    return clone


def layered(model: Any) -> bool:
    """Whether Keras knows what a model does with its layers: a Sequential or functional one, not a subclassed one."""
    return isinstance(model, keras.Sequential) or type(model) is keras.Model or isinstance(model, keras.src.Functional)


def _uncompiled_clone(model: Any, made: Callable[[Any], Any] | None) -> Any:
    """Return a model of the same architecture with weights of its own."""
    if made is not None and not (layered(model) and model.built):
        raise Inapplicable(f"{type(model).__name__} is no built Sequential or functional model, to change layers in")
    if not layered(model) and type(model).get_config is keras.Model.get_config:
        return rebuilt(model)
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
