"""What all probed batches of one input or label had in common -> a few numbers that a file can hold, and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfhealth.samples import CHANNELS, SIDE
from tfhealth.series import Floats, Site

__all__ = ["CLASSES", "FEATURES", "FIGURES", "Summary", "decoded", "encoded"]

CLASSES = 1000
FEATURES = 256
"""What is kept at most: classes of a label, features of an input."""

FIGURES = ("count", "mean", "std", "lowest", "highest")
"""The rows of what is known of features; the first counts the values that are finite."""

_KINDS = {"classes": "label", "features": "input", "image": "input"}


@dataclass(frozen=True, eq=False)
class Summary:
    """What was given at one site, over all probed batches.

    Attributes:
        site: the input or label site.
        form: classes, features or image.
        samples: how many there were.
        values: float64: [C] labels of each class; [5, F] figures of the first features, see `FIGURES`; or the mean
            image, [height, width, channels].
        size: classes or features that there are; pixels and channels of an image.
    """

    site: Site
    form: str
    samples: int
    values: Floats
    size: int


def encoded(one: Summary) -> tuple[str, bytes]:
    """Return what a file holds: a description in JSON, and the plain bytes of the values."""
    about = {"form": one.form, "samples": one.samples, "held": one.values.shape, "size": one.size}
    return json.dumps(about), np.ascontiguousarray(one.values, "<f8").tobytes()


def decoded(kind: str, name: str, about: str, data: bytes) -> Summary:
    """Return what a file holds, once it was found to be what `encoded` may have written.

    Raises:
        ValueError, TypeError, LookupError: it is not.
    """
    found = json.loads(about)
    form, held = found["form"], found["held"]
    numbers = [found["samples"], found["size"], *held]
    if not all(type(one) is int and 0 < one < 1 << 60 for one in numbers) or _KINDS[form] != kind:
        raise ValueError("no summary of ours")
    fits = {
        "classes": len(held) == 1 and held[0] <= CLASSES,
        "features": len(held) == 2 and held[0] == len(FIGURES) and held[1] <= FEATURES,
        "image": len(held) == 3 and max(held[:2]) <= SIDE and held[2] in CHANNELS,
    }
    if not fits[form] or not isinstance(data, bytes) or len(data) != 8 * math.prod(held):
        raise ValueError("not as many values as there may be")
    values: Any = np.frombuffer(data, "<f8").reshape(held)
    if form == "classes" and not ((values >= 0) & (values < 1e18)).all():
        raise ValueError("no counts")
    return Summary(Site(kind, str(name)), form, found["samples"], values, found["size"])
