"""A model -> the facts of its structure: size, depth, what normalizes, drops, regularizes, joins and is frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from tfhealth.capture.facts import axes, linear
from tfhealth.capture.facts.alone import alone
from tfhealth.capture.facts.backbones import backbone_facts
from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.facts.layers import plain_layers, regularizers, size
from tfhealth.capture.facts.paths import is_dropout, is_normalization
from tfhealth.capture.initializers import initializer_of, looks_drawn
from tfhealth.capture.layers import layers_below
from tfhealth.packages import of_keras
from tfhealth.series import Attribute

__all__ = ["model_facts", "structure", "structure_facts"]

_FLOW = (
    *("always_training", "linear", "narrowest", "narrowest_share"),
    *("over_batch", "channels_first", "rows_normalized", "unmasked"),
)
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
_AUGMENTING = ("AugMix", "CutMix", "MixUp", "RandAugment")  # beside those whose name begins with Random


def model_facts(model: Any) -> dict[str, Attribute]:
    """Return what a model says of itself."""
    facts: dict[str, Attribute] = {
        "name": str(model.name),
        "class": type(model).__name__,
        "built": bool(model.built),
        "layers": len(model.layers),
        "inputs": len(inputs) if (inputs := getattr(model, "inputs", None)) else None,
        "dtype_policy": str(model.dtype_policy.name),
        "metrics": ", ".join(str(name) for name in model.metrics_names),
    }
    if model.built:
        facts["parameters"] = int(model.count_params())
        facts["trainable_parameters"] = sum(size(variable) for variable in model.trainable_variables)
        facts["summary"] = "; ".join(f"{layer.name} ({type(layer).__name__})" for layer in model.layers[:200])
    return facts


def structure_facts(model: Any, graph: Graph | None) -> dict[str, Attribute]:
    """Return what the model's layers say together."""
    frozen = [(one, layer) for layer in _all(model) for one in layer._trainable_variables if not one.trainable]
    return {
        "weighted_depth": graph.depth if graph is not None else None,
        "residual": _residual(model, graph),
        **_flow(graph),
        **_counts(model),
        "frozen_parameters": sum(size(one) for one, _ in frozen) if model.built else None,
        "frozen_random_kernels": sum(_random_kernel(*one) for one in frozen),
        "normalized_alone": ", ".join(alone(model)) or "none" if model.built else None,
        "extras": _extras(model),
        **backbone_facts(_all(model)),
    }


def _random_kernel(variable: Any, layer: Any) -> bool:
    """Tell whether a variable is a kernel that still holds what its initializer drew."""
    return str(variable.name) in _KERNELS and looks_drawn(variable, initializer_of(variable, layer)) is True


def _flow(graph: Graph | None) -> dict[str, Attribute]:
    """Return what the graph says of the signal's way: how narrow it gets, what bends it, what becomes of the axes."""
    if graph is None or any(call.opaque for call in graph.calls):
        return dict.fromkeys(_FLOW)
    width = linear.narrowest(graph)
    shape = graph.calls[-1].shape if graph.calls else None
    last = shape[-1] if shape else None
    return {
        "always_training": ", ".join(dict.fromkeys(map(_named, filter(_stays_in_training, graph.calls)))) or "none",
        "linear": linear.linear_model(graph),
        "narrowest": width,
        "narrowest_share": width / last if width and last else None,
        "over_batch": ", ".join(axes.over_batch(graph)) or "none",
        "channels_first": ", ".join(axes.channels_first(graph)) or "none",
        "rows_normalized": ", ".join(axes.rows_normalized(graph)) or "none",
        "unmasked": ", ".join(axes.unmasked(graph)) or "none",
    }


def _stays_in_training(call: Call) -> bool:
    """Tell whether a call has random or batch-wise results in test mode too, because it was told `training=True`."""
    return call.training is True and (is_dropout(call.layer) or isinstance(call.layer, keras.layers.BatchNormalization))


def _named(call: Call) -> str:
    return str(call.layer.name)


