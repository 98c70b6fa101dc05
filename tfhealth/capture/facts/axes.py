"""A model's graph -> where an axis does not mean what it should: samples mixed, channels mistaken, padding read."""

from __future__ import annotations

from typing import Any

import keras

from tfhealth.capture.facts.graph import Call, Graph
from tfhealth.capture.facts.paths import is_normalization

__all__ = ["channels_first", "over_batch", "rows_normalized", "unmasked"]

_SMALL_IMAGE = 8  # an image has at least so many rows


def over_batch(graph: Graph) -> list[str]:
    """Return the names of layers and operations that work along the batch axis, or put another one in its place."""
    return list(dict.fromkeys(str(call.layer.name) for call in graph.calls if _along_batch(call) or _moves_batch(call)))


def channels_first(graph: Graph) -> list[str]:
    """Return the names of convolutions that expect channels last and get images whose channels come first."""
    return list(dict.fromkeys(str(call.layer.name) for call in graph.calls if _swapped(call)))


def rows_normalized(graph: Graph) -> list[str]:
    """Return the names of batch normalizations behind convolutions that have statistics for other than the channels."""
    return list(dict.fromkeys(str(call.layer.name) for call in graph.calls if _normalizes_rows(call)))


def unmasked(graph: Graph) -> list[str]:
    """Return the names of recurrent layers that give what they hold after the last step, with no mask before them."""
    return list(dict.fromkeys(str(call.layer.name) for call in graph.calls if _ends_on_padding(call)))


def _axes(layer: Any) -> list[int]:
    axis = getattr(layer, "axis", None)
    return [one for one in (axis if isinstance(axis, list | tuple) else [axis]) if isinstance(one, int)]


def _given(call: Call) -> tuple[int | None, ...] | None:
    """Return the shape of a call's first input."""
    return call.parents[0].shape if call.parents else None


def _along_batch(call: Call) -> bool:
    """Tell whether a layer was told to normalize or to join along the first axis."""
    layer = call.layer
    told = is_normalization(layer) or type(layer).__name__ in ("Softmax", "LogSoftmax", "Concatenate")
    given = _given(call)
    return told and given is not None and any(one in (0, -len(given)) for one in _axes(layer))


def _moves_batch(call: Call) -> bool:
    """Tell whether the number of samples goes in and does not come out as the first axis."""
    given = _given(call)
    if not given or given[0] is not None or call.shape is None:
        return False
    return not call.shape or call.shape[0] is not None


def _swapped(call: Call) -> bool:
    """Tell whether a convolution that expects channels last gets square images with 1 or 3 rows."""
    given = _given(call)
    if not isinstance(call.layer, keras.layers.Conv2D) or given is None or len(given) != 4:
        return False
    if call.layer.data_format == "channels_first":
        return False
    _, rows, columns, channels = given
    return rows in (1, 3) and columns == channels and columns is not None and columns >= _SMALL_IMAGE


def _normalizes_rows(call: Call) -> bool:
    """Tell whether a batch normalization of images takes an axis for the channels that its convolutions do not."""
    given = _given(call)
    if not isinstance(call.layer, keras.layers.BatchNormalization) or given is None or len(given) not in (4, 5):
        return False
    formats = {one.layer.data_format for one in _before(call) if hasattr(one.layer, "data_format")}
    channels = {"channels_last": len(given) - 1, "channels_first": 1}
    return len(formats) == 1 and [axis % len(given) for axis in _axes(call.layer)] != [channels[formats.pop()]]


def _before(call: Call) -> list[Call]:
    """Return the calls on the way to a call, the call itself not among them."""
    found: dict[int, Call] = {}
    queue = list(call.parents)
    while queue:
        one = queue.pop()
        if id(one) not in found:
            found[id(one)] = one
            queue += one.parents
    return list(found.values())


def _ends_on_padding(call: Call) -> bool:
    """Tell whether a recurrent layer ends with the last step whatever that is: no mask tells it where a sample ends."""
    layer = call.layer
    if not isinstance(layer, keras.layers.RNN) or layer.return_sequences or layer.go_backwards:
        return False
    return not any(_masks(one.layer) for one in _before(call))


def _masks(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Masking) or bool(getattr(layer, "mask_zero", False))
