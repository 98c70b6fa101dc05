"""What a person passes to `fit` -> samples in memory: NumPy arrays, structured as given, no more than a bound."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.errors import UsageError
from tfhealth.preflight.datasets import twin, undrawn
from tfhealth.series import Ints

__all__ = ["MOST_BYTES", "MOST_SAMPLES", "Samples", "fed", "gathered", "rows_of"]

MOST_SAMPLES = 4096
MOST_BYTES = 256 * 2**20
_BATCH = 32  # as Keras


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples that experiments may use.

    Attributes:
        x: inputs, structured as the model takes them; NumPy arrays, one row a sample.
        y: targets, likewise; None where there are none.
        weight: sample weights, or None.
        batch_size: samples a batch as they came, 32 for arrays.
        complete: whether these are all that there are.
        taken: the batches as they came, of anything else than arrays; for whoever wants to give them back.
    """

    x: Any
    y: Any
    weight: Any = None
    batch_size: int = _BATCH
    complete: bool = True
    taken: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return int(keras.tree.flatten(self.x)[0].shape[0])


def gathered(x: Any, y: Any = None, name: str = "x", until: float = math.inf) -> Samples:
    """Return samples of what can be passed to `fit`.

    Args:
        x: an array or a structure of arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator of batches.
        y: targets, where x is arrays.
        name: what to call x in errors.
        until: when to be done, by `time.monotonic()`; one batch is taken in any case.

    Returns:
        At most about `MOST_SAMPLES` samples and `MOST_BYTES` bytes. Arrays are taken at rows spread evenly, in order;
        of anything else the first batches. A data set will yield what it would have; a generator loses the batches
        that are taken.

    Raises:
        UsageError: it is none of these, has no samples, or arrays of different lengths.
    """
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset | Iterator):
        if y is not None:
            raise UsageError(f"{name} is a {type(x).__name__}, which brings its own targets; leave y out")
        with undrawn(x):
            return _of_batches(_batches(x), name, until)
    return _of_arrays(x, y, name)


def rows_of(part: Any, rows: Ints) -> Any:
    """Return these rows of every array of a structure, each an array of its own; None stays."""
    return None if part is None else keras.tree.map_structure(lambda one: _taken(one, rows), part)


def fed(x: Any) -> Any:
    """Return inputs as `fit` and `predict` take them: text as tensors, of which Keras wants no arrays."""
    return keras.tree.map_structure(lambda one: tf.constant(one) if np.asarray(one).dtype.kind in "OSU" else one, x)


def _batches(x: Any) -> Any:
    if isinstance(x, keras.utils.PyDataset):
        count = x.num_batches
        return (x[index] for index in range(MOST_SAMPLES if count is None else count))
    return twin(x) if isinstance(x, tf.data.Dataset) else x


def _of_batches(batches: Iterable[Any], name: str, until: float) -> Samples:
    taken: list[Any] = []
    rows, size, whole = 0, 0, True
    for batch in islice(batches, MOST_SAMPLES):
        taken.append(batch)
        arrays = [_numpy(one) for one in keras.tree.flatten(batch) if one is not None]
        if not arrays or not all(one.ndim for one in arrays) or len({len(one) for one in arrays}) > 1:
            shapes = ", ".join(str(one.shape) for one in arrays) or "nothing"
            what = f"{name} must yield batches, arrays with one row a sample each"
            raise UsageError(
                f"{what}, received arrays of shapes {shapes}; a tf.data.Dataset of samples takes .batch(32)"
            )
        rows, size = rows + len(arrays[0]), size + sum(one.nbytes for one in arrays)
        if rows >= MOST_SAMPLES or size >= MOST_BYTES or time.monotonic() > until:
            whole = False
            break
    if not rows:
        raise UsageError(f"{name} holds no samples")
    parts = [_unpacked(batch) for batch in taken]
    x, y, weight = (_joined([part[index] for part in parts]) for index in range(3))
    return Samples(x, y, weight, -(-rows // len(taken)), whole, tuple(taken))


def _unpacked(batch: Any) -> tuple[Any, Any, Any]:
    """Return x, y and weights of a batch, as Keras reads it."""
    if not isinstance(batch, tuple):
        return batch, None, None
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight


def _joined(parts: list[Any]) -> Any:
    if parts[0] is None:
        return None
    return keras.tree.map_structure(lambda *ones: np.concatenate([_numpy(one) for one in ones]), *parts)


def _numpy(one: Any) -> np.ndarray[Any, Any]:
    if isinstance(one, tf.RaggedTensor | tf.SparseTensor):
        raise UsageError(f"a {type(one).__name__} cannot be tried; pass dense arrays")
    return np.asarray(one)


def _of_arrays(x: Any, y: Any, name: str) -> Samples:
    for part, called in ((x, name), (y, "y" if name == "x" else f"the targets of {name}")):
        for one in keras.tree.flatten(part):
            if one is not None and not (hasattr(one, "shape") and hasattr(one, "__getitem__") and len(one.shape)):
                what = f"{called} must be an array or a structure of arrays, received {type(one).__name__}"
                raise UsageError(f"{what}; a data set, a PyDataset or a generator is passed as {name} alone")
    arrays = [one for part in (x, y) for one in keras.tree.flatten(part) if one is not None]
    lengths = {int(one.shape[0]) for one in arrays}
    if not lengths or not all(lengths):
        raise UsageError(f"{name} holds no samples")
    if len(lengths) > 1:
        raise UsageError(f"all arrays of x and y have the same number of samples, received {sorted(lengths)}")
    (length,) = lengths
    a_sample = sum(int(np.prod(one.shape[1:])) * 8 for one in arrays)  # at most: no number has more bytes
    count = max(1, min(length, MOST_SAMPLES, MOST_BYTES // max(a_sample, 1)))
    rows = np.linspace(0, length - 1, count).round().astype(np.int64)
    return Samples(rows_of(x, rows), rows_of(y, rows), complete=count == length)


def _taken(one: Any, rows: Ints) -> Any:
    if one is None:
        return None
    if tf.is_tensor(one):
        return tf.gather(one, rows).numpy()
    return np.array(one.iloc[rows] if hasattr(one, "iloc") else one[rows])  # pandas reads [] as columns
