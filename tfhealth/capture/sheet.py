"""Inputs, labels and predictions of a probed step -> a few small samples, kept on the device until the host asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import tensorflow as tf

from tfhealth.capture.branch import call_if
from tfhealth.capture.classes import shares_of
from tfhealth.capture.fusion import FUSED_WITH_LOSS, fused
from tfhealth.capture.rows import make_variables
from tfhealth.capture.sites import Located
from tfhealth.samples import CHANNELS, NUMBERS, SIDE, Samples, pixels
from tfhealth.series import Site

__all__ = ["Sheet", "form_of", "scaled", "strided"]

_KINDS = ("input", "label", "prediction")
_PART = 8  # of the steps taken so far, what passes before samples are taken anew


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
    """Takes the first samples of a batch, with what the model predicted for them in the step: of the first probed step,
    and anew as training goes on, ever more rarely.

    Args:
        most: how many samples; 0 takes none.
        device: where its variables are.
    """

    most: int
    device: str | None = None
    _traces: list[tuple[Any, list[_Part]]] = field(default_factory=list)
    _told: int = -1

    def __post_init__(self) -> None:
        if self.most:
            self._first, self._next = make_variables([((), tf.int64)] * 2, self.device)

    def write(self, located: Sequence[Located], step: Any) -> None:
        """Add to a step what keeps its first samples, where it is time to; `step` is its number, int64."""
        if not self.most:
            return
        cut = [(form_of(one), one) for one in located if _shows(one)]
        (taken,) = make_variables([((), tf.int64)], self.device)
        parts = [self._part(form, one) for form, one in cut]
        self._traces.append((taken, parts))

        def keep() -> None:
            for part, (form, one) in zip(parts, cut, strict=True):
                part.values.assign(_padded(_FORMS[form](one, self.most), part.values))
                shape = tf.shape(one.tensor, tf.int64)
                part.shape.assign(tf.concat([[step], shape], 0))
            self._first.assign(tf.where(tf.equal(self._next, 0), step, self._first))
            self._next.assign(step + 1 + (step - self._first) // _PART)
            taken.assign(step + 1)

        call_if(step >= self._next, keep)

    def _part(self, form: str, one: Located) -> _Part:
        static = one.tensor.shape
        if form == "image":
            sizes: tuple[int, ...] = (*scaled(static[1], static[2]), static[3])
        elif form == "class":
            sizes = (2,)
        else:
            sizes = (min(math.prod(static[1:]), NUMBERS) if static[1:].is_fully_defined() else NUMBERS,)
        wanted = [((self.most, *sizes), _DTYPES[form]), ((1 + static.rank,), tf.int64)]
        return _Part(one.site, form, *make_variables(wanted, self.device))

    def take(self) -> list[Samples]:
        """Return what was kept last; nothing where that was returned before, or no step was seen."""
        last, parts = max(
            ((int(taken.numpy()), parts) for taken, parts in self._traces), default=(0, []), key=itemgetter(0)
        )
        if not last or last == self._told:
            return []
        self._told = last
        found = [_on_host(part) for part in parts]
        return [one for one in found if one.values.size]


def _shows(one: Located) -> bool:
    """Return whether a site has samples that may be looked at: not where TensorFlow would then compute differently."""
    if one.site.kind not in _KINDS or one.tensor is None or not one.tensor.shape.rank:
        return False
    if not (one.tensor.dtype.is_floating or one.tensor.dtype.is_integer or one.tensor.dtype.is_bool):
        return False
    return one.site.kind != "prediction" or not fused(one.tensor, FUSED_WITH_LOSS)


def form_of(one: Located) -> str:
    """Return in which form the samples of a site are kept: image, numbers, ids, or class."""
    tensor, attributes = one.tensor, one.attributes
    if attributes.get("consumer") == "Embedding":  # Keras may have made floats of them on the way
        return "ids"
    if one.site.kind == "prediction" and attributes["form"] and tensor.shape.rank <= 2:
        single = tensor.shape[1:].num_elements() == 1
        if attributes["encoding"] in ("index", "onehot") or (attributes["encoding"] == "binary" and single):
            return "class"
    if tensor.shape.rank == 4 and tensor.shape[-1] in CHANNELS:
        return "image"
    return "numbers" if tensor.dtype.is_floating else "ids"


def scaled(height: int | None, width: int | None) -> tuple[int, int]:
    """Return the size at which an image is kept; of one whose size varies, the largest that there is."""
    if height is None or width is None:
        return SIDE, SIDE
    stride = _stride(height, width)
    return math.ceil(height / stride), math.ceil(width / stride)


def _stride(height: int, width: int) -> int:
    return max(1, math.ceil(max(height, width) / SIDE))


def strided(images: Any) -> Any:
    """Return every n-th pixel of images, float32; where sizes vary, the nearest ones of a square."""
    height, width = images.shape[1:3]
    if height is None or width is None:
        return tf.image.resize(tf.cast(images, tf.float32), (SIDE, SIDE), method="nearest")
    stride = _stride(height, width)
    return tf.cast(images[:, ::stride, ::stride], tf.float32)


def _row(dtype: Any, tensor: Any, most: int) -> Any:
    first = tensor[:most]
    shape = tf.shape(first)
    return tf.cast(tf.reshape(first, [shape[0], tf.reduce_prod(shape[1:])])[:, :NUMBERS], dtype)


def _class(one: Located, most: int) -> Any:
    """Return the likeliest class of the first predictions and its probability, float32[n, 2]."""
    form, encoding = str(one.attributes["form"]), str(one.attributes["encoding"])
    first = tf.cast(one.tensor[:most], tf.float32)
    shares = shares_of(tf.reshape(first, [-1]) if encoding == "binary" else first, form, encoding)
    return tf.stack([tf.cast(tf.argmax(shares, 1), tf.float32), tf.reduce_max(shares, 1)], 1)


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


_DTYPES = {"image": tf.float32, "numbers": tf.float32, "ids": tf.int64, "class": tf.float32}
_FORMS: dict[str, Callable[[Located, int], Any]] = {
    "image": lambda one, most: strided(one.tensor[:most]),
    "numbers": lambda one, most: _row(tf.float32, one.tensor, most),
    "ids": lambda one, most: _row(tf.int64, one.tensor, most),
    "class": _class,
}
"""How the samples of each form are cut to size in the step."""
