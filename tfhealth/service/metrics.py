"""What is counted while a service runs -> text for Prometheus; of several processes, their sums."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

__all__ = ["SHARED", "exposition", "request_answered", "rows_received", "working"]

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder in which several processes count; it stands before this is imported."""

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double what is told, and nobody reads them
_REGISTRY = CollectorRegistry()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

_REQUESTS = Histogram(
    "tfhealth_request_seconds",
    "Time until a request was answered; a stream counts until its end",
    ["method", "route", "status"],
    registry=_REGISTRY,
    buckets=_SECONDS,
)
_DELTAS = Counter("tfhealth_deltas_received", "Deltas of runs that were taken", registry=_REGISTRY)
_ROWS = Counter("tfhealth_rows_received", "Rows of runs that were taken, by table", ["table"], registry=_REGISTRY)
_WORK = Histogram(
    "tfhealth_work_seconds",
    "Time that background work took, e.g. judging a run",
    ["kind", "outcome"],
    registry=_REGISTRY,
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


def request_answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; `route` is the pattern of its path, never the path itself, of which there is no end."""
    _REQUESTS.labels(method, route, str(status)).observe(seconds)


def rows_received(counts: dict[str, int]) -> None:
    """Count a delta and its rows, {table: how many}."""
    _DELTAS.inc()
    for table, count in counts.items():
        _ROWS.labels(table).inc(count)


@contextmanager
def working(kind: str) -> Iterator[None]:
    """Count background work of a kind that is done inside, and how long it takes."""
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "done"
    finally:
        _WORK.labels(kind, outcome).observe(time.perf_counter() - began)


def exposition(waiting: dict[str, int]) -> bytes:
    """Return everything that was counted, and {kind of work: how much of it waits}, in Prometheus's text format."""
    counted = _REGISTRY
    if SHARED in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    asked = CollectorRegistry()
    asked.register(_Waiting(waiting))
    return generate_latest(counted) + generate_latest(asked)


class _Waiting(Collector):
    """What waits now: it stands in the database, so no process counts it."""

    def __init__(self, waiting: dict[str, int]) -> None:
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("tfhealth_work_waiting", "Background work that is due, by kind", labels=["kind"])
        for kind, count in self._waiting.items():
            found.add_metric([kind], count)
        yield found
