"""One traced train step -> the tensors that passed through layers, loss and optimizer, and who they belong to.

A `Tap` listens in its own thread, and only while the probed step is traced (or runs eagerly). Nothing is computed
here: tensors are kept by reference, in the order in which they came by.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

__all__ = ["Called", "Tap", "Updated", "current"]

_local = threading.local()


def current() -> Tap | None:
    """Return the tap that listens in this thread, or None."""
    return getattr(_local, "tap", None)


@dataclass(eq=False)
class Called:
    """One call of a layer: the tensors that went in and those that came out, flattened."""

    layer: Any
    inputs: list[Any]
    outputs: list[Any]


@dataclass(eq=False)
class Updated:
    """One variable of one optimizer step: gradient (None: none), value before and value after."""

    variable: Any
    gradient: Any
    before: Any
    after: Any
    scale: Any


@dataclass(eq=False)
class Tap:
    """What one step showed.

    Attributes:
        calls: layer calls in execution order, innermost first.
        updates: variables handed to optimizers.
        y, y_pred, sample_weight: what the loss was computed from.
        data_loss, total_loss: scalars of the batch; None where the step computed no such thing.
    """

    graph: Any = None
    calls: list[Called] = field(default_factory=list)
    updates: list[Updated] = field(default_factory=list)
    y: Any = None
    y_pred: Any = None
    sample_weight: Any = None
    data_loss: Any = None
    total_loss: Any = None
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    _inside: list[Any] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[Tap]:
        """Listen in this thread until the block ends."""
        self.graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        _local.tap = self
        try:
            yield self
        finally:
            _local.tap = None

    @contextmanager
    def inside(self, layer: Any) -> Iterator[None]:
        """Mark that what happens in the block happens inside `layer`."""
        self._inside.append(layer)
        try:
            yield
        finally:
            self._inside.pop()

    @property
    def depth(self) -> int:
        """How many layer calls are open."""
        return len(self._inside)

    def hears(self, tensor: Any) -> bool:
        """Tell whether `tensor` is one of the step's own: no KerasTensor, none of an inner loop's graph."""
        if not isinstance(tensor, tf.Tensor):
            return False
        return getattr(tensor, "graph", None) is self.graph  # an eager tensor has none

    def tensors(self, structure: Any) -> list[Any]:
        """Return the step's own tensors in a nested structure, in order."""
        return [one for one in keras.tree.flatten(structure) if self.hears(one)]

    def layer_called(self, layer: Any, inputs: Any, outputs: Any) -> None:
        """Take note of one call of a layer; calls inside a recurrent layer belong to its time steps."""
        if any(isinstance(outer, keras.layers.RNN) for outer in self._inside):
            return
        found = self.tensors(outputs)
        if found:
            self.calls.append(Called(layer, self.tensors(inputs), found))

    def loss_computed(self, y: Any, y_pred: Any, sample_weight: Any, total: Any) -> None:
        """Take note of the batch's loss; of several calls in one step the first counts."""
        if self.total_loss is None and self.hears(total):
            self.y, self.y_pred, self.sample_weight, self.total_loss = y, y_pred, sample_weight, total

    def data_loss_computed(self, value: Any) -> None:
        """Take note of the compiled loss without regularization."""
        if self.data_loss is None and self.hears(value):
            self.data_loss = value
