"""A grid of learning rates and batch sizes -> the loss of each, through KerasTuner where it is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import product
from typing import Any

__all__ = ["searched"]

Score = Callable[[float, int], float]
Row = tuple[float, int, float]


def searched(rates: Sequence[float], sizes: Sequence[int], score: Score) -> list[Row]:
    """Return (learning rate, batch size, loss) for each of all pairs, in order."""
    if find_spec("keras_tuner") is None:
        return [(rate, size, score(rate, size)) for rate, size in product(rates, sizes)]
    return sorted(_tuned(rates, sizes, score))


def _tuned(rates: Sequence[float], sizes: Sequence[int], score: Score) -> list[Row]:
    import keras_tuner

    class Grid(keras_tuner.GridSearch):  # type: ignore[misc]
        """Scores a setting without building anything; what goes wrong ends the search, and is not tried again."""

        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
            chosen = trial.hyperparameters
            try:
                return score(chosen.get("learning_rate"), chosen.get("batch_size"))
            except Exception as error:
                raise keras_tuner.errors.FatalError(str(error)) from error

    space = keras_tuner.HyperParameters()
    space.Choice("learning_rate", list(rates))
    space.Choice("batch_size", list(sizes))
    with tempfile.TemporaryDirectory() as folder:
        grid = Grid(hyperparameters=space, tune_new_entries=False, directory=folder, project_name="grid")
        try:
            grid.search(verbose=0)
        except keras_tuner.errors.FatalError as error:
            raise (error.__cause__ or error) from None
    found = grid.oracle.trials.values()
    return [
        (one.hyperparameters.get("learning_rate"), one.hyperparameters.get("batch_size"), one.score) for one in found
    ]
