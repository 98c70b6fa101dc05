"""(clone, compiled model) -> the clone is compiled alike, with an optimizer, losses and metrics of its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from tfhealth.preflight.rebuilt import loss_like, twin_of

__all__ = ["compiled_like"]


def compiled_like(clone: Any, model: Any, changes: Mapping[str, Any]) -> None:
    """Compile a clone with the settings of `model`, and with objects of its own; `changes` are arguments of `compile`.

    The loss is a twin of the object itself, since a class or function that is registered nowhere cannot be made again
    from its configuration. The optimizer is made from its settings as they stand now.
    """
    if type(model).compile is not keras.Model.compile:
        _compiled_by_its_own(clone, model, changes)
        return
    clone.compile(**{**_own_objects(model._compile_config.config, model), **changes})


def _own_objects(settings: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Return arguments of Keras's `compile` with a metric, a loss and an optimizer that are nobody else's."""
    made = {name: _metrics(settings.get(name)) for name in ("metrics", "weighted_metrics")}
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    return {**settings, **made, "loss": _losses(settings.get("loss")), "optimizer": optimizer}


def _compiled_by_its_own(clone: Any, model: Any, changes: Mapping[str, Any]) -> None:
    """Call the `compile` that a class has of its own with what the model was compiled with.

    Raises:
        TypeError: an argument is found nowhere, or a change is none of its arguments.
    """
    kind = type(model)
    if kind.compile_from_config is not keras.Model.compile_from_config and not changes:
        clone.compile_from_config(model.get_compile_config())
        return
    settings = _found(model, clone)
    for name in changes:
        if name not in settings:
            raise TypeError(f"{kind.__name__} has its own compile(), which takes no {name}")
    clone.compile(**{**settings, **changes})


def _found(model: Any, clone: Any) -> dict[str, Any]:
    """Return the arguments of a `compile` of a class's own.

    Keras keeps what was passed on to its own `compile`; the rest is looked for in attributes of the same names.
    """
    known = _own_objects(model._compile_config.config, model)
    settings: dict[str, Any] = {}
    for one in list(inspect.signature(type(model).compile).parameters.values())[1:]:
        if one.kind is one.VAR_KEYWORD:
            settings |= known
        elif one.kind is not one.VAR_POSITIONAL:
            value = known.get(one.name)
            if value is None:
                value = twin_of(getattr(model, one.name, None), {id(model): clone})
            if value is None and one.default is not None:
                raise TypeError(
                    f"{type(model).__name__}.compile() takes {one.name}, which no attribute of that name keeps, and "
                    "there is no compile_from_config() to repeat it"
                )
            settings[one.name] = value
    return settings


def _losses(given: Any) -> Any:
    """Return the same losses, each object of Keras's a twin."""
    if isinstance(given, Mapping):
        return {name: _losses(one) for name, one in given.items()}
    if isinstance(given, list | tuple):
        return [_losses(one) for one in given]
    return loss_like(given) if isinstance(given, keras.Loss) else given


def _metrics(given: Any) -> Any:
    """Return the same metrics, and for each object that has a state another one."""
    if isinstance(given, Mapping):
        return {name: _metrics(one) for name, one in given.items()}
    if isinstance(given, list | tuple):
        return [_metrics(one) for one in given]
    return type(given).from_config(given.get_config()) if isinstance(given, keras.Metric) else given
