"""Inputs and labels of the first probed step -> a few small samples of them, kept on the device until the host asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.capture.rows import make_variables
from tfhealth.capture.sites import Located
from tfhealth.samples import CHANNELS, NUMBERS, SIDE, Samples, pixels
from tfhealth.series import Site

__all__ = ["Sheet"]

_KINDS = ("input", "label")


@dataclass(frozen=True, eq=False)
class _Part:
    """The samples of one site on the device.

    Attributes:
        values: [most, height, width, channels] of an image, else [most, numbers]; what a batch lacks is 0.
        shape: int64[rank + 1]: the shape of the batch, and before it the step.
    """

    site: Site
    form: str
    values: Any
    shape: Any


@dataclass(eq=False)
class Sheet:
    """Takes the first samples of one batch, once.

    Args:
        most: how many samples; 0 takes none.
        device: where its variables are.
    """

    most: int
    device: str | None = None
    _traces: list[tuple[Any, list[_Part]]] = field(default_factory=list)

    def write(self, located: Sequence[Located], step: Any) -> None:
        """Add to a step what keeps its first samples, unless a step before it did; `step` is its number, int64."""
        if not self.most:
            return
        found = [one for one in located if one.site.kind in _KINDS and one.tensor is not None and one.tensor.shape.rank]
        (taken,) = make_variables([((), tf.int64)], self.device)
        cut = [(_form(one), one) for one in found]
        parts = [self._part(form, one) for form, one in cut]
        self._traces.append((taken, parts))

        def keep() -> Any:
            for part, (form, one) in zip(parts, cut, strict=True):
                part.values.assign(_padded(_FORMS[form](one.tensor, self.most), part.values))
                shape = tf.shape(one.tensor, tf.int64)
                part.shape.assign(tf.concat([[step], shape], 0))
            return taken.assign(1)

        tf.cond(tf.equal(taken, 0), keep, lambda: tf.identity(taken))

    def _part(self, form: str, one: Located) -> _Part:
        static = one.tensor.shape
        if form == "image":
            sizes: tuple[int, ...] = (*_scaled(static[1], static[2]), static[3])
        else:
            sizes = (min(math.prod(static[1:]), NUMBERS) if static[1:].is_fully_defined() else NUMBERS,)
        wanted = [((self.most, *sizes), _DTYPES[form]), ((1 + static.rank,), tf.int64)]
        return _Part(one.site, form, *make_variables(wanted, self.device))

    def take(self) -> list[Samples]:
        """Return what was kept, and keep nothing from then on; nothing as long as no step was seen."""
        done = next((parts for taken, parts in self._traces if int(taken.numpy())), None)
        if done is None:
            return []
        self.most, self._traces = 0, []
        found = [_on_host(part) for part in done]
        return [one for one in found if one.values.size]


def _form(one: Located) -> str:
    tensor = one.tensor
    if one.attributes.get("consumer") == "Embedding":  # Keras may have made floats of them on the way
        return "ids"
    if tensor.shape.rank == 4 and tensor.shape[-1] in CHANNELS:
        return "image"
    return "numbers" if tensor.dtype.is_floating else "ids"


def _scaled(height: int | None, width: int | None) -> tuple[int, int]:
    """Return the size at which an image is kept; of one whose size varies, the largest that there is."""
    if height is None or width is None:
        return SIDE, SIDE
    stride = _stride(height, width)
    return math.ceil(height / stride), math.ceil(width / stride)


def _stride(height: int, width: int) -> int:
    return max(1, math.ceil(max(height, width) / SIDE))


def _image(tensor: Any, most: int) -> Any:
    """Return the first images with every n-th pixel, float32; where sizes vary, the nearest ones of a square."""
    first, (height, width) = tf.cast(tensor[:most], tf.float32), tensor.shape[1:3]
    if height is None or width is None:
        return tf.image.resize(first, (SIDE, SIDE), method="nearest")
    stride = _stride(height, width)
    return first[:, ::stride, ::stride]


def _row(dtype: Any, tensor: Any, most: int) -> Any:
    first = tensor[:most]
    shape = tf.shape(first)
    return tf.cast(tf.reshape(first, [shape[0], tf.reduce_prod(shape[1:])])[:, :NUMBERS], dtype)


def _padded(values: Any, like: Any) -> Any:
    shape = tf.shape(values)
    lacking = [[0, size - shape[axis]] for axis, size in enumerate(like.shape)]
    return tf.ensure_shape(tf.pad(values, lacking), like.shape)


def _on_host(part: _Part) -> Samples:
    step, batch, *sizes = (int(one) for one in part.shape.numpy())
    values = part.values.numpy()[:batch]
    if part.form == "image":
        shown, low, high = pixels(values)
        return Samples(part.site, part.form, step, shown, tuple(sizes), low, high)
    return Samples(part.site, part.form, step, values[:, : math.prod(sizes)], tuple(sizes))


_DTYPES = {"image": tf.float32, "numbers": tf.float32, "ids": tf.int64}
_FORMS: dict[str, Callable[[Any, int], Any]] = {
    "image": _image,
    "numbers": lambda tensor, most: _row(tf.float32, tensor, most),
    "ids": lambda tensor, most: _row(tf.int64, tensor, most),
}
"""How the samples of each form are cut to size in the step."""
