"""A model -> the same with wider layers, or for inputs of other sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfhealth.experiments import Inapplicable
from tfhealth.packages import of_keras
from tfhealth.preflight.clones import cloned, layered
from tfhealth.preflight.twins import copied

__all__ = ["resized", "widened"]

_WIDTHS = ("units", "filters", "output_dim")


def widened(model: Any, factor: int) -> Any:
    """Return an uncompiled model with `factor` times the units in each layer but those of outputs, and new weights.

    Raises:
        Inapplicable: it is not known which layers make the outputs, no other has a width, or wider ones do not fit.
    """
    if not (layered(model) and model.built):
        raise Inapplicable(f"{type(model).__name__} is no built Sequential or functional model, to widen layers of")
    kept = {id(one) for output in keras.tree.flatten(model.outputs) for one in _makers(output)}
    if all(_width(layer) is None or id(layer) in kept for layer in model._flatten_layers()):
        raise Inapplicable("no hidden layer has units or filters of which there could be more")

    def made(layer: Any) -> Any:
        name = _width(layer)
        if name is None or id(layer) in kept:
            return copied(layer)
        config = layer.get_config()
        return type(layer).from_config({**config, name: factor * config[name]})

    try:
        return cloned(model, None, weights=False, made=made)
    except Exception as error:
        raise Inapplicable(f"wider layers do not fit together: {type(error).__name__}: {error}") from error


def _width(layer: Any) -> str | None:
    """Return what a layer of Keras's calls its width; None where it has none."""
    return next((name for name in _WIDTHS if of_keras(layer) and isinstance(getattr(layer, name, None), int)), None)


def _makers(tensor: Any) -> Iterator[Any]:
    """Yield the layers that give a symbolic tensor its width."""
    operation, index = tensor._keras_history.operation, tensor._keras_history.node_index
    if _width(operation) is not None:
        yield operation
    elif layered(operation):
        for output in keras.tree.flatten(operation.outputs):
            yield from _makers(output)
    elif operation._inbound_nodes:
        for before in operation._inbound_nodes[index].input_tensors:
            yield from _makers(before)


def resized(model: Any, sizes: Sequence[tuple[int, ...]]) -> Any:
    """Return an uncompiled model of the same layers with new weights, for inputs of these shapes without the batch.

    Raises:
        Inapplicable: it is neither Sequential nor functional.
    """
    if not (layered(model) and model.built):
        raise Inapplicable(f"{type(model).__name__} is no built Sequential or functional model, to resize")
    inputs = [
        keras.Input(size, dtype=one.dtype) for size, one in zip(sizes, keras.tree.flatten(model.inputs), strict=True)
    ]
    structure = model.input if isinstance(model, keras.src.Functional) else inputs
    packed = keras.tree.pack_sequence_as(structure, inputs)
    return keras.models.clone_model(model, input_tensors=packed, clone_function=copied, recursive=True)
