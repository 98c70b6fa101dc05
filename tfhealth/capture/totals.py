"""Inputs and labels of probed steps -> counts of classes, figures of features, mean images; kept on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.classes import classes_of
from tfhealth.capture.rows import make_variables
from tfhealth.capture.sheet import form_of, scaled, strided
from tfhealth.capture.sites import Located
from tfhealth.series import Floats, Site
from tfhealth.summaries import CLASSES, FEATURES, Summary

__all__ = ["Totals"]

_MOST = 1 << 14  # samples of an input: its mean is known by then, and more would cost


@dataclass(frozen=True, eq=False)
class _Part:
    """What is added up of one site on one replica.

    Attributes:
        shape: of the parts of the tensor that are looked at.
        size: classes or features that there are; pixels and channels of an image.
        samples: int64 variable, how many there were.
        kept: variables, by form: [counts], [count, mean, squares, lowest, highest], [mean].
    """

    site: Site
    form: str
    shape: tuple[int, ...]
    size: int
    samples: Any
    kept: list[Any]


@dataclass(eq=False)
class Totals:
    """Adds up what probed steps were given.

    Args:
        devices: of the replicas that run the step; none: nothing is added up.
    """

    devices: Sequence[str | None]
    _parts: list[dict[Site, _Part]] = field(init=False)

    def __post_init__(self) -> None:
        self._parts = [{} for _ in self.devices]

    def write(self, located: Sequence[Located], number: int) -> None:
        """Add to a step of a replica what adds up its batch."""
        for one in located if self.devices else ():
            form, shape, size = _seen(one)
            if not form:
                continue
            known = self._parts[number]
            if one.site not in known:
                known[one.site] = self._part(one.site, form, shape, size, self.devices[number])
            if known[one.site].shape == shape:
                _add(known[one.site], one)

    @staticmethod
    def _part(site: Site, form: str, shape: tuple[int, ...], size: int, device: str | None) -> _Part:
        wanted = [(shape, tf.int64 if form == "classes" else tf.float32)] * _VARIABLES[form]
        samples, *kept = make_variables([((), tf.int64), *wanted], device)
        return _Part(site, form, shape, size, samples, kept)

    def take(self) -> Iterator[Summary]:
        """Yield what was added up so far, over all replicas."""
        for site, first in self._parts[0].items() if self.devices else ():
            parts = [one[site] for one in self._parts if site in one and one[site].shape == first.shape]
            counts = np.array([int(one.samples.numpy()) for one in parts], np.float64)
            if counts.sum():
                kept = np.array([[variable.numpy() for variable in one.kept] for one in parts], np.float64)
                yield Summary(site, first.form, int(counts.sum()), _TOGETHER[first.form](kept, counts), first.size)


def _seen(one: Located) -> tuple[str, tuple[int, ...], int]:
    """Return what can be added up of a site, no form: nothing; the shape of that, and how much there is of it."""
    tensor, nothing = one.tensor, ("", (), 0)
    if one.site.kind == "label":
        classes = one.attributes["classes"] if one.attributes["encoding"] is not None else None
        return ("classes", (classes,), classes) if isinstance(classes, int) and classes <= CLASSES else nothing
    if one.site.kind != "input" or tensor is None or not tensor.shape.rank or not tensor.shape[1:].is_fully_defined():
        return nothing
    form, shape = form_of(one), tuple(int(size) for size in tensor.shape[1:])
    if form == "image":
        return "image", (*scaled(*shape[:2]), shape[2]), int(np.prod(shape))
    if form == "numbers" and len(shape) < 2:
        return "features", (min(int(np.prod(shape)), FEATURES),), int(np.prod(shape))
    return nothing


def _add(part: _Part, one: Located) -> None:
    length = tf.shape(one.tensor, tf.int64)[0] if one.tensor.shape.rank else tf.constant(1, tf.int64)
    wanted = length > 0 if part.form == "classes" else (length > 0) & (part.samples < _MOST)

    def add() -> Any:
        _ADD[part.form](part, one)
        return part.samples.assign_add(length)

    tf.cond(wanted, add, lambda: tf.identity(part.samples))


def _add_classes(part: _Part, one: Located) -> None:
    found = tf.cast(classes_of(one.tensor, str(one.attributes["encoding"])), tf.int64)
    legal = tf.where(found < part.shape[0], found, -1)  # a negative one belongs to no segment
    part.kept[0].assign_add(tf.math.unsorted_segment_sum(tf.ones_like(found), legal, part.shape[0]))


def _add_features(part: _Part, one: Located) -> None:
    """Add a batch to counts, means and sums of squares around them (Chan and others, 1983), and widen the range."""
    count, mean, squares, lowest, highest = part.kept
    x = tf.reshape(tf.cast(one.tensor, tf.float32), [-1, part.size])[:, : part.shape[0]]
    known = tf.math.is_finite(x)
    here = tf.reduce_sum(tf.cast(known, tf.float32), 0)
    center = tf.math.divide_no_nan(tf.reduce_sum(tf.where(known, x, 0.0), 0), here)
    around = tf.reduce_sum(tf.square(tf.where(known, x - center, 0.0)), 0)
    low, high = (reduce(tf.where(known, x, center), 0) for reduce in (tf.reduce_min, tf.reduce_max))
    share = tf.math.divide_no_nan(here, count + here)
    apart = center - mean
    new, seen = count > 0, here > 0
    for variable, value, bound in ((lowest, low, tf.minimum), (highest, high, tf.maximum)):
        variable.assign(tf.where(seen, tf.where(new, bound(variable, value), value), variable))
    squares.assign_add(around + tf.square(apart) * count * share)
    mean.assign_add(apart * share)
    count.assign_add(here)


def _add_image(part: _Part, one: Located) -> None:
    """Move the mean towards that of a batch; what is not finite counts as the mean."""
    (mean,) = part.kept
    images = strided(one.tensor)
    batch = tf.reduce_mean(tf.where(tf.math.is_finite(images), images, mean), 0)
    length = tf.cast(tf.shape(images)[0], tf.float32)
    mean.assign_add((batch - mean) * (length / (tf.cast(part.samples, tf.float32) + length)))


def _features_together(kept: Floats, _: Floats) -> Floats:
    """Return the figures of features, float64[5, F], of [replicas, 5, F]."""
    count, mean, squares, lowest, highest = kept.swapaxes(0, 1)
    whole = count.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        center = (count * mean).sum(0) / whole
        std = np.sqrt((squares + count * (mean - center) ** 2).sum(0) / whole)
    least = np.where(count > 0, lowest, np.inf).min(0)
    most = np.where(count > 0, highest, -np.inf).max(0)
    return np.array([whole, center, std, least, most])


_VARIABLES = {"classes": 1, "features": 5, "image": 1}
_ADD: dict[str, Callable[[_Part, Located], None]] = {
    "classes": _add_classes,
    "features": _add_features,
    "image": _add_image,
}
_TOGETHER: dict[str, Callable[[Floats, Floats], Floats]] = {
    "classes": lambda kept, _: kept.sum(0)[0],
    "features": _features_together,
    "image": lambda kept, counts: np.average(kept[:, 0], axis=0, weights=counts),
}
"""For each form how a batch is added, and how the replicas' totals are."""
