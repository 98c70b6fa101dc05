"""Targets and a model's last layer -> the loss that fits both, on an output without activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.clones import layered
from tfhealth.preflight.remedies.model import Setup

__all__ = ["fitted", "last_layers"]

_LOSSES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
}
_FITTING = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}


def fitted(setup: Setup) -> str:
    """Give a setup the loss that fits its targets and units, on logits; return the words for it.

    Raises:
        Inapplicable: output and loss fit already; or there are several outputs; or no loss fits.
    """
    targets, outputs = keras.tree.flatten(setup.y), keras.tree.flatten(_answers(setup))
    if len(targets) != 1 or len(outputs) != 1 or targets[0] is None:
        raise Inapplicable(f"the model has {len(outputs)} outputs and {len(targets)} targets, and it takes one of each")
    target, answers = np.asarray(targets[0]), np.asarray(outputs[0])
    wanted = _wanted(target, answers)
    name, from_logits = _present(setup.original.loss)
    chain = list(last_layers(setup.model)) if layered(setup.model) else []
    endings = [one for one in map(_activation, chain) if one != "linear"]
    probable = answers.min() >= 0 and answers.max() <= 1
    if not chain and probable and wanted != "mean_squared_error":
        raise Inapplicable("the output of a subclassed model is not known, and it looks like probabilities")
    if len(endings) < 2 and name == wanted and _agree(wanted, from_logits, endings):
        raise Inapplicable("output and loss fit already")
    for layer in chain:
        _make_linear(layer)
    setup.changes["loss"] = _LOSSES[wanted](from_logits=True) if wanted in _LOSSES else "mean_squared_error"
    return _words(name, from_logits, wanted, endings)


def _agree(loss: str, from_logits: bool, endings: list[str]) -> bool:
    """Whether what an output ends in, at most one activation, is what its loss expects."""
    expected = _FITTING[loss] if loss in _LOSSES and not from_logits else "linear"
    return (endings or ["linear"]) == [expected]


def _words(name: str, from_logits: bool, wanted: str, endings: list[str]) -> str:
    parts = []
    if wanted in _LOSSES and name != wanted:
        parts.append(f"`{_LOSSES[wanted].__name__}(from_logits=True)`")
    elif wanted in _LOSSES and not from_logits:
        parts.append("`from_logits=True`")
    elif name != wanted:
        parts.append(f'`loss="{wanted}"`')
    if endings:
        parts.append("an output without " + " and ".join(f"`{one}`" for one in dict.fromkeys(endings)))
    return " with ".join(parts)


def last_layers(model: Any) -> Iterator[Any]:
    """Yield the layers from the only output backward: what only activates, and at last one that has weights."""
    tensors = keras.tree.flatten(model.outputs)
    while len(tensors) == 1:
        layer = tensors[0]._keras_history.operation
        yield layer
        if getattr(layer, "weights", None) or not isinstance(layer, _ACTIVATING):
            return
        tensors = keras.tree.flatten(layer.input)


_ACTIVATING = (keras.layers.Activation, keras.layers.Softmax, keras.layers.ReLU, keras.layers.LeakyReLU)


def _activation(layer: Any) -> str:
    if isinstance(layer, keras.layers.Softmax | keras.layers.ReLU | keras.layers.LeakyReLU):
        return {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu"}[type(layer).__name__]
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def _make_linear(layer: Any) -> None:
    if "activation" in vars(layer):
        layer.activation = keras.activations.linear
    elif isinstance(layer, _ACTIVATING):
        layer.call = lambda inputs, *args, **kwargs: inputs


def _answers(setup: Setup) -> Any:
    few = keras.tree.map_structure(lambda one: one[:64], setup.x)
    return setup.model(keras.tree.map_structure(keras.ops.convert_to_tensor, few), training=False)


def _wanted(target: Any, answers: Any) -> str:
    """Return the name of the loss that fits targets, [n], [n, 1] or [n, k], and answers [n, units]."""
    if target.dtype.kind not in "biuf" or answers.ndim != 2 or target.ndim > 2 or not np.isfinite(target).all():
        raise Inapplicable("the targets are no classes and no numbers, one row a sample")
    columns, units = target.shape[1] if target.ndim == 2 else 1, answers.shape[1]
    whole = np.array_equal(target, np.round(target))
    shares = whole and set(np.unique(target)) <= {0, 1}
    if columns > 1 and columns != units:
        raise Inapplicable(f"the targets have {columns} columns, and the output has {units} units")
    if columns > 1 and shares:
        return "categorical_crossentropy" if np.all(target.sum(1) == 1) else "binary_crossentropy"
    if columns == 1 and units > 1:
        if not whole or target.min() < 0 or target.max() >= units:
            raise Inapplicable(f"the targets are no classes from 0 to {units - 1}, for which the output has units")
        return "sparse_categorical_crossentropy"
    if shares:
        return "binary_crossentropy"
    if columns == 1 and target.dtype.kind in "iu" and target.min() >= 0:
        raise Inapplicable(
            f"targets from 0 to {target.max()} are classes or numbers; as classes they take as many units"
        )
    return "mean_squared_error"


def _present(loss: Any) -> tuple[str, bool]:
    """Return the name of the compiled loss in snake case, and whether it takes logits."""
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    name = str(keras.src.utils.naming.to_snake_case(str(name)))
    kwargs = getattr(loss, "_fn_kwargs", {})
    name = {"mse": "mean_squared_error", "bce": "binary_crossentropy"}.get(name, name)
    return name, bool(getattr(loss, "from_logits", kwargs.get("from_logits", False)))
