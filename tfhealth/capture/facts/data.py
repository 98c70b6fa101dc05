"""What goes into `fit` -> the fact `data`: its kind, size and order. Nothing is iterated, and nothing is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.facts.pipeline import pipeline_facts
from tfhealth.series import Attribute

__all__ = ["described", "fit_data"]

_KERAS_BATCH = 32  # what fit takes where it is told no batch size


def described(data: Any) -> dict[str, Attribute]:
    """Return what is known of training data: x, (x, y), (x, y, sample_weight) or a data set of these.

    Only what is known is there. Data of which nothing can be said has `unread`, which says why.
    """
    try:
        weighted = isinstance(data, tuple) and len(data) == 3 and data[2] is not None
        x = data[0] if isinstance(data, tuple) and data else data
        found = _described(x) | ({"sample_weight": True} if weighted else {})
    except Exception as error:  # data may be of any type, and of no type may it end the fit
        found = {"unread": f"{type(error).__name__}: {error}"[:500]}
    return {name: value for name, value in found.items() if value is not None}


def _described(x: Any) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {"kind": _kind(x)}
    if isinstance(x, tf.data.Dataset):
        return found | pipeline_facts(x)
    return found | {"samples": _length(x)}


def fit_data(given: Mapping[str, Any]) -> dict[str, Attribute]:
    """Return the fact `data` for the arguments of a call of `fit`."""
    x, weights = given.get("x"), given.get("class_weight")
    found = described(x) | {"class_weight": weights is not None}
    if isinstance(weights, Mapping):
        found["class_weights"] = ", ".join(f"{name}: {weight}" for name, weight in list(weights.items())[:50])
    if given.get("sample_weight") is not None or "sample_weight" not in found:
        found["sample_weight"] = given.get("sample_weight") is not None
    found |= _held_out(given, found.get("samples"))
    if isinstance(found.get("samples"), int) and found.get("kind") != "Dataset":
        found |= _batched(given, found)
    return found


def _batched(given: Mapping[str, Any], found: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Return how `fit` itself shuffles and batches arrays."""
    size, samples = given.get("batch_size") or _KERAS_BATCH, found["samples"]
    if not isinstance(size, int) or not isinstance(samples, int):
        return {}
    trained = samples - int(found.get("validation_samples") or 0) if found["validation_given"] == "split" else samples
    shuffled = bool(given.get("shuffle", True))
    return {"samples": trained, "batch_size": size, "batches": math.ceil(trained / size), "shuffled": shuffled}


def _held_out(given: Mapping[str, Any], samples: Attribute) -> dict[str, Attribute]:
    """Return what `fit` validates on: data of its own, or the last rows of the arrays, or nothing."""
    held_out, split = given.get("validation_data"), given.get("validation_split") or 0.0
    if held_out is None and not split:
        return {"validation_given": "none", "validation_share": 0.0}
    if held_out is None:
        kept = float(split)
        rest = samples - math.floor(samples * (1 - kept)) if isinstance(samples, int) else None
        return _known(validation_given="split", validation_samples=rest, validation_share=kept)
    other = described(tuple(held_out) if isinstance(held_out, list) else held_out)
    count = other.get("samples")
    share: float | None = None
    if isinstance(samples, int) and isinstance(count, int) and samples + count:
        share = count / (samples + count)
    return _known(
        validation_given="data",
        validation_kind=other.get("kind"),
        validation_samples=count,
        validation_batches=other.get("batches"),
        validation_share=share,
    )


def _known(**found: Attribute) -> dict[str, Attribute]:
    return {name: value for name, value in found.items() if value is not None}


def _kind(x: Any) -> str:
    """Return what kind of data this is, by the first array of several."""
    if isinstance(x, tf.data.Dataset):
        return "Dataset"
    if isinstance(x, keras.utils.PyDataset):
        return "PyDataset"
    if hasattr(x, "__next__"):
        return "generator"
    first = next(iter(keras.tree.flatten(x)), None)
    if isinstance(first, tf.Tensor | tf.Variable):
        return "Tensor"
    return type(first).__name__


def _length(x: Any) -> int | None:
    """Return the length of an array, or of the first of several; None for what has no shape."""
    first = next(iter(keras.tree.flatten(x)), None)
    shape = getattr(first, "shape", None)
    length = shape[0] if shape else None
    return int(length) if isinstance(length, int) else None
