"""Executions of the probed step -> how long their data kept them waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.patches import replaced
from tfhealth.capture.reductions import SCOPE
from tfhealth.capture.rows import make_variables
from tfhealth.series import Floats

__all__ = ["Fetches"]

_local = threading.local()


@dataclass(eq=False)
class Fetches:
    """Keeps time of probed executions, and of what they do before they have their batches.

    Keras fetches batches within the compiled function. There the clock is read too, before and after, and the sums stay
    on the device until `drain`. Executions that compile do not count.
    """

    _spent: Any = None  # float64[2]: seconds, and batches fetched; made when first needed
    _wall: float = 0.0
    _executions: int = 0
    _by_hand: Floats = field(default_factory=lambda: np.zeros(2))
    _fetching: bool = False
    _compiled: bool = False
    _begun: bool = False

    @contextmanager
    def inside(self, iterator: Any) -> Iterator[None]:
        """Keep time of one execution in the block; its batches come from `iterator`.

        A hand-written step is given its batch: there is nothing to wait for, and nothing is measured.
        """
        if not hasattr(type(iterator), "get_next"):
            yield
            return
        if self._spent is None:
            (self._spent,) = make_variables([((2,), tf.float64)], "CPU:0")
        before, _local.fetches, self._compiled = getattr(_local, "fetches", None), self, False
        began = time.perf_counter()
        try:
            with replaced([(type(iterator), name, _timed) for name in ("get_next", "get_next_as_optional")]):
                yield
        finally:
            _local.fetches = before
        if self._compiled:
            self._forget()
        else:
            self._count(time.perf_counter() - began)

    def _count(self, wall: float) -> None:
        self._wall += wall
        self._executions += 1

    def ahead(self, waited: float, batches: int, wall: float) -> None:
        """Take note of an execution whose batches were taken before it.

        Args:
            waited: seconds that it took to take them.
            batches: how many.
            wall: seconds that they and the execution took together.
        """
        if self._begun:
            self._by_hand += np.array([waited, batches])
            self._count(wall)
        self._begun = True  # the first one compiles

    def fetch(self, get: Callable[[], Any]) -> Any:
        """Return the batch that `get` gets, and keep time of it; within another fetch only that one counts."""
        if self._fetching:
            return get()
        self._fetching = True
        try:
            began = None
            with suppress(Exception), tf.name_scope(SCOPE):
                began = tf.timestamp()
            with tf.control_dependencies([] if began is None else [began]):
                fetched = get()
            with suppress(Exception), tf.name_scope(SCOPE):
                self._note(began, fetched)
            return fetched
        finally:
            self._fetching = False

    def _note(self, began: Any, fetched: Any) -> None:
        self._compiled = self._compiled or not tf.executing_eagerly()
        parts = [one for one in tf.nest.flatten(fetched, expand_composites=True) if tf.is_tensor(one)]
        with tf.control_dependencies(parts):
            ended = tf.timestamp()
        self._spent.assign_add(tf.stack([ended - began, 1.0]))

    def drain(self, price: float) -> dict[str, float]:
        """Return seconds a step, and their share of the step's time; nothing where no execution was measured.

        Args:
            price: seconds that an execution takes longer because it is probed.
        """
        if not self._executions:
            return {}
        waited, batches = self._by_hand if self._spent is None else self._by_hand + self._spent.numpy()
        wall = max(self._wall - self._executions * price, waited)
        self._forget()
        if not batches:
            return {}
        return {"data_seconds": float(waited / batches), "data_share": float(waited / wall)}

    def _forget(self) -> None:
        if self._spent is not None:
            self._spent.assign([0.0, 0.0])
        self._by_hand[:] = 0.0
        self._wall, self._executions = 0.0, 0


def _timed(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_next(iterator: Any, *args: Any, **kwargs: Any) -> Any:
        fetches = getattr(_local, "fetches", None)
        if fetches is None:
            return original(iterator, *args, **kwargs)
        return fetches.fetch(lambda: original(iterator, *args, **kwargs))

    return get_next
