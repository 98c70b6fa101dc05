"""A model -> one site for each layer below it, with what the layer was built with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.facts.paths import Paths, is_dropout, is_normalization, paths
from tfhealth.capture.layers import activation_name, held, layers_below, location, weighted
from tfhealth.series import Attribute, Site

__all__ = ["layer_sites", "plain_layers", "regularizers", "size"]

_PLACE = ("depth", "dropout_before", "normalized_after", "linear_before", "linear_layers_before", "unknown_weights")
_REGULARIZED = ("kernel", "bias", "recurrent", "depthwise", "pointwise", "embeddings", "gamma", "beta", "activity")


def layer_sites(
    model: Any, graph: Graph | None
) -> tuple[list[tuple[Site, dict[str, Attribute], int]], list[tuple[str, str]]]:
    """Return (site, attributes, position) of every layer that is no model itself, and (site, why) of what is not known.

    Args:
        model: the model.
        graph: its graph; None where it is not known.
    """
    found: list[tuple[Site, dict[str, Attribute], int]] = []
    failed: list[tuple[str, str]] = []
    along = paths(graph) if graph is not None else None
    called: dict[str, int] = {}
    for position, (layer, nested) in enumerate(plain_layers(model)):
        name = location(layer)
        called[name] = called.get(name, 0) + 1
        site = Site("layer", name if called[name] == 1 else f"{name}#{called[name]}")
        try:
            found.append((site, _attributes(layer, nested) | _place(layer, graph, along), position))
        except Exception as error:  # a layer of the user's own may raise at any attribute
            failed.append((str(site), f"{type(error).__name__}: {error}"))
    return found, failed


def plain_layers(model: Any) -> Iterator[tuple[Any, bool]]:
    """Yield every layer below `model` that computes something, once, with whether a model lies between.

    A recurrent layer stands for its cells.
    """
    seen: set[int] = set()
    for layer, nested in layers_below(model):
        if isinstance(layer, keras.layers.RNN):
            seen |= {id(cell) for cell, _ in layers_below(layer)}
        if not isinstance(layer, keras.Model | keras.layers.InputLayer) and id(layer) not in seen:
            yield layer, nested
        seen.add(id(layer))


def _attributes(layer: Any, nested: bool) -> dict[str, Attribute]:
    """Return what is known of a layer without calling it."""
    own = _own(layer)
    learned = [variable for one in own for variable in one._trainable_variables]
    regularizer = getattr(layer, "kernel_regularizer", None)
    return {
        "layer": type(layer).__name__,
        "activation": activation_name(layer),
        "trainable": bool(layer.trainable),
        "parameters": _parameters(own) if layer.built else None,
        "kernel_initializer": _class(getattr(layer, "kernel_initializer", None)),
        "bias_initializer": _class(getattr(layer, "bias_initializer", None)),
        "kernel_regularizer": _regularizer(regularizer),
        "kernel_regularizer_strength": _strength(regularizer),
        "regularized": bool(regularizers(layer)),
        "units": _units(layer),
        "rate": float(layer.rate) if is_dropout(layer) else None,
        "use_bias": _flag(getattr(layer, "use_bias", None)),
        "adapted": _adapted(layer),
        "frozen": bool(learned) and not any(variable.trainable for variable in learned),
        "nested": nested,
    }


def _adapted(layer: Any) -> bool | None:
    """Whether a Normalization knows mean and variance of some data, from `adapt` or told; None of other layers."""
    if not isinstance(layer, keras.layers.Normalization) or not layer.built:
        return None
    if layer.input_mean is not None:
        return True
    mean, variance = layer.adapt_mean.numpy(), layer.adapt_variance.numpy()
    return bool((mean != 0).any() or (variance != 1).any())


def _own(layer: Any) -> list[Any]:
    """Return the layers whose variables are this layer's: itself, and the cells of a recurrent one."""
    return [layer, *(one for one, _ in layers_below(layer))] if isinstance(layer, keras.layers.RNN) else [layer]


def _parameters(layers: list[Any]) -> int:
    variables = (one for layer in layers for one in [*layer._trainable_variables, *layer._non_trainable_variables])
    return sum(map(size, variables))


def _place(layer: Any, graph: Graph | None, along: Paths | None) -> dict[str, Attribute]:
    """Return where a layer stands in the graph: by its first call, where it is called several times."""
    call = graph.first(layer) if graph is not None else None
    if call is None or along is None:
        return dict.fromkeys(_PLACE)
    return {
        "depth": call.depth,
        "dropout_before": id(call) in along.dropout_before if is_normalization(layer) else None,
        "normalized_after": id(call) in along.normalized_after if weighted(layer) else None,
        "linear_before": id(call) in along.linear_before if weighted(layer) else None,
        "linear_layers_before": along.linear_layers_before.get(id(call)),
        "unknown_weights": _unknown_weights(call),
    }


def _unknown_weights(call: Call) -> str | None:
    """Return what a layer works with that Keras does not train: variable, tensor or none; None where it is not known.

    A tensor counts where it makes an output of another width, as a kernel does; a table of positions does not.
    """
    found = held(call.layer) or "none"
    if found != "tensor":
        return found
    widths = {shape[-1] if (shape := one.shape) else None for one in (call, *call.parents)}
    return None if None in widths else "tensor" if len(widths) > 1 else "none"


def regularizers(layer: Any) -> list[Any]:
    """Return the regularizers that a layer was given."""
    found = (getattr(layer, f"{name}_regularizer", None) for name in _REGULARIZED)
    return [one for one in found if one is not None]


def size(variable: Any) -> int:
    """Return the number of elements of a variable."""
    return math.prod(int(length) for length in variable.shape)


def _class(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(getattr(value, "__name__", type(value).__name__))


def _regularizer(value: Any) -> str | None:
    """Return l1, l2 or l1_l2 by the strengths that are not zero, else the name of the class or function."""
    if not isinstance(value, keras.regularizers.L1 | keras.regularizers.L2 | keras.regularizers.L1L2):
        return _class(value)
    return "_".join(name for name in ("l1", "l2") if float(getattr(value, name, 0))) or None


def _strength(value: Any) -> float | None:
    """Return the larger strength of a regularizer; None where Keras does not know it."""
    found = [float(getattr(value, name)) for name in ("l1", "l2", "factor") if hasattr(value, name)]
    return max(found, default=None)


def _units(layer: Any) -> int | None:
    """Return the width of what a layer makes: units, filters, or the output's size of an embedding."""
    found = (getattr(layer, name, None) for name in ("units", "filters", "output_dim"))
    return next((one for one in found if isinstance(one, int)), None)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
