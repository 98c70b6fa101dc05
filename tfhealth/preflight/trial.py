"""(compiled model, samples) -> `Trial`: fresh clones of the one and copies from the other, and a time to be done by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.clones import cloned, compiled_like
from tfhealth.preflight.plain import plainly
from tfhealth.preflight.source import Samples, rows_of
from tfhealth.series import Floats, Ints

__all__ = ["OutOfTime", "Trial"]


class OutOfTime(Exception):  # noqa: N818 - no error, but the end of the work
    """Ends an experiment for which no time is left."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What an experiment is given; nothing that it does with it reaches the caller's model or data.

    Attributes:
        seed: the seed of everything random in the experiment.
    """

    seed: int
    _model: Any
    _samples: Samples
    _validation: Samples | None
    _deadline: float
    _note: Callable[[str], None] = print

    def model(self, *, fresh: bool = False, plain: bool = False, **changes: Any) -> Any:
        """Return a clone of the compiled model, with an optimizer that took no step yet.

        Args:
            fresh: with weights that its initializers draw, as if it had never been trained; else with the model's own.
            plain: without dropout, noise, augmentation, weight and activity regularization.
            changes: arguments of `compile` in place of those that the model was compiled with.
        """
        self.check_time()
        clone = cloned(self._model, self.batch(1)[0], weights=not fresh)
        if plain:
            plainly(clone)
        compiled_like(clone, self._model, changes)
        return clone

    def batch(self, n: int) -> tuple[Any, Any]:
        """Return (x, y) of the first n samples, or of all where there are fewer: NumPy arrays, structured as given."""
        return self._rows(self._samples, np.arange(min(n, len(self._samples))))

    def sample(self, n: int) -> tuple[Any, Any]:
        """Return (x, y) of n samples from all over the data, in random order, the same at each call."""
        rows = np.random.default_rng(self.seed).permutation(len(self._samples))[:n]
        return self._rows(self._samples, rows)

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

    @cached_property
    def classes(self) -> Ints | None:
        """The class of each sample, int64[n], in the order of `batch`; None where the model has no single class output.

        Known by the loss and the targets: one-hot rows, integers under a sparse loss, or 0 and 1 under a binary one.
        """
        y = self._samples.y
        if y is None or len(keras.tree.flatten(y)) != 1:
            return None
        return _classes(np.asarray(keras.tree.flatten(y)[0]), _name(self._model.loss))

    def features(self, x: Any) -> Floats:
        """Return inputs as one table, float64[n, d], every number of a sample side by side.

        Raises:
            Inapplicable: they are text or other things that are no numbers.
        """
        arrays = [np.asarray(one) for one in keras.tree.flatten(x)]
        if not all(one.dtype.kind in "biuf" for one in arrays):
            raise Inapplicable("the inputs are no numbers")
        return np.concatenate([one.reshape(len(one), -1).astype(np.float64) for one in arrays], axis=1)

    def learn(
        self,
        model: Any,
        x: Any,
        y: Any,
        steps: int,
        *,
        batch_size: int | None = None,
        each: Callable[[int], None] | None = None,
    ) -> Floats:
        """Train a clone for some steps on random batches; return the batch's loss before each step, float64[steps].

        The batches are the same for every model that is given the same x, y and size, so that what two clones learn
        can be compared step by step.

        Args:
            model: of `model()`.
            x: inputs.
            y: targets.
            steps: how many.
            batch_size: samples a batch, by default that of the caller's data.
            each: called with the number of each step before it is taken.
        """
        generator, count = np.random.default_rng(self.seed), len(keras.tree.flatten(x)[0])
        size = min(batch_size or self.batch_size, count)
        losses, order = [], np.empty(0, np.int64)
        for step in range(steps):
            self.check_time()
            if each is not None:
                each(step)
            if len(order) < size:
                order = generator.permutation(count)
            rows, order = order[:size], order[size:]
            model.reset_metrics()  # else Keras returns a mean over all steps so far
            batch = rows_of(x, rows), rows_of(y, rows)
            losses.append(float(model.train_on_batch(*batch, return_dict=True)["loss"]))
        return np.array(losses)

    def note(self, why: str) -> None:
        """Say something in the notes of the run: what an experiment met that its numbers do not tell."""
        self._note(" ".join(why.split())[:500])

    def check_time(self) -> None:
        """Raise where no time is left; whoever takes many steps calls this before each."""
        if time.monotonic() > self._deadline:
            raise OutOfTime


def _name(loss: Any) -> str:
    """Return the name of a compiled loss in snake case; empty where there is none or there are several."""
    if isinstance(loss, Mapping | list | tuple):
        flat = keras.tree.flatten(loss)
        return _name(flat[0]) if len(flat) == 1 else ""
    text = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    return str(text)


def _classes(y: Any, loss: str) -> Ints | None:
    whole = y.dtype.kind in "biuf" and np.all(np.isfinite(y)) and np.array_equal(y, np.round(y))
    if not whole:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = bool(((y.sum(1) == 1) & (y.max(1) == 1)).all())
        return np.asarray(y.argmax(1), np.int64) if one_hot else None
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        return None
    if "crossentropy" in loss or "hinge" in loss or y.dtype.kind in "bui":
        return np.asarray(y.reshape(-1), np.int64)
    return None
