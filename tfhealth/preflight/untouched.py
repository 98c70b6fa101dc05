"""Global random state and names -> the same after a block, which in between has a fixed seed."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["untouched"]

_SEED, _GENERATOR, _NAMES = "global_random_seed", "global_seed_generator", "object_name_uids"


@contextmanager
def untouched(seed: int) -> Iterator[None]:
    """Seed Python, NumPy, TensorFlow and Keras for the block, and put back what they had, bit for bit.

    Keras's counters of names are put back too: a layer made later is called as it would have been.
    `tf.random.set_seed` is not called, since it also empties TensorFlow's cache of kernels, whose random ones count.
    """
    from keras.src.backend.common import global_state  # Keras has no public way to read these
    from tensorflow.python.eager import context

    eager = context.context()
    python, numpy, tensorflow = random.getstate(), np.random.get_state(), (eager._seed, getattr(eager, "_rng", None))
    kept = {name: global_state.get_global_attribute(name) for name in (_SEED, _GENERATOR)}
    names = dict(global_state.get_global_attribute(_NAMES) or {})
    try:
        random.seed(seed)
        np.random.seed(seed)
        eager._seed, eager._rng = seed, random.Random(seed)  # noqa: S311 - as TensorFlow does it
        global_state.set_global_attribute(_SEED, seed)
        global_state.set_global_attribute(_GENERATOR, None)  # made anew from the seed when it is needed
        with warnings.catch_warnings():  # of clones; the model's own training will say them again
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        eager._seed, eager._rng = tensorflow  # before the first seed TensorFlow reads no _rng
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)
        counted = global_state.get_global_attribute(_NAMES)
        if counted is not None:
            counted.clear()
            counted.update(names)
