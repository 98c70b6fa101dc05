"""A model -> the facts of its structure: size, depth, what normalizes, drops, regularizes, joins and is frozen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.facts.layers import plain_layers, regularizers, size
from tfhealth.capture.facts.paths import is_dropout, is_normalization
from tfhealth.capture.layers import layers_below
from tfhealth.series import Attribute

__all__ = ["model_facts", "structure", "structure_facts"]

_AUGMENTING = ("AugMix", "CutMix", "MixUp", "RandAugment")  # beside those whose name begins with Random


def model_facts(model: Any) -> dict[str, Attribute]:
    """Return what a model says of itself."""
    facts: dict[str, Attribute] = {
        "name": str(model.name),
        "class": type(model).__name__,
        "built": bool(model.built),
        "layers": len(model.layers),
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
    held_back = (one for layer in _all(model) for one in layer._trainable_variables if not one.trainable)
    return {
        "weighted_depth": graph.depth if graph is not None else None,
        "residual": _residual(model, graph),
        **_counts(model),
        "frozen_parameters": sum(map(size, held_back)) if model.built else None,
        "backbone": _backbone(model),
    }


def _all(model: Any) -> list[Any]:
    """Return the model and every layer below it, each once."""
    return list({id(layer): layer for layer in [model, *(one for one, _ in layers_below(model))]}.values())


def _counts(model: Any) -> dict[str, Attribute]:
    layers = [layer for layer, _ in plain_layers(model)]
    rates = [float(layer.rate) for layer in layers if is_dropout(layer)]
    return {
        "normalization_layers": sum(map(is_normalization, layers)),
        "dropout_layers": len(rates),
        "highest_dropout": max(rates, default=0.0),
        "regularized_layers": sum(bool(regularizers(layer)) for layer in layers),
        "augmentation_layers": sum(map(_augments, layers)),
        "custom_layers": sum(map(_is_own, layers)),
    }


def _augments(layer: Any) -> bool:
    name = type(layer).__name__
    return type(layer).__module__.startswith("keras.") and (name.startswith("Random") or name in _AUGMENTING)


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
    module = type(layer).__module__
    return not module.startswith("keras.") or module.startswith("keras.src.applications.")


def _backbone(model: Any) -> str | None:
    """Return the name in `keras.applications` that the model or a model in it is called by, e.g. MobileNetV2."""
    known = sorted((name for name in dir(keras.applications) if name[0].isupper()), key=len, reverse=True)
    for layer in _all(model):
        if isinstance(layer, keras.Model):
            called = re.sub(r"[^a-z0-9]", "", str(layer.name).lower())
            for name in known:
                if called.startswith(name.lower()):
                    return name
    return None


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
