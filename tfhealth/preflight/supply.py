"""Samples of training and validation data -> copies of some of them, until the time is up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.source import Samples, rows_of
from tfhealth.series import Floats, Ints

__all__ = ["OutOfTime", "Supply"]


class OutOfTime(BaseException):
    """Ends an experiment for which no time is left, like Ctrl-C: one that catches what goes wrong must not catch it."""


@dataclass(frozen=True, eq=False)
class Supply:
    """What of the data an experiment is given; nothing that it does with it reaches the caller's.

    Attributes:
        seed: of the order of samples, and of everything else that is random in an experiment.
    """

    seed: int
    _samples: Samples
    _validation: Samples | None
    _deadline: float

    def batch(self, n: int) -> tuple[Any, Any]:
        """Return (x, y) of the first n samples, or of all where there are fewer: NumPy arrays, structured as given."""
        return self._rows(self._samples, np.arange(min(n, len(self._samples))))

    def sample(self, n: int) -> tuple[Any, Any]:
        """Return (x, y) of n samples from all over the data, in random order, the same at each call."""
        rows = np.random.default_rng(self.seed).permutation(len(self._samples))[:n]
        return self._rows(self._samples, rows)

    def rows(self, numbers: Ints) -> tuple[Any, Any]:
        """Return (x, y) of the samples with these numbers, int64[n], counted from 0 as in `batch`."""
        return self._rows(self._samples, numbers)

    def validation(self, n: int) -> tuple[Any, Any] | None:
        """Return (x, y) of n samples of the validation data in random order; None where none were given."""
        if self._validation is None:
            return None
        rows = np.random.default_rng(self.seed).permutation(len(self._validation))[:n]
        return self._rows(self._validation, rows)

    def _rows(self, samples: Samples, rows: Ints) -> tuple[Any, Any]:
        self.check_time()
        return rows_of(samples.x, rows), rows_of(samples.y, rows)

    @property
    def size(self) -> int:
        """Samples that `batch` and `sample` can give."""
        return len(self._samples)

    @property
    def batch_size(self) -> int:
        """Samples a batch of the caller's data; Keras's 32 for arrays."""
        return self._samples.batch_size

    def features(self, x: Any) -> Floats:
        """Return inputs as one table, float64[n, d], every number of a sample side by side.

        Raises:
            Inapplicable: they are text or other things that are no numbers.
        """
        arrays = [np.asarray(one) for one in keras.tree.flatten(x)]
        if not all(one.dtype.kind in "biuf" for one in arrays):
            raise Inapplicable("the inputs are no numbers")
        return np.concatenate([one.reshape(len(one), -1).astype(np.float64) for one in arrays], axis=1)

    def check_time(self) -> None:
        """Raise where no time is left; whoever takes many steps calls this before each."""
        if time.monotonic() > self._deadline:
            raise OutOfTime
