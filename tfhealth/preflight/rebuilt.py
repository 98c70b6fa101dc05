"""A subclassed model that no configuration makes again -> another of its class that holds twins of what it holds."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfhealth.preflight.twins import copied

__all__ = ["loss_like", "rebuilt", "twin_of"]


def rebuilt(model: Any, held: dict[int, Any] | None = None) -> Any:
    """Return a model of the same class, uncompiled, whose `__init__` was not called: it is given twins of attributes.

    Keras keeps what `__init__` of a model was given only where nothing is required and nothing was passed, and many
    models have no `get_config`. Layers of the twin are not built where they are built by their first call.

    Args:
        model: a subclassed model.
        held: twins that were made already, by the `id` of what they are twins of.

    Raises:
        TypeError: it holds something of which there can be no twin; the text says what.
    """
    held = {} if held is None else held
    kind: Any = type(model)
    twin = held[id(model)] = kind.__new__(kind)
    keras.Model.__init__(twin, name=model.name, dtype=model.dtype_policy, trainable=model.trainable)
    for name, value in vars(model).items():
        if name not in _ours_of_keras():
            try:
                setattr(twin, name, twin_of(value, held))
            except TypeError as error:
                raise TypeError(f"{type(model).__name__}.{name}: {error}") from error
    twin.built = model.built  # or a `build` of its own would make its layers once more
    return twin


def _ours_of_keras() -> set[str]:
    """Return the names of attributes that Keras itself gives a model that was built and compiled."""
    blank = keras.Model()
    blank.compile()
    blank.built = True
    return {*vars(blank), "_build_shapes_dict", "optimizer", "history", "stop_training"}


def twin_of(value: Any, held: dict[int, Any]) -> Any:
    """Return a twin of an attribute: of what has a state another object, and of anything else the same.

    Args:
        value: whatever a model may hold.
        held: twins that were made already, by the `id` of what they are twins of; new ones are added.

    Raises:
        TypeError: it may have a state that cannot be told apart from its owner's.
    """
    if id(value) not in held:
        if isinstance(value, Mapping):
            return {name: twin_of(one, held) for name, one in value.items()}
        if type(value).__name__ in ("list", "tuple", "TrackedList"):
            return (tuple if isinstance(value, tuple) else list)(twin_of(one, held) for one in value)
        held[id(value)] = _made(value, held)
    return held[id(value)]


def _made(value: Any, held: dict[int, Any]) -> Any:
    if isinstance(value, keras.Model) and not isinstance(value, keras.Sequential | keras.src.Functional):
        return rebuilt(value, held)
    if isinstance(value, keras.Model):
        return keras.models.clone_model(value, clone_function=copied, recursive=True)
    if isinstance(value, keras.Layer):
        return copied(value)
    if isinstance(value, keras.Metric | keras.optimizers.Optimizer | keras.random.SeedGenerator):
        return type(value).from_config(value.get_config())
    if isinstance(value, keras.Loss):
        return loss_like(value)
    if isinstance(value, keras.Variable):
        return keras.Variable(
            tf.convert_to_tensor(value).numpy(), dtype=value.dtype, trainable=value.trainable, name=value.name
        )
    if isinstance(value, tf.Variable):
        return tf.Variable(value, trainable=value.trainable)
    if isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, twin_of(value.__self__, held))
    if _stateful(value):
        raise TypeError(f"a {type(value).__name__} holds layers or variables, of which a clone cannot have its own")
    return value


def _stateful(value: Any) -> bool:
    cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    known = (keras.Layer, keras.Variable, tf.Variable)
    inside = keras.tree.flatten([cells, list(getattr(value, "__dict__", {}).values())])
    return any(isinstance(one, known) for one in inside)


def loss_like(loss: Any) -> Any:
    """Return a loss with the same attributes; `copy.deepcopy` is no help, since Keras copies by way of configurations.

    Raises:
        TypeError: it holds variables.
    """
    held = vars(loss)
    if any(isinstance(one, keras.Variable | keras.Layer | tf.Variable) for one in held.values()):
        raise TypeError(f"the loss {type(loss).__name__} holds variables, of which a clone cannot have its own")
    twin = object.__new__(type(loss))
    twin.__dict__.update(held)
    return twin
