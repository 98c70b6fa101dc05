"""Layers, variables, inputs and outputs of a tapped step -> sites with their attributes."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture import outputs
from tfhealth.capture.behind import softmaxes_of_one
from tfhealth.capture.depth import behind, depths, fixed, unread
from tfhealth.capture.facts import graph as graphs
from tfhealth.capture.facts.paths import joined
from tfhealth.capture.fusion import fused
from tfhealth.capture.layers import activation_name, is_normalizing, layers_below, location, owners, prepares, weighted
from tfhealth.capture.tap import Called, Tap, Updated
from tfhealth.capture.variables import negated, variable_attributes
from tfhealth.series import Attribute, Site

__all__ = ["LeftOut", "Located", "frozen", "locate", "untapped"]


@dataclass(frozen=True)
class LeftOut:
    """A variable that a step reads and gives to no optimizer, and the layer that owns it; None of a loss's own."""

    variable: Any
    layer: Any


@dataclass(eq=False)
class Located:
    """A tensor with the site it belongs to.

    Attributes:
        update: of a variable that an optimizer changes.
        left_out: of a trainable one that none is given.
    """

    site: Site
    tensor: Any
    attributes: dict[str, Attribute]
    update: Updated | None = None
    left_out: LeftOut | None = None


def locate(tap: Tap, model: Any) -> list[Located]:
    """Return every site that one step showed, in execution order: inputs, activations, variables, outputs."""
    ends = _output_calls(tap)
    owner = owners(model)
    depth = depths(tap.calls)
    meeting = _meeting(model)
    found = [*_inputs(tap), *_activations(tap, ends, depth)]
    order = {id(call.layer): place for place, call in reversed(list(enumerate(tap.calls)))}
    closing = {id(call.layer) for call in ends}
    updates = sorted(tap.updates, key=lambda one: order.get(id(owner.get(id(one.variable), (None, False))[0]), 1 << 30))
    for position, update in enumerate(updates):
        layer, nested = owner.get(id(update.variable), (None, False))
        place = order.get(id(layer))
        attributes = variable_attributes(update.variable, layer, nested, position) | {
            "depth": None if place is None else depth[place],
            "output": id(layer) in closing,
            "joined": None if meeting is None else id(layer) in meeting,
        }
        found += _variable_sites(update, attributes)
    found += _left_out(tap, model, owner)
    return found + [Located(site, tensor, attributes) for site, tensor, attributes in outputs.locate(tap, model)]


def _left_out(tap: Tap, model: Any, owner: Mapping[int, tuple[Any, bool]]) -> Iterator[Located]:
    """Yield the trainable weights of layers that the step calls, of which it gives its optimizers others only."""
    given = {id(one) for update in tap.updates for one in (update.variable, getattr(update.variable, "value", None))}
    called = {id(call.layer) for call in tap.calls}
    for position, variable in enumerate(model.trainable_variables if given else ()):
        layer, nested = owner.get(id(variable), (None, False))
        if id(layer) in called and not given & {id(variable), id(variable.value)}:
            attributes = variable_attributes(variable, layer, nested, position)
            attributes |= {"depth": None, "output": False, "joined": None, "forgotten": None}
            yield Located(Site("weight", str(variable.path)), None, attributes, left_out=LeftOut(variable, layer))


def untapped(tap: Tap) -> Iterator[tuple[str, str]]:
    """Yield (activation, why) for each layer that ran and of which no output can be measured."""
    for call in tap.calls:
        for tensor in call.outputs:
            if tensor.dtype.is_complex:
                yield f"activation {location(call.layer)}", f"its output is {tensor.dtype.name}"
    heard = {id(call.layer) for call in tap.calls}
    for layer, made in tap.unheard:
        if id(layer) in heard or isinstance(layer, keras.Model | keras.layers.InputLayer):
            continue
        flat = keras.tree.flatten(made)
        other = next((one for one in flat if isinstance(one, tf.RaggedTensor | tf.SparseTensor)), None)
        if other is not None:
            yield f"activation {location(layer)}", f"its output is a {type(other).__name__}"
        elif any(isinstance(one, tf.Tensor) for one in flat):
            yield f"activation {location(layer)}", "it is called in a loop within the step, which no probe reaches"


def _meeting(model: Any) -> Container[int] | None:
    """Return the ids of the layers whose output is summed or multiplied with another; None without a graph."""
    try:
        graph = graphs.read(model)
    except Exception:  # facts say why
        return None
    return None if graph is None else joined(graph)


