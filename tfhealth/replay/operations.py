"""A step and what it begins from -> each operation of it that made or passed on NaN or Inf, and what went in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.exact import preserved
from tfhealth.capture.keep import state
from tfhealth.capture.patches import installed
from tfhealth.capture.tap import Tap

__all__ = ["BATCH", "Operation", "Traced", "Values"]


@dataclass(frozen=True)
class Values:
    """The values of one tensor.

    Attributes:
        name: the operation that made it.
        size: how many there are.
        nan, inf: how many are NaN, and Inf of either sign.
        zero: how many are 0.
        low, high: the smallest and the largest finite one; NaN where none is finite.
    """

    name: str
    size: int
    nan: int
    inf: int
    zero: int
    low: float
    high: float


@dataclass(frozen=True)
class Operation:
    """One operation of a step.

    Attributes:
        place: its number in the order of the step.
        name: Keras's scopes and TensorFlow's name.
        type: TensorFlow's type of operation, e.g. MatMul.
        inputs, outputs: the values that went in and came out.
        made: whether NaN or Inf came out though none went in.
    """

    place: int
    name: str
    type: str
    inputs: tuple[Values, ...]
    outputs: tuple[Values, ...]
    made: bool


BATCH = re.compile(r"batch(_\d+)?")
"""The names of the operations that bring the batch into the step."""

Key = tuple[int, int]
"""A tensor of a step: the place of its operation, and which of the operation's outputs it is."""


@dataclass(eq=False)
class Traced:
    """One step as a graph, whose every tensor can be looked at.

    Args:
        model: a model, or a loop, that holds the state before the step; it has it again after every look.
        step: runs one step on `data`.
        data: the batch.
    """

    model: Any
    step: Callable[[Any], Any]
    data: Any
    _operations: list[Any] = field(default_factory=list)
    _ends: list[Any] = field(default_factory=list)

    def hit(self) -> list[int]:
        """Return the places of the operations through which NaN or Inf reached a layer, loss, gradient or weight.

        What reached none of them, such as a value that a mask takes out, is left out.
        """
        self._run(lambda key, tensor: None)  # makes what a first step makes, whose operations no other step has
        found = self._run(lambda key, tensor: _spoiled(tensor) if tensor.dtype.is_floating else None)
        bad = {key for key, value in found.items() if value}
        keys = self._keys()
        chain, queue = set(), [keys[id(one)] for one in self._ends]
        while queue:
            key = queue.pop()
            if key in bad and key[0] not in chain:
                chain.add(key[0])
                queue += [keys[id(one)] for one in self._operations[key[0]].inputs]
        return sorted(chain)

    def operations(self, places: Sequence[int]) -> list[Operation]:
        """Return the operations at these places, with the values that went in and came out."""
        keys, chosen = self._keys(), [self._operations[place] for place in places]
        wanted = {keys[id(one)] for op in chosen for one in (*op.inputs, *op.outputs)}
        found = self._run(lambda key, one: _summary(one) if key in wanted and _is_number(one) else None)
        keys = self._keys()

        def values(tensors: Sequence[Any]) -> tuple[Values, ...]:
            return tuple(_values(one, found[keys[id(one)]].numpy()) for one in tensors if keys[id(one)] in found)

        made = []
        for place in places:
            op = self._operations[place]
            into = values(op.inputs)
            clean = not any(one.nan or one.inf for one in into)
            made.append(Operation(place, str(op.name), str(op.type), into, values(op.outputs), clean))
        return made

    def _keys(self) -> dict[int, Key]:
        """Return where each tensor is: names have numbers that differ from trace to trace."""
        return {
            id(tensor): (place, number)
            for place, op in enumerate(self._operations)
            for number, tensor in enumerate(op.outputs)
        }

    def _run(self, look: Callable[[Key, Any], Any]) -> dict[Key, Any]:
        """Trace and run the step; return what `look` returns for each of its tensors, where that is not None."""
        looked: list[Key] = []

        def body(batch: Any) -> list[Any]:  # what it is called is what its operations are called: see BATCH
            tap = Tap(lambda function: function)
            with installed(self.model), tap.listening():
                self.step(batch)
            graph = tf.compat.v1.get_default_graph()
            self._operations = list(graph.get_operations())
            self._ends = [*_shown(tap), *self._assigned(graph)]
            found = [
                ((place, number), seen)
                for place, op in enumerate(self._operations)
                for number, tensor in enumerate(op.outputs)
                if (seen := look((place, number), tensor)) is not None
            ]
            looked[:] = [key for key, _ in found]
            return [seen for _, seen in found]

        with preserved(self.model), _unrolled(self.model):
            seen = tf.function(body, autograph=False).get_concrete_function(self.data)(self.data)
        return dict(zip(looked, seen, strict=True))

    def _assigned(self, graph: Any) -> Iterator[Any]:
        """Yield what the step writes into the model's and the optimizers' variables."""
        handles = {id(own.handle) for _, own in state(self.model)}
        own = {id(inside) for outside, inside in graph.captures if id(outside) in handles}
        for op in self._operations:
            inputs = list(op.inputs)
            if len(inputs) > 1 and id(inputs[0]) in own and op.type not in ("ReadVariableOp", "ResourceGather"):
                yield from (one for one in inputs[1:] if one.dtype.is_floating)


def _shown(tap: Tap) -> Iterator[Any]:
    """Yield what the tap saw: outputs of layers, the loss, and gradients."""
    yield from (tensor for call in tap.calls for tensor in call.outputs)
    yield from (one for one in (tap.total_loss,) if one is not None)
    for update in tap.updates:
        if not isinstance(update.optimizer, keras.optimizers.LossScaleOptimizer) and update.gradient is not None:
            gradient = update.gradient
            yield gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _spoiled(tensor: Any) -> Any:
    return ~tf.reduce_all(tf.math.is_finite(tensor))


def _is_number(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating or tensor.dtype.is_integer)


def _summary(tensor: Any) -> Any:
    """Return size, NaN, Inf, zeros, least and greatest finite value, float64[6]; Inf and −Inf where none is finite."""
    x = tf.reshape(tf.cast(tensor, tf.float64), [-1])
    finite, endless = tf.math.is_finite(x), tf.constant(float("inf"), tf.float64)
    odd = [tf.math.is_nan(x), tf.math.is_inf(x), tf.equal(x, 0)]
    counts = [tf.reduce_sum(tf.cast(one, tf.float64)) for one in odd]
    ends = [tf.reduce_min(tf.where(finite, x, endless)), tf.reduce_max(tf.where(finite, x, -endless))]
    return tf.stack([tf.cast(tf.size(x), tf.float64), *counts, *ends])


def _values(tensor: Any, row: Any) -> Values:
    size, nan, inf, zero = (int(one) for one in row[:4])
    low, high = (float(one) if math.isfinite(one) else math.nan for one in row[4:])
    return Values(str(tensor.op.name), size, nan, inf, zero, low, high)


@contextmanager
def _unrolled(model: Any) -> Iterator[None]:
    """Let Keras's recurrent layers show each time step: the inside of a loop cannot be looked at."""
    layers = [one for one in model._flatten_layers() if isinstance(one, keras.layers.RNN)]
    before = [one.unroll for one in layers]
    try:
        for layer in layers:
            layer.unroll = True
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer.unroll = was
