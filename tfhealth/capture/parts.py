"""A located tensor of a tapped step -> the context that the sums of its statistics are computed from."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf

from tfhealth.capture import losses, outputs
from tfhealth.capture.fusion import FUSED_WITH_LOSS, fused
from tfhealth.capture.initializers import fan_stds
from tfhealth.capture.reductions import Context, flat_outside, joint, traced
from tfhealth.capture.sampling import sampled_rows
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap, Updated
from tfhealth.series import Attribute, Site

__all__ = ["Contexts"]

_YES_OR_NO = ("sigmoid", "hard_sigmoid")
"""Activations whose outputs are an answer each, on one side of one half, whatever the loss takes them for."""


@dataclass(eq=False)
class Contexts:
    """What the sums of one tapped step are computed from.

    Args:
        tap: what the step showed.
        located: all of its sites.
        replicas: how many replicas run the step, each on its part of the batch.
        note: called with (subject, why) for what this training has no such thing of.
        training: while validating, finds a variable that the probes of training keep: (site, name, shape) ->
            tf.Variable.
    """

    tap: Tap
    located: Sequence[Located]
    replicas: int
    note: Callable[[str, str], None]
    training: Callable[[Site, str, tuple[int, ...]], Any] | None = None
    _made: dict[int | str, Any] = field(default_factory=dict)

    def anew(self) -> Contexts:
        """Return the same for a branch of the step: what was computed in it does not exist outside of it."""
        return replace(self, _made={})

    def of(self, one: Located, state: Callable[[str, tuple[int, ...]], Any]) -> Context | None:
        """Return what a site's sums are computed from; None where the step has no tensor there.

        Args:
            one: the site and its tensor.
            state: makes or finds a variable that lives as long as the probes: (name, shape) -> tf.Variable.
        """
        kind = one.site.kind.removeprefix("validation_")
        tensor, size = (one.tensor, None) if one.update is None else self._of_variable(one, one.update)
        if tensor is None:
            return None
        if not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
            self.note(str(one.site), f"its values are {tensor.dtype.name}")
            return None
        if kind == "prediction" and fused(tensor, FUSED_WITH_LOSS):
            self.note("prediction", "the loss begins with an operation that TensorFlow may fuse with the output")
            return None
        return Context(tensor, one.attributes, state, self._parts(kind, one, tensor) | self._joint(one, state), size)

    def tensor(self, one: Located) -> Any:
        """Return the tensor of an activation, or the value, gradient or change of a variable; None for none."""
        return one.tensor if one.update is None else self._of_variable(one, one.update)[0]

    def _of_variable(self, one: Located, update: Updated) -> tuple[Any, float | None]:
        """Return a variable's value, gradient or change, and how many elements that has; None where it may vary.

        Of a large variable only some rows are read.
        """
        if one.site.kind == "gradient" and isinstance(update.gradient, tf.IndexedSlices):
            return self._gradient(update), None
        shape = update.variable.shape
        rows = sampled_rows(shape)
        if rows is not None:
            self.note(str(one.site), f"statistics are those of {len(rows)} of {shape[0]} rows")
        size = float(math.prod(shape)) if rows is None else None
        if one.site.kind == "update":
            return update.after - update.before, size
        if one.site.kind == "weight":
            return update.before, size
        gradient = self._gradient(update)
        return (gradient if rows is None or gradient is None else tf.gather(gradient, rows)), size

    def _gradient(self, update: Updated) -> Any:
        """Return the true gradient of a variable; None where the step does not show it."""
        if update.gradient is None:
            return None
        if self.replicas > 1 and not update.whole:
            self.note("gradient", "the replicas' parts are added up where this step does not show them")
            return None
        # Of sparse gradients the rows that the batch touched; a row touched twice counts as two.
        sparse = isinstance(update.gradient, tf.IndexedSlices)
        tensor = tf.cast(update.gradient.values if sparse else update.gradient, tf.float32)
        return tensor if update.scale is None else tensor / tf.cast(update.scale, tf.float32)

    def _parts(self, kind: str, one: Located, tensor: Any) -> dict[str, Any]:
        """Return what some of a site's sums need beside its tensor; None for what is not to be had."""
        attributes, update = one.attributes, one.update
        training = None if self.training is None else functools.partial(self.training, Site(kind, one.site.name))
        if kind == "activation":
            return {"flat_outside": flat_outside(attributes["activation"])}
        if kind == "weight":
            assert one.update is not None
            low, high = fan_stds(one.update.variable) or (None, None)
            told = {"expected_std": attributes["expected_std"] or None, "fan_in": attributes["fan_in"]}
            return told | {"smallest_fan_std": low, "largest_fan_std": high}
        if kind == "gradient" and update is not None:
            return {
                "clipped": self._clipped(update, tensor),
                "regularization_gradient": _regularization_gradient(update),
            }
        if kind == "loss":
            return losses.parts(self.tap, one, self.located, self.replicas)
        if kind == "label":
            weights = self._class_weights(attributes)
            return _label_parts(attributes, tensor) | {"training": training, "weights": weights}
        if kind == "input":
            told = {"target": self._target(), "answers": self._answers(tensor)}
            quantity = True if tensor.dtype.is_floating else None
            return {"training": training, "loaded": _loaded(tensor), "quantity": quantity} | told
        return self._prediction_parts(one) if kind == "prediction" else {"training": training}

    def _joint(self, one: Located, state: Callable[[str, tuple[int, ...]], Any]) -> dict[str, Any]:
        """Return what makes the hashes of samples of several inputs, once for all; nothing where there is one."""
        kind = one.site.kind
        inputs = [other for other in self.located if other.site.kind == kind] if kind.endswith("input") else []

        def made() -> Any:
            if kind not in self._made:
                self._made[kind] = joint([Context(other.tensor, other.attributes, state) for other in inputs])
            return self._made[kind]

        return {"joint": made} if len(inputs) > 1 else {}

    def _target(self) -> Any:
        """Return the labels of the only output, where they are one number for each sample; else None."""
        labels = [one for one in self.located if one.site.kind == "label"]
        if len(labels) != 1 or labels[0].attributes["encoding"] is not None:
            return None
        shape = labels[0].tensor.shape
        return labels[0].tensor if shape.rank == 1 or (shape.rank == 2 and shape[-1] == 1) else None

    def _answers(self, tensor: Any) -> Any:
        """Return the labels of the only output, where each sample has several and as many as an input; else None."""
        labels = [one.tensor for one in self.located if one.site.kind == "label"]
        sizes = tensor.shape[1:].num_elements()
        if len(labels) != 1 or not sizes or sizes == 1:
            return None
        return labels[0] if _alike(tensor, labels[0]) else None

    def _class_weights(self, attributes: Mapping[str, Attribute]) -> Any:
        """Return the weight of each sample, float32[B], for labels of one class each; None where there is none."""
        weights = self.tap.tensors(self.tap.sample_weight)
        if len(weights) != 1 or not attributes["one_each"] or not weights[0].dtype.is_floating:
            return None
        return tf.reshape(tf.cast(weights[0], tf.float32), [-1])

    def _clipped(self, update: Updated, gradient: Any) -> Callable[[], Any] | None:
        """Return what makes the gradient as the optimizer clips it; None where it does not, or at another place.

        Replicas clip their own parts, accumulated gradients are clipped once they are complete, and of large variables
        not all is read.
        """
        optimizer = getattr(update.optimizer, "inner_optimizer", update.optimizer)
        elsewhere = self.replicas > 1 or getattr(optimizer, "gradient_accumulation_steps", None)
        if elsewhere or sampled_rows(update.variable.shape) is not None:
            return None
        norm, whole, value = (getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue"))
        if norm:
            return lambda: gradient * (norm / tf.maximum(tf.norm(gradient), norm))
        if whole:
            return lambda: gradient * (whole / tf.maximum(self._global_norm(update.optimizer), whole))
        return (lambda: tf.clip_by_value(gradient, -value, value)) if value else None

    def _global_norm(self, optimizer: Any) -> Any:
        """Return the norm of all gradients that one optimizer was given."""
        if id(optimizer) not in self._made:
            gradients = [self._gradient(one) for one in self.tap.updates if one.optimizer is optimizer]
            self._made[id(optimizer)] = tf.linalg.global_norm([one for one in gradients if one is not None])
        return self._made[id(optimizer)]

    def _prediction_parts(self, one: Located) -> dict[str, Any]:
        attributes = one.attributes
        encoding, form = attributes["encoding"], attributes["form"]
        known = encoding is not None and (encoding != "binary" or form is not None)
        wanted = Site(one.site.kind.replace("prediction", "label"), one.site.name)
        label = next((other.tensor for other in self.located if other.site == wanted), None)
        answers = encoding is None and attributes["activation"] in _YES_OR_NO and _alike(one.tensor, label)
        return {
            "encoding": "binary" if answers else encoding,
            "classes": outputs.classes(attributes) if known else None,
            "form": form if known else None,
            "label": label if known or answers else None,
            "target": label if encoding is None and _alike(one.tensor, label) else None,
            "distribution": True if form == "probabilities" and encoding in ("index", "onehot") else None,
        }


def _alike(prediction: Any, label: Any) -> bool:
    """Tell whether prediction and label have the same axes, but for a last one of length 1."""
    if label is None or prediction.shape.rank is None or label.shape.rank is None:
        return False
    shapes = [tuple(tensor.shape)[1:] for tensor in (prediction, label)]
    mine, other = (shape[:-1] if shape and shape[-1] == 1 else shape for shape in shapes)
    return mine == other


def _label_parts(attributes: Mapping[str, Attribute], label: Any) -> dict[str, Any]:
    encoding, rank = attributes["encoding"], label.shape.rank
    return {
        "encoding": encoding,
        "classes": attributes["classes"],
        "order": attributes["one_each"] or None,
        "quantity": True if encoding is None and rank else None,
        "distribution": True if rank and rank > 1 and 1 < (label.shape[-1] or 0) == attributes["units"] else None,
    }


def _loaded(tensor: Any) -> Any:
    """Return what an input was before it was cast."""
    while hasattr(tensor, "graph") and tensor.op.type in ("Cast", "Identity"):
        tensor = tensor.op.inputs[0]
    return tensor


def _regularization_gradient(update: Updated) -> Callable[[], Any] | None:
    """Return what makes the gradient of a variable's own regularizer; None where it has none."""
    regularizer = getattr(update.variable, "regularizer", None)
    sampled = isinstance(update.gradient, tf.IndexedSlices) or sampled_rows(update.variable.shape) is not None
    if regularizer is None or sampled:
        return None

    def gradient(value: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(value)
            penalty = regularizer(value)
        return tape.gradient(penalty, value, unconnected_gradients="zero")

    return lambda: traced(gradient, update.before.shape, "a regularizer")(tf.cast(update.before, tf.float32))
