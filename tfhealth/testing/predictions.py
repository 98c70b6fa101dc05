"""Predictions of a clone in test mode -> nothing, or an AssertionError with what was seen."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tfhealth.experiments import find
from tfhealth.testing.trial import that, tried

__all__ = ["assert_outputs_depend_on_inputs", "assert_predictions_repeat", "assert_samples_independent"]


def assert_outputs_depend_on_inputs(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-6) -> None:
    """Assert that different samples are predicted different things, by every output.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used, of samples that differ.
        y: targets, where x is arrays; not used.
        tolerance: the smallest range over the batch, in units of the predictions' size.

    Example:
        >>> assert_outputs_depend_on_inputs(model, x_train[:32])
    """
    with tried(model, x, y) as trial:
        predictions = trial.model().predict(trial.batch(trial.batch_size)[0], verbose=0)
    for number, one in enumerate(keras.tree.flatten(predictions)):
        spread, size = float(np.ptp(one, axis=0).max()), float(np.abs(one).max())
        that(spread > tolerance * size, f"output {number} is the same for every sample: it varies by {spread:.3g}")


def assert_predictions_repeat(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-6) -> None:
    """Assert that the same samples are predicted the same twice: nothing random is left on in test mode.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays; not used.
        tolerance: the largest difference, in units of the predictions' spread.

    Example:
        >>> assert_predictions_repeat(model, x_train[:32])
    """
    randomness = _in_test_mode(model, x, y, "randomness")
    what = "two predictions of the same samples differ by"
    that(randomness <= tolerance, f"{what} {randomness:.3g} of the predictions' spread, at most {tolerance:g}")


def assert_samples_independent(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-3) -> None:
    """Assert that what a sample is predicted does not depend on the other samples of its batch.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays; not used.
        tolerance: the largest difference, in units of the predictions' spread.

    Example:
        >>> assert_samples_independent(model, x_train[:32])
    """
    dependence = _in_test_mode(model, x, y, "dependence")
    that(
        dependence <= tolerance,
        f"a sample alone is predicted something else than among others: {dependence:.3g} of the predictions' spread, "
        f"at most {tolerance:g}",
    )


def _in_test_mode(model: Any, x: Any, y: Any, statistic: str) -> float:
    """Return one number of the experiment on predictions in test mode."""
    with tried(model, x, y) as trial:
        return float(find("test_mode").run(trial)[statistic][0])
