"""A prediction and its label -> whether they are compared only because TensorFlow repeats one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from tfhealth.capture.tap import Tap

__all__ = ["broadcasts"]

Shape = tuple[int | None, ...]

_OF_OTHER_SHAPES = ("sparse_categorical_crossentropy", "ctc", "circle")
_COMPARING = ("Sub", "SquaredDifference", "Mul", "RealDiv", "Maximum", "Minimum")
_PASSING = ("Identity", "Cast")


def broadcasts(prediction: Any, label: Any, loss: object, tap: Tap) -> bool:
    """Tell whether label and prediction fit only by broadcasting.

    Keras's own losses are known to compare what is left after they squeezed a last axis of length 1. What a loss of
    somebody else compares is read from the step's graph; it may set one target against several answers on purpose.

    Args:
        prediction: tensor of any shape, batch first.
        label: likewise; None where there is none.
        loss: the name of the output's loss.
        tap: what the step showed.
    """
    if label is None or None in (label.shape.rank, prediction.shape.rank) or loss in _OF_OTHER_SHAPES:
        return False
    if hasattr(keras.losses, str(loss)):
        return _repeated(*_squeezed(tuple(label.shape), tuple(prediction.shape)))
    pairs = _compared(prediction, label, tap)
    return any(_repeated(theirs, ours) and not _each_answer(theirs, ours) for theirs, ours in pairs)


def _squeezed(one: Shape, other: Shape) -> tuple[Shape, Shape]:
    """Return two shapes as Keras's losses make them alike: `squeeze_or_expand_to_same_rank`."""
    for longer, shorter in ((one, other), (other, one)):
        if len(longer) == len(shorter) + 1 and longer[-1] == 1:
            return (longer, (*shorter, 1)) if len(shorter) == 1 else (longer[:-1], shorter)
    return one, other


def _repeated(one: Shape, other: Shape) -> bool:
    """Tell whether two shapes, aligned at their ends, fit and differ; the first axis of both is the batch."""
    if len(one) == len(other):
        one, other = one[1:], other[1:]
    pairs = list(zip(reversed(one), reversed(other), strict=False))
    fits = all(1 in pair or pair[0] == pair[1] for pair in pairs)
    return fits and (len(one) != len(other) or any(pair[0] != pair[1] for pair in pairs))


def _each_answer(label: Shape, prediction: Shape) -> bool:
    """Tell whether one target is set against each of several answers, as for quantiles or the parts of a mixture."""
    return len(label) == len(prediction) > 1 and label[:-1] == prediction[:-1] and label[-1] == 1


def _compared(prediction: Any, label: Any, tap: Tap) -> Iterator[tuple[Shape, Shape]]:
    """Yield the shapes of label and prediction where they meet in one operation on the way to the loss."""
    if not hasattr(prediction, "graph"):
        return
    ours, theirs = ({id(one) for one in _followed(tensor)} for tensor in (prediction, label))
    made = [op for tensor in _followed(label) for op in tensor.consumers() if op.type in _COMPARING]
    late = _made_later(tap) if made else set()
    for op in made:
        left, right = op.inputs
        label_side, other = (left, right) if id(left) in theirs else (right, left)
        known = None not in (left.shape.rank, right.shape.rank)
        if id(label_side) in theirs and id(other) in ours and known and op.name not in late:
            yield tuple(label_side.shape), tuple(other.shape)


def _followed(tensor: Any) -> list[Any]:
    """Return a tensor and what only passes its values on."""
    found = [tensor]
    for one in found:
        found += [op.outputs[0] for op in one.consumers() if op.type in _PASSING]
    return found


def _made_later(tap: Tap) -> set[str]:
    """Return the names of the operations that were added behind the loss, those of metrics; a loss may be unknown."""
    if tap.total_loss is None:
        return set()
    names = [op.name for op in tap.graph.get_operations()]
    return set(names[names.index(tap.total_loss.op.name) + 1 :])
