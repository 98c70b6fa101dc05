"""A row of the checklist -> a program that is sick in that way, and the same program made healthy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

Program = tuple[keras.Model, Any, Any, dict[str, Any]]


class Pair(NamedTuple):
    """Two programs, functions that return a compiled model, x, y and further arguments of `fit`.

    Attributes:
        row: the row of the checklist that the sick one must lead with.
        sick: has the fault.
        healthy: the same without the fault; no row may fail.
        verdict: what the row says of the sick one, fail or warn.
    """

    row: str
    sick: Callable[[], Program]
    healthy: Callable[[], Program]
    verdict: str = "fail"
