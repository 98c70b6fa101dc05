"""Statistics of how a training runs: the learning rate in force, the time of steps, memory."""

from __future__ import annotations

from tfhealth.statistics.builtin.formulas import ANY, POSITIVE, SHARE, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["STATISTICS", "SUMS"]

SUMS = (Sum("learning_rate", "mean"),)

# Time and memory are seen from the host: nothing of them is computed in a step, so they have no sums.
_OF_TIME = (
    (
        "seconds",
        "second",
        "wall time of one step, the mean since the last record; validation and compiling left out",
        POSITIVE,
    ),
    (
        "data_seconds",
        "second",
        "time that one step waits for its batch, the mean of the steps probed meanwhile",
        POSITIVE,
    ),
    ("data_share", "share", "share of the time of these steps that they wait for their batches", SHARE),
    ("probe_share", "share", "share of the wall time so far that probing cost", SHARE),
)
_OF_MEMORY = (
    ("current", "memory in use: resident for the process, allocated for a GPU"),
    ("peak", "the most so far"),
)

STATISTICS = (
    Statistic(
        "learning_rate",
        ("optimizer",),
        ("learning_rate",),
        same("learning_rate"),
        "",
        "the learning rate that the optimizer uses in this step",
        ANY,
    ),
    *(Statistic(name, ("time",), (), same(name), unit, doc, legal) for name, unit, doc, legal in _OF_TIME),
    *(Statistic(name, ("memory",), (), same(name), "byte", doc, POSITIVE) for name, doc in _OF_MEMORY),
)
