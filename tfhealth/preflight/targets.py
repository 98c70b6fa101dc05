"""A compiled loss and targets -> the loss's name, and the class of each sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfhealth.series import Ints

__all__ = ["classes_of", "loss_name"]


def loss_name(loss: Any) -> str:
    """Return the name of a compiled loss in snake case; empty where there is none or there are several."""
    if isinstance(loss, Mapping | list | tuple):
        flat = keras.tree.flatten(loss)
        return loss_name(flat[0]) if len(flat) == 1 else ""
    text = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    return str(text)


def classes_of(y: Any, loss: str) -> Ints | None:
    """Return the class of each sample, int64[n]; None where the targets are no classes.

    Args:
        y: targets of one output, [n], [n, 1] or one-hot rows [n, classes].
        loss: the name of its loss.
    """
    whole = y.dtype.kind in "biuf" and np.all(np.isfinite(y)) and np.array_equal(y, np.round(y))
    if not whole:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = bool(((y.sum(1) == 1) & (y.max(1) == 1)).all())
        return np.asarray(y.argmax(1), np.int64) if one_hot else None
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        return None
    if "crossentropy" in loss or "hinge" in loss or y.dtype.kind in "bui":
        return np.asarray(y.reshape(-1), np.int64)
    return None