def _extras(model: Any) -> str:
    """Return what a model has beyond the bare necessities, in words; `none` without any."""
    layers = [layer for layer, _ in plain_layers(model)]
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "_learning_rate", None)
    found = {
        "dropout": any(map(is_dropout, layers)),
        "noise": any(type(layer).__name__ == "GaussianNoise" for layer in layers),
        "augmentation": any(map(_augments, layers)),
        "regularization": any(map(regularizers, layers)),
        "weight decay": bool(getattr(optimizer, "weight_decay", None)),
        "a learning rate schedule": isinstance(rate, keras.optimizers.schedules.LearningRateSchedule),
    }
    return ", ".join(name for name, there in found.items() if there) or "none"


def _all(model: Any) -> list[Any]:
    """Return the model and every layer below it, each once."""
    return list({id(layer): layer for layer in [model, *(one for one, _ in layers_below(model))]}.values())


def _counts(model: Any) -> dict[str, Attribute]:
    layers = [layer for layer, _ in plain_layers(model)]
    rates = [float(layer.rate) for layer in layers if is_dropout(layer)]
    return {
        "normalization_layers": sum(map(is_normalization, layers)),
        "batch_normalization_layers": sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers),
        "batch_normalization_momentum": max(map(_momentum, layers), default=0.0),
        "dropout_layers": len(rates),
        "highest_dropout": max(rates, default=0.0),
        "regularized_layers": sum(bool(regularizers(layer)) for layer in layers),
        "augmentation_layers": sum(map(_augments, layers)),
        "augmentation_strength": max(map(_strength, filter(_augments, layers)), default=0.0),
        "custom_layers": sum(map(_is_own, layers)),
        "stateful_layers": sum(getattr(layer, "stateful", False) is True for layer in layers),
        "vector_batch_normalizations": sum(map(_normalizes_vectors, layers)) if model.built else None,
    }


def _momentum(layer: Any) -> float:
    """Return how much of its moving averages a batch normalization keeps at each step; 0 of any other layer."""
    learns = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    return float(layer.momentum) if learns else 0.0


def _augments(layer: Any) -> bool:
    name = type(layer).__name__
    return of_keras(layer) and (name.startswith("Random") or name in _AUGMENTING)


def _residual(model: Any, graph: Graph | None) -> bool | None:
    """Tell whether a skip path is joined; None where one may hide in a layer or model whose inside is not known."""
    if graph is not None and graph.residual:
        return True
    if graph is None or any(call.opaque or _may_join(call) for call in graph.calls):
        return None
    return None if any(_is_own(layer) and layer._layers for layer, _ in plain_layers(model)) else False


def _may_join(call: Call) -> bool:
    return len(call.parents) > 1 and _is_own(call.layer)


def _is_own(layer: Any) -> bool:
    """Tell whether a layer or operation is none of Keras's layers; those of its applications are their authors' own."""
    return not of_keras(layer) or type(layer).__module__.startswith("keras.src.applications.")


def _strength(layer: Any) -> float:
    """Return the largest factor, in size, of a layer that augments; 0 for one that has none, such as a flip."""
    factors = [value for key, value in layer.get_config().items() if "factor" in key]
    return max((abs(float(one)) for one in keras.tree.flatten(factors) if isinstance(one, int | float)), default=0.0)


def _normalizes_vectors(layer: Any) -> bool:
    """Tell whether a layer learns with the mean and variance of one number of each sample of the batch."""
    ndim = getattr(layer.input_spec, "ndim", None)
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and ndim == 2


def structure(model: Any, layers: Iterable[Mapping[str, Attribute]]) -> str | None:
    """Return 12 hexadecimal digits that are the same for models built alike, whatever their layers are called.

    Args:
        model: the model; there is no answer before it is built.
        layers: the attributes of its layer sites, in order.
    """
    if not model.built:
        return None
    lines = [f"{type(model).__name__} {model.count_params()}", *(repr(dict(one)) for one in layers)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
