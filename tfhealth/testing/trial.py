"""(compiled model, what `fit` takes) -> the trial that an assertion is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tfhealth.preflight.run import check_model
from tfhealth.preflight.source import gathered
from tfhealth.preflight.trial import Trial
from tfhealth.preflight.untouched import untouched

__all__ = ["that", "tried"]

_SEED = 1234


@contextmanager
def tried(model: Any, x: Any, y: Any, note: Any = print) -> Iterator[Trial]:
    """Give what an experiment is given, with notes for `note`; the random state is the same afterwards.

    Raises:
        UsageError: the model is not compiled, or x is nothing that can be read.
    """
    check_model(model)
    trial = Trial(_SEED, gathered(x, y), None, math.inf, model, note)
    with untouched(_SEED):
        yield trial


def that(holds: bool, otherwise: str) -> None:
    """Raise an AssertionError that says `otherwise`, unless it holds."""
    if not holds:
        raise AssertionError(otherwise)
