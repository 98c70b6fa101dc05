"""A data set of the caller's -> the batches that it would yield next, and it yields the same ones afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["twin", "undrawn"]

_SEEDS = {"ShuffleDatasetV3": 4, "ShuffleAndRepeatDatasetV2": 5, "RandomDatasetV2": 2}
"""{operation with a generator of seeds: which of its inputs that is}"""

_ANY_STATE = 1  # external_state_policy: leave out what a graph does not hold, without a warning


def twin(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a data set that yields the same and draws from seeds of its own.

    Each iterator over a shuffled data set draws seeds from a generator that all of them share: who looks at it once
    changes the order of every epoch to come. What cannot be written down as a graph is returned itself.
    """
    try:
        graph = tf.raw_ops.DatasetToGraphV2(
            input_dataset=dataset._variant_tensor, external_state_policy=_ANY_STATE, strip_device_assignment=True
        )
        definition = tf.compat.v1.GraphDef.FromString(graph.numpy())
        for node in [one for one in definition.node if one.op in _SEEDS]:
            seeds = definition.node.add(op="DummySeedGenerator", name=f"{node.name}/seeds")
            node.input[_SEEDS[node.op]] = seeds.name
        variant = tf.raw_ops.DatasetFromGraph(graph_def=definition.SerializeToString())
        return tf.data.experimental.from_variant(variant, dataset.element_spec)
    except (tf.errors.OpError, AttributeError, ValueError, TypeError):
        return dataset


@contextmanager
def undrawn(dataset: Any) -> Iterator[None]:
    """Give generators of random numbers that are attributes of a data set the state that they had before the block."""
    held: list[Any] = list(getattr(dataset, "__dict__", {}).values())
    generators = [(one.bit_generator, one.bit_generator.state) for one in held if isinstance(one, np.random.Generator)]
    older = [(one, one.get_state()) for one in held if isinstance(one, np.random.RandomState)]
    python = [(one, one.getstate()) for one in held if isinstance(one, random.Random)]
    try:
        yield
    finally:
        for generator, state in generators:
            generator.state = state
        for legacy, words in older:
            legacy.set_state(words)
        for plain, internal in python:
            plain.setstate(internal)
