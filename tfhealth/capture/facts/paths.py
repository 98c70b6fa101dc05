"""A model's graph -> what lies along its paths before and after a call: dropout, normalization, a linear layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.layers import activation_name, weighted

__all__ = ["Paths", "is_dropout", "is_normalization", "paths"]

_NORMALIZATIONS = tuple(
    getattr(keras.layers, f"{kind}Normalization") for kind in ("Batch", "Layer", "Group", "RMS", "Unit")
)
_DROPOUTS = tuple(
    getattr(keras.layers, name)
    for name in (
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "AlphaDropout",
        "GaussianDropout",
    )
)
_LINEAR = {
    *("BatchNormalization", "Dropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Cropping1D", "Cropping2D", "Cropping3D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "ZeroPadding1D", "ZeroPadding2D"),
    *("ZeroPadding3D", "UpSampling1D", "Flatten", "Identity", "Permute", "RepeatVector", "Reshape"),
}


def is_normalization(layer: Any) -> bool:
    """Tell whether a layer normalizes what flows through it while the model learns."""
    return isinstance(layer, _NORMALIZATIONS)


def is_dropout(layer: Any) -> bool:
    """Tell whether a layer drops units at random, at a rate above 0."""
    return isinstance(layer, _DROPOUTS) and float(getattr(layer, "rate", 0) or 0) > 0


@dataclass(frozen=True)
class Paths:
    """What lies along the paths of a graph, as the ids of its calls.

    Attributes:
        dropout_before: a dropout layer lies before, with no layer that has weights or normalizes between.
        normalized_after: a normalization follows, with no layer that has weights between.
        linear_before: the output of a weighted linear layer arrives through linear layers only.
    """

    dropout_before: frozenset[int]
    normalized_after: frozenset[int]
    linear_before: frozenset[int]


def paths(graph: Graph) -> Paths:
    """Return what lies along the paths of a graph."""
    back = reversed(graph.calls)
    return Paths(
        _reaching(graph.calls, lambda one: one.parents, lambda one: is_dropout(one.layer), _stops),
        _reaching(back, lambda one: one.children, lambda one: is_normalization(one.layer), _stops),
        _reaching(graph.calls, lambda one: one.parents, _is_linear, _bends),
    )


def _reaching(
    calls: Iterable[Call],
    onward: Callable[[Call], Sequence[Call]],
    wanted: Callable[[Call], bool],
    stops: Callable[[Call], bool],
) -> frozenset[int]:
    """Return the calls from which a path meets what is wanted before anything that stops it.

    Args:
        calls: in an order in which those that lie `onward` of a call come before it.
        onward: the neighbors of a call.
        wanted: what to look for.
        stops: what ends a path.
    """
    found: set[int] = set()
    for call in calls:
        if any(wanted(one) or (id(one) in found and not stops(one)) for one in onward(call)):
            found.add(id(call))
    return frozenset(found)


def _stops(call: Call) -> bool:
    return call.own or call.opaque or is_normalization(call.layer)


def _is_linear(call: Call) -> bool:
    known = isinstance(call.layer, keras.Layer) and type(call.layer).__module__.startswith("keras.")
    return known and weighted(call.layer) and activation_name(call.layer) == "linear"


def _bends(call: Call) -> bool:
    return call.own or type(call.layer).__name__ not in _LINEAR