def frozen(model: Any) -> Iterator[tuple[Site, dict[str, Attribute]]]:
    """Yield the weight sites that no optimizer will touch because their layer is not trainable."""
    for place, (layer, nested) in enumerate(layers_below(model)):
        for variable in layer._trainable_variables:
            if not variable.trainable:
                attributes = variable_attributes(variable, layer, nested, place)
                yield Site("weight", str(variable.path)), attributes | {"depth": None, "output": False, "joined": None}


def _variable_sites(update: Updated, attributes: dict[str, Attribute]) -> list[Located]:
    name = str(update.variable.path)
    tried = {
        "connected": update.gradient is not None,
        "scaled": isinstance(update.optimizer, keras.optimizers.LossScaleOptimizer),
        "negated": negated(update.gradient),
    }
    return [
        Located(Site("weight", name), update.before, dict(attributes), update),
        Located(Site("gradient", name), update.gradient, attributes | tried, update),
        Located(Site("update", name), None, dict(attributes), update),
    ]


def _activations(tap: Tap, ends: Sequence[Called], depth: Sequence[int]) -> Iterator[Located]:
    seen: dict[str, int] = {}
    last = {id(call) for call in ends}
    constant = softmaxes_of_one(tap)
    passed_on: set[int] = set()  # outputs of weighted layers that are not read before their activation
    for position, call in enumerate(tap.calls):
        layer = call.layer
        if isinstance(layer, keras.Model | keras.layers.InputLayer):
            continue
        has_weights = weighted(layer) or any(id(tensor) in passed_on for tensor in call.inputs)
        for number, tensor in enumerate(one for one in call.outputs if one.dtype.is_floating):
            if fused(tensor):
                if has_weights:
                    passed_on.add(id(tensor))
                continue
            name = location(layer) + (f":{number}" if number else "")
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name = f"{name}#{seen[name]}"
            attributes: dict[str, Attribute] = {
                "layer": type(layer).__name__,
                "activation": activation_name(layer),
                "position": position,
                "depth": depth[position],
                "output": id(call) in last,
                "weighted": has_weights,
                "recurrent": isinstance(layer, keras.layers.RNN),
                "penalized": getattr(layer, "activity_regularizer", None) is not None,
                "softmax_of_one": id(call) in constant,
                "units": tensor.shape[-1] if tensor.shape.rank else 1,
                "shape": str(tuple(tensor.shape)),
            }
            yield Located(Site("activation", name), tensor, attributes)


def _output_calls(tap: Tap) -> list[Called]:
    """Return the calls that make the predictions: of the last weighted layers and of all that follows them.

    A step of one's own may have more of them than its loss was told, such as the answer of a teacher.
    """
    wanted = {id(tensor) for tensor in tap.tensors(tap.y_pred)}
    ends: list[Called] = []
    for call in reversed(tap.calls):
        if any(id(tensor) in wanted for tensor in call.outputs):
            ends.append(call)
            if not weighted(call.layer):
                wanted |= {id(tensor) for tensor in call.inputs}
    if not ends:
        ends = [call for call in reversed(tap.calls) if weighted(call.layer)][:1]
    return ends if tap.graph is None else [*ends, *unread(tap.calls)]  # an eager step has no way back


def _inputs(tap: Tap) -> Iterator[Located]:
    """Yield the tensors that reach the first real layers, whatever preprocessing the model does before."""
    made: dict[int, bool] = {}  # id(tensor) -> whether it is still input
    known: set[str] = set()
    for position, call in enumerate(tap.calls):
        layer = call.layer
        still = [_is_input(tensor, made) for tensor in call.inputs]
        for tensor in call.outputs:
            made[id(tensor)] = made.get(id(tensor), False) or (prepares(layer) and all(still))
        if prepares(layer) or (layer._layers and not isinstance(layer, keras.layers.RNN)):
            continue
        for tensor in (one for one, raw in zip(call.inputs, still, strict=True) if raw):
            name = location(layer)
            if name in known or not (tensor.dtype.is_floating or tensor.dtype.is_integer):
                continue
            known.add(name)
            yield Located(Site("input", name), tensor, _input_attributes(tensor, layer, position))


def _input_attributes(tensor: Any, layer: Any, position: int) -> dict[str, Attribute]:
    return {
        "consumer": type(layer).__name__,
        "layer": type(layer).__name__,
        "normalized": is_normalizing(layer),
        "dtype": tensor.dtype.name,
        "rank": tensor.shape.rank,
        "features": tensor.shape[-1] if tensor.shape.rank else None,
        "shape": str(tuple(tensor.shape)),
        "whole": type(layer).__name__ == "Embedding" or tensor.dtype.is_integer,
        "position": position,
    }


def _is_input(tensor: Any, made: dict[int, bool]) -> bool:
    """Tell whether data lie behind `tensor`, and no layer but preparing ones."""
    return all(made[one] for one in behind(tensor, made)) and not fixed(tensor)
