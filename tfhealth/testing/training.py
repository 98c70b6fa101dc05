"""What a clone learns, and whether it runs -> nothing, or an AssertionError with what was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from tfhealth.errors import UsageError
from tfhealth.experiments import find
from tfhealth.preflight.run import preflight
from tfhealth.preflight.source import rows_of
from tfhealth.testing.trial import that, tried

__all__ = ["assert_healthy", "assert_loss_at_chance", "assert_overfits", "assert_saves_and_loads"]


def assert_healthy(
    model: Any, x: Any, y: Any = None, *, experiments: str | Sequence[str] = "quick", budget: float = 60.0
) -> None:
    """Assert that no rule fails on what a preflight shows; warnings are let pass, and nothing is written.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.
        experiments: "quick", "full" or names, as for `tfhealth.preflight`.
        budget: seconds for all of them together; what does not fit is not asserted.

    Example:
        >>> assert_healthy(model, x_train, y_train, experiments=["overfit_tiny", "smoke"])
    """
    with TemporaryDirectory() as folder:
        result = preflight(model, x, y, experiments, out=folder, formats="json", budget=budget, verbose=0)
    failing = [f"{one.rule}: {one.message}" for one in result.findings if one.verdict == "fail"]
    that(not failing, "the preflight failed:\n  " + "\n  ".join(failing))


def assert_loss_at_chance(model: Any, x: Any, y: Any = None, *, tolerance: float = 0.5) -> None:
    """Assert that a classifier that was not trained yet has the loss of a guess: ln C over C classes.

    Args:
        model: a compiled model with one output and a cross-entropy.
        x: what `fit` takes.
        y: targets, where x is arrays.
        tolerance: by how much the loss may be off, as a share of ln C.

    Raises:
        UsageError: the targets are no classes, or there is only one.

    Example:
        >>> assert_loss_at_chance(model, x_train, y_train)
    """
    with tried(model, x, y) as trial:
        classes = trial.classes
        if classes is None or not classes.any():
            raise UsageError("the targets are no classes of which there are several; there is no loss of a guess")
        clone, batch = trial.model(fresh=True, plain=True), trial.sample(256)
        loss = clone.evaluate(*batch, verbose=0, return_dict=True)["loss"]
        answer = clone.predict(rows_of(batch[0], np.arange(1)), verbose=0)
    chance = math.log(max(2, int(keras.tree.flatten(answer)[0].shape[-1])))
    that(
        abs(loss - chance) <= tolerance * chance,
        f"the first loss is {loss:.4g}, and that of a guess {chance:.4g}; at most {tolerance:.0%} off is right",
    )


def assert_overfits(model: Any, x: Any, y: Any = None, *, samples: int = 2, steps: int = 200, to: float = 0.1) -> None:
    """Assert that a few samples are learned by heart, without regularization, dropout and augmentation.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.
        samples: how many samples, from all over the data.
        steps: training steps, each on all of them.
        to: the share of the first loss that may be left at the end.

    Example:
        >>> assert_overfits(model, x_train, y_train)
    """
    with tried(model, x, y) as trial:
        few = trial.sample(samples)
        losses = trial.learn(trial.model(plain=True), *few, steps, batch_size=samples)
    that(
        losses[-1] <= to * losses[0],
        f"{samples} samples were not learned by heart: after {steps} steps the loss went from {losses[0]:.4g} to "
        f"{losses[-1]:.4g}, and at most {to:g} of it may be left",
    )


def assert_saves_and_loads(model: Any, x: Any, y: Any = None) -> None:
    """Assert that the model runs, saves in Keras's format, loads, and predicts the same afterwards.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.

    Example:
        >>> assert_saves_and_loads(model, x_train[:64], y_train[:64])
    """
    told: list[str] = []
    with tried(model, x, y, told.append) as trial:
        stages = find("smoke").run(trial)["stages"][0]
    that(stages == 5, f"of fit, evaluate, predict, save and load {stages} ran: {'; '.join(told)}")
