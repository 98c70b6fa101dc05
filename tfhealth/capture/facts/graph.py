"""A Functional or Sequential model -> the calls of its layers as a flat graph: what follows what, and how deep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import keras

from tfhealth.capture.layers import layers_below, weighted

__all__ = ["Call", "Graph", "read"]


@dataclass(eq=False)
class Call:
    """One call of a layer or an operation.

    Attributes:
        layer: the layer or operation.
        parents: the calls whose outputs it takes.
        children: the calls that take its output.
        own: whether it has weights that count for depth, of its own or of layers in it.
        opaque: whether it is a model whose inside is not known.
        depth: weighted layers on the longest path before it; None behind a model whose inside is not known.
        before: a bit for each call that lies before it, and for itself.
        shape: of its first output, None for what varies; None where that is not known.
        training: the mode that it was told to be in whatever the model is in; None where it was told none.
    """

    layer: Any
    parents: tuple[Call, ...]
    children: list[Call] = field(default_factory=list)
    own: bool = False
    opaque: bool = False
    depth: int | None = None
    before: int = 0
    shape: tuple[int | None, ...] | None = None
    training: bool | None = None

    @property
    def end(self) -> int | None:
        """The depth behind this call."""
        return None if self.depth is None or self.opaque else self.depth + self.own


class Graph:
    """The calls of a model's layers, those of nested models among them, in an order that they can be made in."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._first: dict[int, Call] = {}

    def first(self, layer: Any) -> Call | None:
        """Return the first call of a layer."""
        return self._first.get(id(layer))

    def add(self, layer: Any, parents: Sequence[Call], shape: tuple[int | None, ...] | None = None) -> Call:
        """Append a call that makes an output of this shape."""
        call = Call(layer, tuple(parents), shape=shape)
        below = [one for one, _ in layers_below(layer)] if isinstance(layer, keras.Layer) else []
        call.own = any(isinstance(one, keras.Layer) and weighted(one) for one in [layer, *below])
        call.opaque = isinstance(layer, keras.Model)
        ends = [parent.end for parent in parents]
        known = [end for end in ends if end is not None]
        call.depth = max(known, default=0) if len(known) == len(ends) else None
        call.before = 1 << len(self.calls)
        for parent in parents:
            call.before |= parent.before
            parent.children.append(call)
        self.calls.append(call)
        self._first.setdefault(id(layer), call)
        return call

    @property
    def depth(self) -> int | None:
        """Weighted layers on the longest path through the model."""
        ends = [call.end for call in self.calls]
        known = [end for end in ends if end is not None]
        return max(known, default=0) if len(known) == len(ends) else None

    @property
    def residual(self) -> bool:
        """Whether a skip path is joined: by a sum of paths of different length, or by keeping what was there before."""
        return any(_joins_a_skip(call) for call in self.calls)


def _joins_a_skip(call: Call) -> bool:
    pairs = [
        (one.before & other.before, one, other) for one, other in combinations(call.parents, 2) if one is not other
    ]
    if type(call.layer).__name__ == "Add":  # the layer, or the operation of `a + b`
        return any(common and one.end != other.end for common, one, other in pairs)
    if type(call.layer).__name__ == "Concatenate":  # branches side by side are none
        return any(common in (one.before, other.before) for common, one, other in pairs)
    return False


def read(model: Any) -> Graph | None:
    """Return the graph of a model; None where Keras knows none: of a subclassed model, and of one not built yet."""
    inner = _functional(model)
    if inner is None or not model.built:
        return None
    graph = Graph()
    _nodes(graph, inner, [None] * len(inner.inputs))
    return graph


def _functional(layer: Any) -> Any:
    """Return the Functional model that a layer is, or that Keras keeps in a Sequential one."""
    if isinstance(layer, keras.Sequential):
        return getattr(layer, "_functional", None)
    return layer if isinstance(layer, keras.Model) and hasattr(layer, "_nodes_by_depth") else None


def _through(graph: Graph, node: Any, given: Sequence[Call]) -> list[Call]:
    """Add the calls that one node of a Functional model makes; return those that make its outputs."""
    inner = _functional(node.operation)
    if inner is not None:
        return _nodes(graph, inner, given)
    shape = getattr(node.outputs[0], "shape", None) if node.outputs else None
    call = graph.add(node.operation, given, None if shape is None else tuple(shape))
    told = node.arguments.kwargs.get("training")
    call.training = told if isinstance(told, bool) else None
    return [call]


def _nodes(graph: Graph, model: Any, given: Sequence[Call | None]) -> list[Call]:
    """Add the calls of a Functional model, whose inputs `given` makes; None for an input from outside."""
    made: dict[int, list[Call]] = {
        id(tensor): [call] for tensor, call in zip(model.inputs, given, strict=True) if call is not None
    }
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            outputs = list(node.outputs)
            if all(id(tensor) in made for tensor in outputs):
                continue  # an input that an outer call makes
            parents = [one for tensor in node.input_tensors for one in made.get(id(tensor), [])]
            ends = _through(graph, node, parents)
            each = [[end] for end in ends] if len(ends) == len(outputs) else [ends] * len(outputs)
            made.update({id(tensor): calls for tensor, calls in zip(outputs, each, strict=True)})
    return [one for tensor in model.outputs for one in made.get(id(tensor), [])]
