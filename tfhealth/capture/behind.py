"""The graph of a tapped step -> what its loss reads of the predictions and what besides, and shares of one thing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfhealth.capture.tap import Called, Tap

__all__ = ["reads_single_samples", "softmaxes_of_one", "variable_of_its_own"]

_PASSING = ("Identity", "Cast")
_FIRST_AXIS = 1  # its bit in the masks of a slice


def reads_single_samples(prediction: Any, tap: Tap) -> bool | None:
    """Tell whether all that the loss reads of a prediction are samples at fixed places of the batch, as in `y_pred[0]`.

    None where the step shows no graph or no loss.
    """
    if not hasattr(prediction, "graph") or tap.total_loss is None:
        return None
    readers = [op for tensor in _passed_on(prediction) for op in tensor.consumers() if op.type not in _PASSING]
    if not any(map(_takes_one, readers)):
        return False
    leading = _before([tap.total_loss])
    return all(_takes_one(op) for op in readers if op in leading and op.type != "Shape")


def variable_of_its_own(tap: Tap, model: Any) -> Any:
    """Return a variable that is to be trained, stands between predictions and loss, and is unknown to the model.

    None where there is none, or where the step shows no graph, predictions and loss.
    """
    predictions = tap.tensors(tap.y_pred)
    if tap.graph is None or tap.total_loss is None or not predictions:
        return None
    known = {id(one.value) for one in model.variables}
    strange = [one for one in _variables(tap.graph) if one.trainable and one.dtype.is_floating and id(one) not in known]
    inside = {id(outer): inner.op for outer, inner in tap.graph.captures} if strange else {}
    between = _before([tap.total_loss]) - _before(predictions) if strange else set()
    return next((one for one in strange if inside.get(id(one.handle)) in between), None)


def softmaxes_of_one(tap: Tap) -> set[int]:
    """Return the ids of the layer calls in which a softmax runs along an axis of length 1, the innermost of each."""
    if tap.graph is None:
        return set()
    softmaxes = [op for op in tap.graph.get_operations() if op.type == "Softmax" and op.inputs[0].shape[-1] == 1]
    calls = (next((call for call in tap.calls if op in _inside(call)), None) for op in softmaxes)
    return {id(call) for call in calls if call is not None}


def _inside(call: Called) -> set[Any]:
    """Return the operations of a layer's call."""
    return _before(call.outputs, {one.op for one in call.inputs})


def _variables(graph: Any) -> Iterator[tf.Variable]:
    """Yield the variables that a graph reads so far, those of a distributed one left out."""
    read = getattr(graph, "_watched_variables", ())  # `graph.variables` is filled when its trace ends
    yield from (one for one in read if hasattr(one, "handle"))


def _passed_on(tensor: Any) -> list[Any]:
    """Return a tensor and what only passes its values on."""
    found = [tensor]
    for one in found:
        found += [op.outputs[0] for op in one.consumers() if op.type in _PASSING]
    return found


def _takes_one(op: Any) -> bool:
    """Tell whether an operation takes one place of the first axis, which is written in the program."""
    if op.type != "StridedSlice" or not op.get_attr("shrink_axis_mask") & _FIRST_AXIS:
        return False
    return not op.get_attr("ellipsis_mask") & _FIRST_AXIS and tf.get_static_value(op.inputs[1]) is not None


def _before(tensors: Sequence[Any], known: Container[Any] = ()) -> set[Any]:
    """Return the operations that tensors are computed from, `known` ones and what lies behind these left out."""
    found: set[Any] = set()
    waiting = [one.op for one in tensors]
    while waiting:
        op = waiting.pop()
        if op not in found and op not in known:
            found.add(op)
            waiting += [one.op for one in op.inputs]
    return found
