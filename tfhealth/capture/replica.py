"""A device -> what the probes keep on it between two drains: a step counter, rows, and the states of statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.capture.rows import Layout, Ring, make_variables
from tfhealth.series import Site

__all__ = ["SPACING", "Replica", "Rhythm", "elsewhere", "is_chief", "replicas_of", "unsupported"]

_DENSE = 20  # steps at the start that are probed for every statistic
SPACING = 7  # then at most every seventh: a prime number, so that epochs do not show the same batches each time


@dataclass(eq=False)
class Replica:
    """One replica's part of the probes; replicas share nothing, so that probing adds no communication between them.

    Args:
        device: where its variables are; None leaves that to TensorFlow.
        step: optimizer steps taken before the first probed one.
        capacity: rows that fit into each ring.
    """

    device: str | None
    step: int
    capacity: int
    rings: dict[tuple[Any, ...], Ring] = field(default_factory=dict)
    _states: dict[tuple[Site, str], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counter, self._next = make_variables([((), tf.int64)] * 2, self.device)
        self.counter.assign(self.step)
        self._next.assign(self.step)

    def whole(self) -> Any:
        """Return whether the step that runs is probed for every statistic, bool scalar, and not for the cheap ones."""
        return self.counter >= self._next

    def was_whole(self) -> Any:
        """Take note that the step was probed for every statistic; return the next that may be, int64 scalar."""
        following = self.counter + 1
        early = following < self.step + _DENSE
        return self._next.assign(tf.where(early, following, following + (SPACING - 1)))

    def state(self, site: Site, name: str, shape: tuple[int, ...]) -> Any:
        """Return the float32 variable of this name at this site, of zeros when it is first asked for."""
        if (site, name) not in self._states:
            (self._states[site, name],) = make_variables([(shape, tf.float32)], self.device)
        return self._states[site, name]

    def forget(self) -> None:
        """Let every statistic that has a state begin anew."""
        for variable in self._states.values():
            variable.assign(tf.zeros_like(variable))

    def ring(self, layout: Layout) -> Ring:
        """Return the rows that have this layout."""
        key = (layout.columns, tuple(layout.constants.items()))
        if key not in self.rings:
            shapes = [((self.capacity, 2 + len(layout.columns)), tf.float32), ((), tf.int32)]
            self.rings[key] = Ring(layout, *make_variables(shapes, self.device))
        return self.rings[key]


@dataclass(eq=False)
class Rhythm:
    """The host's own account of which steps are probed for every statistic, where it is asked before each of them.

    Args:
        first: optimizer steps taken before the first probed one.
    """

    first: int
    _last: int = -1
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.first

    def whole(self, step: int) -> bool:
        """Tell whether a step is; one that found no data comes again, and is then what it was."""
        if step < self._next and step != self._last:
            return False
        early = step + 1 < self.first + _DENSE
        self._last, self._next = step, step + (1 if early else SPACING)
        return True


def replicas_of(strategy: Any, step: int, capacity: int) -> list[Replica]:
    """Return the replicas of a strategy that are in this process, in the order of their ids."""
    return [Replica(device, step, capacity) for device in _devices(strategy)]


def _devices(strategy: Any) -> Sequence[str | None]:
    """Return the devices of this process's replicas."""
    return tuple(strategy.extended.worker_devices) if strategy.num_replicas_in_sync > 1 else (None,)


def elsewhere(strategy: Any) -> int:
    """Return how many replicas run in other processes."""
    return int(strategy.num_replicas_in_sync) - len(_devices(strategy))


def is_chief(strategy: Any) -> bool:
    """Tell whether this process is the one of several workers that writes."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.task_type:
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def unsupported(strategy: Any, exact: bool) -> str | None:
    """Return why steps under a strategy are not probed, or None."""
    if isinstance(strategy, tf.distribute.TPUStrategy | tf.distribute.ParameterServerStrategy):
        return f"probes do not know {type(strategy).__name__}"
    if exact and elsewhere(strategy):
        return "exact=True needs a second pass, in which the other workers would have to take part"
    return None
