"""The batch and the variables from which a step was hit by NaN -> files in the run directory, and back.

What is read is not trusted: no pickles, nothing larger than was allowed to be written, nothing that is executed.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfhealth.errors import RunError

__all__ = ["FOLDER", "LIMIT", "Array", "Kept", "Place", "Variable", "packed", "read", "unpacked", "write"]

FOLDER = "nonfinite"
LIMIT = 1 << 30
"""Bytes of variables, and of a batch, above which they are not kept."""

_MANIFEST, _MODEL, _STATE, _BATCH = "kept.json", "model.json", "state.npz", "batch.npz"
_TEXT_LIMIT = 64 << 20
_DEEPEST = 50

Structure = Any
"""A batch as JSON: {"tuple": […]}, {"list": […]}, {"dict": {name: …}}, {"value": …}, or the number of an array."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Size = Annotated[int, Field(ge=0)]


class Array(_Model):
    """An array in a file: its dtype by TensorFlow's name."""

    shape: tuple[Size, ...]
    dtype: str


class Variable(Array):
    """A variable: `group` is "model", or "optimizer 0" and so on."""

    group: str
    path: str


class Place(_Model):
    """A site that was hit, and how many of its values were NaN or Inf."""

    kind: str
    name: str
    count: int


class _Manifest(_Model):
    version: Literal[1] = 1
    step: int
    places: tuple[Place, ...]
    state: tuple[Variable, ...]
    structure: Any
    batch: tuple[Array, ...]
    hand_written: bool
    lacks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """What was kept of the first step that was hit.

    Attributes:
        step: optimizer steps taken before it.
        places: the sites that were hit, in the order of the step.
        state: every variable with its value before the step; empty where they were not kept.
        batch: what the step was given, a structure of arrays; None where it was not kept.
        hand_written: whether the step was a function in a loop of the user's, whose (args, kwargs) the batch is.
        model: the model as Keras writes it down, JSON; None where it could not.
        lacks: what was not kept, and why, one sentence each.
    """

    step: int
    places: tuple[Place, ...]
    state: Sequence[tuple[Variable, NDArray[Any]]]
    batch: Any
    hand_written: bool
    model: Any
    lacks: tuple[str, ...]


def packed(data: Any, leaves: list[Any]) -> Structure:
    """Return the structure of `data` as JSON; what is neither a structure nor a number or text goes to `leaves`."""
    if isinstance(data, tuple):
        return {"tuple": [packed(one, leaves) for one in data]}
    if isinstance(data, list):
        return {"list": [packed(one, leaves) for one in data]}
    if isinstance(data, dict) and all(isinstance(name, str) for name in data):
        return {"dict": {name: packed(one, leaves) for name, one in data.items()}}
    if isinstance(data, str | bool | int | float | type(None)):
        return {"value": data}
    leaves.append(data)
    return len(leaves) - 1


def unpacked(structure: Structure, leaves: Sequence[Any], depth: int = 0) -> Any:
    """Return the data that `packed` took apart.

    Raises:
        ValueError: it is no such structure.
    """
    if type(structure) is int and 0 <= structure < len(leaves):
        return leaves[structure]
    if not isinstance(structure, dict) or len(structure) != 1 or depth > _DEEPEST:
        raise ValueError("the structure of the batch makes no sense")
    ((kind, inner),) = structure.items()
    if kind == "value" and isinstance(inner, str | bool | int | float | type(None)):
        return inner
    if kind == "dict" and isinstance(inner, dict):
        return {name: unpacked(one, leaves, depth + 1) for name, one in inner.items()}
    if kind in ("tuple", "list") and isinstance(inner, list):
        parts = [unpacked(one, leaves, depth + 1) for one in inner]
        return tuple(parts) if kind == "tuple" else parts
    raise ValueError("the structure of the batch makes no sense")


