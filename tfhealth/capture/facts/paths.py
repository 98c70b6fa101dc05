"""A model's graph -> what lies along its paths before and after a call: dropout, normalization, a linear layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.facts.linear import PASSING, is_linear, linear_layers_before

__all__ = ["Paths", "is_dropout", "is_normalization", "joined", "paths"]

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
        linear_layers_before: how many layers in a row before a weighted one could be one linear layer with it.
    """

    dropout_before: frozenset[int]
    normalized_after: frozenset[int]
    linear_before: frozenset[int]
    linear_layers_before: Mapping[int, int]


def paths(graph: Graph) -> Paths:
    """Return what lies along the paths of a graph."""
    back = reversed(graph.calls)
    return Paths(
        _reaching(graph.calls, lambda one: one.parents, lambda one: is_dropout(one.layer), _stops),
        _reaching(back, lambda one: one.children, lambda one: is_normalization(one.layer), _stops),
        _reaching(graph.calls, lambda one: one.parents, is_linear, _bends),
        linear_layers_before(graph),
    )


def joined(graph: Graph) -> frozenset[int]:
    """Return the ids of the layers whose output meets another in a sum or product before any layer with weights."""
    calls = reversed(graph.calls)
    found = _reaching(calls, lambda one: one.children, _joins, lambda one: one.own or one.opaque)
    return frozenset(id(call.layer) for call in graph.calls if id(call) in found)


def _joins(call: Call) -> bool:
    return len(call.parents) > 1 and type(call.layer).__name__ in ("Add", "Multiply", "Subtract")


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


def _bends(call: Call) -> bool:
    return call.own or type(call.layer).__name__ not in PASSING
