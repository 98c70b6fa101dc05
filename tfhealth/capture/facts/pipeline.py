"""A `tf.data.Dataset` -> the transformations that it is made of, read from its graph; not one element is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfhealth.capture.layers import snake_case
from tfhealth.series import Attribute

__all__ = ["pipeline_facts"]

_MOST = 2000  # transformations to look at
_SHOWN = 30


def pipeline_facts(dataset: tf.data.Dataset) -> dict[str, Attribute]:
    """Return batches, batch size, samples, and what is shuffled, repeated, mapped, prefetched and cached.

    TensorFlow has no public way to ask a data set what it is made of; what it keeps to itself may change, and then
    `unread` says why nothing is known.
    """
    found: dict[str, Attribute] = {"batches": _cardinality(dataset)}
    weights = len(dataset.element_spec) == 3 if isinstance(dataset.element_spec, tuple) else False
    found["sample_weight"] = weights
    try:
        return found | _transformations(dataset)
    except Exception as error:
        return found | {"unread": f"the graph of the data set: {type(error).__name__}: {error}"[:500]}


def _transformations(dataset: Any) -> dict[str, Attribute]:
    chain = list(_behind(dataset))
    kinds = [_kind(one) for one in chain]
    batched = next((place for place, kind in enumerate(kinds) if "batch" in kind), None)
    shuffles = [place for place, kind in enumerate(kinds) if "shuffle" in kind]
    buffers = [size for place in shuffles if (size := _number(chain[place], "_buffer_size")) is not None]
    regular = batched is not None and not re.search("unbatch|rebatch", kinds[batched])
    return {
        "batch_size": _number(chain[batched], "_batch_size") if batched is not None and regular else None,
        "samples": _samples(chain, kinds, batched) if batched is None or regular else None,
        "shuffled": bool(shuffles),
        "shuffle_buffer": max(buffers, default=None),
        "shuffles_batches": bool(shuffles) and batched is not None and max(shuffles) < batched,
        "repeated": any("repeat" in kind for kind in kinds),
        "maps": sum(kind in ("map", "parallel_map") for kind in kinds),
        "prefetched": "prefetch" in kinds,
        "cached": "cache" in kinds,
        "transformations": ", ".join(reversed(kinds[:_SHOWN])),
    }


def _behind(dataset: Any) -> Iterator[Any]:
    """Yield a data set and all those that it is made from, the nearest first."""
    queue, seen = [dataset], set[int]()
    while queue and len(seen) < _MOST:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += one._inputs()


def _kind(dataset: Any) -> str:
    """Return the name of a transformation: `shuffle` of a `_ShuffleDataset`."""
    return snake_case(re.sub(r"^_|Dataset(V\d)?$", "", type(dataset).__name__))


def _number(dataset: Any, name: str) -> int | None:
    value = tf.get_static_value(getattr(dataset, name, None)) if hasattr(dataset, name) else None
    return None if value is None else int(value)


def _cardinality(dataset: Any) -> int | None:
    """Return how many elements a data set has; None where that is unknown or without end."""
    count = int(dataset.cardinality())
    return count if count >= 0 else None


def _samples(chain: list[Any], kinds: list[str], batched: int | None) -> int | None:
    """Return how many samples there are to draw, repeats not counted: the elements before batching and repeating."""
    repeats = [place for place, kind in enumerate(kinds) if "repeat" in kind]
    last = max([*repeats[-1:], *([batched] if batched is not None else [])], default=None)
    if last is None:
        return None
    inputs = chain[last]._inputs()
    return _cardinality(inputs[0]) if len(inputs) == 1 else None
