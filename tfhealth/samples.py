"""Real samples of a batch -> small arrays that a file can hold, and back from a file that nobody vouches for."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfhealth.series import Site

__all__ = [
    *("BYTES", "CHANNELS", "FEW", "MOST", "NUMBERS", "SIDE", "Samples"),
    *("bounded", "decoded", "encoded", "fitted", "pixels"),
]

FEW = 8
"""How many samples are kept where nobody says otherwise."""

MOST = 16
SIDE = 64
NUMBERS = 64
BYTES = 200_000
"""What a run keeps at most: samples, pixels of a side, numbers of a sample, and bytes of all of them."""

_DTYPES = {"image": "|u1", "numbers": "<f4", "ids": "<i8", "class": "<f4"}
_KINDS = ("input", "label", "prediction")
CHANNELS = (1, 3, 4)
_LONGEST_SHAPE = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """The first samples of a batch at one input, or the labels or predictions of one output.

    Attributes:
        site: the input, label or prediction site.
        form: image, numbers, ids, or class for what a classifier predicts.
        step: optimizer steps taken before the one that had them.
        values: uint8[n, height, width, channels] of an image, else the first numbers of each sample, float32[n, k] or
            int64[n, k]; of predicted classes the likeliest one and its probability, float32[n, 2].
        shape: of one sample, as the model was given it.
        low, high: of an image, what its darkest and its brightest value stand for.
    """

    site: Site
    form: str
    step: int
    values: NDArray[Any]
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 0.0


def pixels(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """Return an image as bytes, with what 0 and 255 stand for; what is not a number is black.

    The range is one that images usually have, so that a dark image looks dark: 0 to 1, 0 to 255, −1 to 1. Where the
    values leave all of these it is their own.
    """
    finite = values[np.isfinite(values)]
    lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    usual = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
    low, high = next((one for one in usual if one[0] <= lowest and highest <= one[1]), (lowest, highest))
    share = (np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low) - low) / (high - low or 1.0)
    return np.round(share * 255).astype(np.uint8), low, high


def fitted(found: Sequence[Samples]) -> list[Samples]:
    """Return as many samples of each site as all sites together have room for; the same ones everywhere."""
    each = sum(one.values[0].nbytes for one in found if len(one.values))
    kept = min(MOST, BYTES // each) if each else 0
    return [replace(one, values=one.values[:kept]) for one in found if len(one.values[:kept])]


def bounded(found: Sequence[Samples], damage: list[str]) -> tuple[Samples, ...]:
    """Return the first of `found`, as many as a run keeps at most; say in `damage` where there are more."""
    sizes = np.cumsum([one.values.nbytes for one in found])
    kept = tuple(one for one, size in zip(found, sizes, strict=True) if size <= BYTES)
    if len(kept) < len(found):
        damage.append("sample: has more than is kept of a run")
    return kept


def encoded(one: Samples) -> tuple[str, bytes]:
    """Return what a file holds: a description in JSON, and the plain bytes of the values."""
    about = {"form": one.form, "held": one.values.shape, "shape": one.shape, "low": one.low, "high": one.high}
    return json.dumps(about), np.ascontiguousarray(one.values, _DTYPES[one.form]).tobytes()


def decoded(kind: str, name: str, step: int, about: str, data: bytes) -> Samples:
    """Return what a file holds, once it was found to be what `encoded` may have written.

    Raises:
        ValueError, TypeError, LookupError: it is not.
    """
    found = json.loads(about)
    dtype = np.dtype(_DTYPES[found["form"]])
    held, shape = _sizes(found["held"]), _sizes(found["shape"])
    fits = _fits(found["form"], held) and 0 < held[0] <= MOST and 0 not in held
    if kind not in _KINDS or not isinstance(step, int) or not fits or (found["form"] == "class") > (kind == _KINDS[2]):
        raise ValueError("no samples of ours")
    if not isinstance(data, bytes) or len(data) != math.prod(held) * dtype.itemsize or len(data) > BYTES:
        raise ValueError("not as many bytes as the values take")
    low, high = float(found["low"]), float(found["high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("no range of values")
    values = np.frombuffer(data, dtype).reshape(held)
    return Samples(Site(str(kind), str(name)), str(found["form"]), step, values, shape, low, high)


def _fits(form: str, held: tuple[int, ...]) -> bool:
    """Return whether samples of this form may have this shape."""
    if form == "image":
        return len(held) == 4 and max(held[1:3]) <= SIDE and held[3] in CHANNELS
    return len(held) == 2 and (held[1] == 2 if form == "class" else held[1] <= NUMBERS)


def _sizes(listed: Any) -> tuple[int, ...]:
    if not isinstance(listed, list) or len(listed) > _LONGEST_SHAPE:
        raise ValueError("no shape")
    if any(isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 1 << 40 for size in listed):
        raise ValueError("no shape")
    return tuple(listed)
