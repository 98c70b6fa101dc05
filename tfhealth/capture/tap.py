"""One traced train step -> the tensors that passed through layers, loss and optimizer, and who they belong to.

A `Tap` listens in its own thread, and only while the probed step is traced (or runs eagerly). Nothing is computed
here: tensors are kept by reference, in the order in which they came by.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
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
    """One variable of one optimizer step.

    Attributes:
        gradient: None where the loss does not depend on the variable.
        before, after: its value.
        scale: what the gradient is multiplied by, or None.
        whole: whether the gradient is that of all replicas together, where there are several.
        optimizer: whose step it was.
    """

    variable: Any
    gradient: Any
    before: Any
    after: Any
    scale: Any
    whole: bool = False
    optimizer: Any = None


@dataclass(eq=False)
class Tap:
    """What one step showed.

    Attributes:
        calls: layer calls in execution order, innermost first.
        unheard: layers and outputs of calls that showed no tensor of the step's own.
        updates: variables handed to optimizers.
        answered: {id(model): what its first call put out}.
        y, y_pred, sample_weight: what the loss was computed from.
        data_loss, total_loss: scalars of the batch; None where the step computed no such thing.
        minimized: what gradients in weights were taken of, each once.
        derived: whether the loss is known by that alone.
        losses: (loss, value) of each call of a Keras loss, in order.
        compared: labels, predictions and sample weights of the first of them.
        added: values of `add_loss` and of activity regularizers; None where the total is not known.
        replica: makes of a function one that is tapped by itself, for a step that hands it to replicas.
        handed_out: whether the step did.
        scales: the dynamic loss scale before and after the step; None where there is none.
        rates: (optimizer, learning rate) of each optimizer's first step; None where the rate is not known.
        applying: whether an optimizer is at work.
        reduced: {id(variable): gradient} of the replicas together, as far as the optimizer at work added it up.
    """

    replica: Callable[[Callable[..., Any]], Callable[..., Any]]
    handed_out: bool = False
    graph: Any = None
    calls: list[Called] = field(default_factory=list)
    unheard: list[tuple[Any, Any]] = field(default_factory=list)
    updates: list[Updated] = field(default_factory=list)
    answered: dict[int, Any] = field(default_factory=dict)
    y: Any = None
    y_pred: Any = None
    sample_weight: Any = None
    data_loss: Any = None
    total_loss: Any = None
    minimized: list[Any] = field(default_factory=list)
    derived: bool = False
    losses: list[tuple[Any, Any]] = field(default_factory=list)
    compared: tuple[Any, Any, Any] | None = None
    added: list[Any] | None = None
    scales: tuple[Any, Any] | None = None
    rates: list[tuple[Any, Any]] = field(default_factory=list)
    applying: bool = False
    reduced: dict[int, Any] = field(default_factory=dict)
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    _inside: list[Any] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[Tap]:
        """Listen in this thread until the block ends."""
        self.graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        before, _local.tap = current(), self
        try:
            yield self
        finally:
            _local.tap = before

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
            if isinstance(layer, keras.Model):
                self.answered.setdefault(id(layer), outputs)
        else:
            self.unheard.append((layer, outputs))

    def loss_computed(self, y: Any, y_pred: Any, sample_weight: Any, total: Any, added: list[Any]) -> None:
        """Take note of the batch's loss; of several calls in one step the first counts."""
        if self.total_loss is None and self.hears(total):
            self.y, self.y_pred, self.sample_weight, self.total_loss = y, y_pred, sample_weight, total
            self.added = added if len(self.tensors(added)) == len(added) else None

    def loss_differentiated(self, target: Any, sources: Any) -> None:
        """Take note of a scalar, or one value a sample, that gradients in weights are taken of."""
        in_weights = any(isinstance(one, keras.Variable | tf.Variable) for one in keras.tree.flatten(sources))
        if in_weights and all(one is not target for one in self.minimized) and self.hears(target):
            self.minimized.append(target)

    def loss_called(self, loss: Any, value: Any, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take note of one call of a Keras loss."""
        if self.hears(value):
            self.losses.append((loss, value))
            self.compared = self.compared or (y_true, y_pred, sample_weight)

    def data_loss_computed(self, value: Any) -> None:
        """Take note of the compiled loss without regularization."""
        if self.data_loss is None and self.hears(value):
            self.data_loss = value

    def loss_told(self, value: Any, y: Any, y_pred: Any) -> None:
        """Take note of what a hand-written step says its loss is."""
        if self.hears(value):
            self.y, self.y_pred, self.total_loss = y, y_pred, value

    def returned(self, result: Any) -> Any:
        """Take the loss from what a hand-written step returned; return the Keras loss that made it, if it was one.

        It is the entry `loss` of a dictionary, or the first scalar. Of several calls of Keras losses none is the loss.
        """
        found = result["loss"] if isinstance(result, dict) and "loss" in result else result
        scalars = [one for one in self.tensors(found) if one.dtype.is_floating and one.shape.rank == 0]
        if self.total_loss is None and scalars:
            self.total_loss = scalars[0]
        if len(self.losses) != 1 or self.compared is None:
            return None
        loss, self.data_loss = self.losses[0]
        if self.y_pred is None:
            self.y, self.y_pred, self.sample_weight = self.compared
        return loss

    def own_step(self, model: Any, data: Any) -> None:
        """Take the labels of the data and what the model first answered, where a step computes its loss by itself.

        Its loss is what it takes gradients of, if that is one thing. Of the models of a GAN each has its own, and one
        that is scaled up for half precision is not the loss itself.
        """
        if self.total_loss is not None:
            return
        if self.y_pred is None and id(model) in self.answered:
            _, self.y, self.sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            self.y_pred = self.answered[id(model)]
        if len(self.minimized) == 1 and self.scales is None:
            self.total_loss, self.derived = tf.reduce_mean(self.minimized[0]), True
            if not _regularized(model):
                self.data_loss = self.total_loss

    def rate_used(self, optimizer: Any, rate: Any) -> None:
        """Take note of the learning rate that an optimizer is about to use; of several uses the first counts."""
        known = rate if self.hears(rate) else None
        if all(one is not optimizer for one, _ in self.rates):
            self.rates.append((optimizer, known))

    def scale_adapted(self, before: Any, after: Any) -> None:
        """Take note of a dynamic loss scale; of several optimizers the first one's."""
        if self.scales is None and self.hears(after):
            self.scales = before, after

    def gradients_reduced(self, pairs: Any) -> None:
        """Take note of (gradient, variable) pairs that an optimizer added up over the replicas."""
        for gradient, variable in pairs:
            tensor = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
            if self.hears(tensor):
                self.reduced[id(variable)] = gradient


def _regularized(model: Any) -> bool:
    """Tell whether Keras knows of any penalty in the model, which a loss may have in it or not."""
    penalties = (one for layer in model._flatten_layers() for one in layer._get_own_losses())
    return any(True for _ in penalties) or any(one.regularizer is not None for one in model.trainable_variables)
