"""The built-in statistics: every one once, as the sums it needs on the device and the formula that finishes it."""

from tfhealth.statistics.builtin import inputs, labels, loss, predictions, running, tensors, variables
from tfhealth.statistics.builtin.tensors import DEAD_WINDOW
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["DEAD_WINDOW", "STATISTICS", "SUMS"]

_TOPICS = (tensors, variables, inputs, labels, predictions, loss, running)

SUMS: dict[str, Sum] = {one.name: one for topic in _TOPICS for one in topic.SUMS}

STATISTICS: tuple[Statistic, ...] = tuple(one for topic in _TOPICS for one in topic.STATISTICS)
