"""A model's graph -> where nothing bends the signal between layers, and how narrow it gets between input and output."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.layers import activation_name, weighted
from tfhealth.packages import of_keras

__all__ = ["PASSING", "is_linear", "linear_layers_before", "linear_model", "narrowest"]

PASSING = {
    *("BatchNormalization", "Dropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Cropping1D", "Cropping2D", "Cropping3D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "ZeroPadding1D", "ZeroPadding2D"),
    *("ZeroPadding3D", "UpSampling1D", "Flatten", "Identity", "Permute", "RepeatVector", "Reshape"),
}
"""Layers, and operations, that bend nothing and have no kernel."""

_PREPARING = {"InputLayer", "Rescaling", "Normalization"}
_SPATIAL = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def is_linear(call: Call) -> bool:
    """Tell whether a call is that of one of Keras's layers with a kernel and without a nonlinear activation."""
    known = isinstance(call.layer, keras.Layer) and of_keras(call.layer)
    return known and weighted(call.layer) and activation_name(call.layer) == "linear"


@dataclass(frozen=True)
class _Chain:
    """Linear layers whose output arrives somewhere unbent.

    Attributes:
        count: those of them that add no power.
        nearest: the last of them.
        narrowed: whether one of them is narrower than what lies on both sides, which has a purpose.
    """

    count: int
    nearest: Call | None
    narrowed: bool


_NOTHING = _Chain(0, None, False)


def linear_layers_before(graph: Graph) -> dict[int, int]:
    """Return {id(call): n} of weighted calls: n linear layers lie in a row before it and could be one with it.

    A layer narrower than both of its sides is none of them, as in a linear autoencoder, an embedding or an inverted
    residual block; nor is a depthwise convolution, which is half of a separable one.
    """
    return {key: chain.count for key, chain in _arriving(graph).items()}


def linear_model(graph: Graph) -> bool:
    """Tell whether a model has layers between input and output that could all be one linear layer.

    One that is narrower than the input and the output is there on purpose; between wide ones, it bounds nothing.
    """
    arriving = _arriving(graph)
    inner = _before_weights(graph)
    last = [call for call in graph.calls if call.own and not inner & _bit(call)]
    chains = [arriving.get(id(call), _NOTHING) for call in last]
    if not last or not all(chain.count or chain.narrowed for chain in chains):
        return False
    if any(chain.narrowed for chain in chains) and _bounded(graph, last, inner):
        return False
    return all(is_linear(call) or (not call.own and _passes(call)) for call in graph.calls if inner & _bit(call))


def _bounded(graph: Graph, last: Sequence[Call], inner: int) -> bool:
    """Tell whether a layer in between is narrower than input and output, or whether that is not known."""
    between = [call for call in graph.calls if call.own and inner & _bit(call)]
    ends = [*(_width_in(call) for call in between if call.depth == 0), *map(_width, last)]
    widths = [_width(call) for call in between]
    known = [width for width in (*widths, *ends) if width is not None]
    return len(known) < len(widths) + len(ends) or min(known[: len(widths)]) < min(known[len(widths) :])


def narrowest(graph: Graph) -> int | None:
    """Return the fewest units of a hidden layer that all of the signal goes through as one vector; None without any."""
    inner = _before_weights(graph)
    vectors = [
        (call.shape[1], call)
        for call in graph.calls
        if call.own and inner & _bit(call) and call.shape is not None and len(call.shape) == 2
    ]
    known = sorted(((width, call) for width, call in vectors if width is not None), key=lambda one: one[0])
    return next((width for width, call in known if not _passed_by(graph, call)), None)


def _passed_by(graph: Graph, call: Call) -> bool:
    """Tell whether a path leads from an input to an output without this call."""
    reached: set[int] = set()
    for one in graph.calls:
        if one is not call and (not one.parents or any(id(parent) in reached for parent in one.parents)):
            reached.add(id(one))
    return any(id(one) in reached for one in graph.calls if not one.children)


def _bit(call: Call) -> int:
    """Return the bit that is a call's own: the highest, since what lies before it was made before it."""
    return 1 << (call.before.bit_length() - 1)


def _before_weights(graph: Graph) -> int:
    """Return the bits of the calls that lie before one with weights."""
    return functools.reduce(operator.or_, (call.before & ~_bit(call) for call in graph.calls if call.own), 0)


def _arriving(graph: Graph) -> dict[int, _Chain]:
    """Return {id(call): the chain that arrives at it} of calls with weights."""
    behind: dict[int, _Chain] = {}  # what leaves each call
    found: dict[int, _Chain] = {}
    for call in graph.calls:
        chain = _longest([behind[id(parent)] for parent in call.parents])
        if _has_kernel(call):
            chain = found[id(call)] = _joined(chain, call)
        if is_linear(call) and not isinstance(call.layer, _SPATIAL):
            behind[id(call)] = _Chain(chain.count, call, chain.narrowed)
        else:
            behind[id(call)] = chain if not call.own and _passes(call) else _NOTHING
    return found


def _has_kernel(call: Call) -> bool:
    return isinstance(call.layer, keras.Layer) and weighted(call.layer)


def _longest(chains: Sequence[_Chain]) -> _Chain:
    return max(chains, key=lambda one: (one.count, one.nearest is not None), default=_NOTHING)


def _joined(chain: _Chain, call: Call) -> _Chain:
    """Return the chain at a call with weights, with the layer before it counted where it adds no power."""
    if chain.nearest is None:
        return _NOTHING
    before, own, after = _width_in(chain.nearest), _width(chain.nearest), _width(call)
    if before is None or own is None or after is None or own < min(before, after):
        return _Chain(0, None, narrowed=True)
    return _Chain(chain.count + 1, None, chain.narrowed)


def _width(call: Call) -> int | None:
    return call.shape[-1] if call.shape else None


def _width_in(call: Call) -> int | None:
    return _width(call.parents[0]) if call.parents else None


def _passes(call: Call) -> bool:
    name = type(call.layer).__name__
    return name in PASSING or name in _PREPARING or name.startswith("Random")