def write(folder: Path, kept: Kept) -> Path:
    """Write what was kept into `nonfinite` in the run directory `folder`, for its owner only; return that folder.

    What is too large, or of a type that no array has, is left out and said in `lacks`.
    """
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    lacks = list(kept.lacks)
    leaves: list[Any] = []
    structure = packed(kept.batch, leaves)
    arrays = [np.asarray(one) for one in leaves]
    why = _unfit(arrays)
    if why:
        lacks.append(f"the batch was not kept: {why}")
        structure, arrays = packed(None, []), []
    _save(place / _BATCH, arrays)
    _save(place / _STATE, [value for _, value in kept.state])
    if kept.model is not None:
        (place / _MODEL).write_text(json.dumps(kept.model), encoding="utf-8")
    manifest = _Manifest(
        step=kept.step,
        places=kept.places,
        state=tuple(one for one, _ in kept.state),
        structure=structure,
        batch=tuple(Array(shape=one.shape, dtype=_name(one)) for one in arrays),
        hand_written=kept.hand_written,
        lacks=tuple(lacks),
    )
    # Last, and under its name when it is whole: what is there without it counts as not kept.
    draft = place / f"{_MANIFEST}.part"
    draft.write_text(manifest.model_dump_json(), encoding="utf-8")
    draft.replace(place / _MANIFEST)
    return place


def _unfit(arrays: Sequence[NDArray[Any]]) -> str:
    size = sum(one.nbytes for one in arrays)
    if size > LIMIT:
        return f"it takes {size / 2**20:,.0f} MiB, and at most {LIMIT / 2**20:,.0f} are kept"
    odd = [one for one in arrays if one.dtype.kind == "O" and not all(isinstance(text, bytes) for text in one.flat)]
    return f"it holds {type(odd[0].flat[0]).__name__}" if odd else ""


def _name(array: NDArray[Any]) -> str:
    return "string" if array.dtype.kind in "OSU" else array.dtype.name


def _save(path: Path, arrays: Sequence[NDArray[Any]]) -> None:
    np.savez(path, **{f"a{number}": _plain(one) for number, one in enumerate(arrays)})  # type: ignore[arg-type]


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that needs no pickle: text of fixed width, and the bits of a dtype that NumPy does not have."""
    if array.dtype.kind in "OU":
        return array.astype("S")
    return array.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "V" or not array.dtype.isbuiltin else array


def read(folder: Path) -> Kept:
    """Return what was kept in the run directory `folder`.

    Raises:
        RunError: nothing was kept, or it is damaged or larger than it may be.
    """
    place = folder / FOLDER
    if not (place / _MANIFEST).is_file():
        what = "a run keeps it where NaN began under catch_nonfinite=True or --catch-nonfinite"
        raise RunError(f"{folder}: no step is kept in it; {what}.")
    try:
        manifest = _Manifest.model_validate_json(_text(place / _MANIFEST))
        model = json.loads(_text(place / _MODEL)) if (place / _MODEL).is_file() else None
        state = _load(place / _STATE, manifest.state)
        batch = unpacked(manifest.structure, _load(place / _BATCH, manifest.batch))
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, LookupError) as error:
        what = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
        raise RunError(f"{place}: damaged or not ours ({what}).") from error
    step, places, lacks = manifest.step, manifest.places, manifest.lacks
    return Kept(step, places, list(zip(manifest.state, state, strict=True)), batch, manifest.hand_written, model, lacks)


def _text(path: Path) -> str:
    if path.stat().st_size > _TEXT_LIMIT:
        raise ValueError(f"{path.name} is larger than {_TEXT_LIMIT / 2**20:.0f} MiB")
    return path.read_text(encoding="utf-8")


def _load(path: Path, arrays: Sequence[Array]) -> list[NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        size = sum(one.file_size for one in archive.infolist())
    if size > LIMIT + (1 << 20) * (1 + len(arrays) // 100):
        raise ValueError(f"{path.name} is larger than {LIMIT / 2**20:.0f} MiB")
    with np.load(path, allow_pickle=False) as stored:
        return [_whole(stored[f"a{number}"], one) for number, one in enumerate(arrays)]


def _whole(array: NDArray[Any], told: Array) -> NDArray[Any]:
    """Return an array with the dtype that it had."""
    if array.shape != told.shape:
        raise ValueError(f"an array has shape {array.shape}, not {told.shape}")
    if told.dtype == "string":
        return array.astype(object)
    if array.dtype.name == told.dtype:
        return array
    import tensorflow as tf

    dtype = np.dtype(tf.as_dtype(told.dtype).as_numpy_dtype)
    if array.dtype.kind != "u" or array.dtype.itemsize != dtype.itemsize or math.prod(told.shape) != array.size:
        raise ValueError(f"an array has dtype {array.dtype.name}, not {told.dtype}")
    return array.view(dtype)
