"""A setup -> the loss and the score that it reaches in a few steps, several times over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfhealth.preflight.remedies.model import Setup
from tfhealth.preflight.source import rows_of
from tfhealth.series import Floats

__all__ = ["Reached", "reached"]

_JUDGED_ON = 512

Score = Callable[[Any, Any], float]


@dataclass(frozen=True, eq=False)
class Reached:
    """What trainings of one setup came to.

    Attributes:
        losses: of the data in test mode, without penalties, float64[repeats].
        scores: likewise, or None where nothing is known that could be compared.
        score: what the score is.
        grain: the largest standard error that a share of so many samples has; smaller differences are chance.
    """

    losses: Floats
    scores: Floats | None
    score: str | None
    grain: float = 0.0


def reached(setup: Setup, steps: int, repeats: int) -> Reached:
    """Train a setup several times from the same start, each time on other batches."""
    setup.compile()
    restart = setup.trial.restart(setup.model)
    rows = np.linspace(0, setup.trial.size - 1, min(_JUDGED_ON, setup.trial.size)).astype(np.int64)
    x, y = rows_of(setup.x, rows), rows_of(setup.y, rows)
    name, score = _score(y, setup.model.predict_on_batch(x))
    losses, scores = [], []
    for order in range(repeats):
        restart()
        setup.strength.assign(1.0)
        setup.trial.learn(setup.model, setup.x, setup.y, steps, order=order, weight=setup.weight, shuffle=setup.shuffle)
        setup.strength.assign(0.0)
        losses.append(setup.trial.loss(setup.model, x, y))
        if score is not None:
            scores.append(score(y, setup.model.predict_on_batch(x)))
    return Reached(np.array(losses), np.array(scores) if scores else None, name, 0.5 / math.sqrt(len(rows)))


def _score(y: Any, answers: Any) -> tuple[str | None, Score | None]:
    """Return the name of a score and how it is computed from targets and answers; nothing for several outputs."""
    targets, outputs = keras.tree.flatten(y), keras.tree.flatten(answers)
    if len(targets) != 1 or len(outputs) != 1 or targets[0] is None:
        return None, None
    target, output = np.asarray(targets[0]), np.asarray(outputs[0])
    if target.dtype.kind not in "biuf" or output.ndim != 2 or target.ndim > 2:
        return None, None
    whole = np.array_equal(target, np.round(target))
    columns = target.shape[1] if target.ndim == 2 else 1
    if whole and columns > 1 and np.array_equal(target.sum(1), np.ones(len(target))) and output.shape[1] == columns:
        return "share of right answers", lambda one, other: _recall(
            np.asarray(one).argmax(1), np.asarray(other).argmax(1)
        )
    if whole and columns == 1 and output.shape[1] > 1:
        return "share of right answers", lambda one, other: _recall(np.ravel(one), np.asarray(other).argmax(1))
    if whole and output.shape[1] == columns and set(np.unique(target)) <= {0, 1}:
        return "share of right answers", lambda one, other: _recall(np.ravel(one), np.ravel(_yes(np.asarray(other))))
    if output.shape[1] == columns:
        return "share of variance explained", _explained
    return None, None


def _recall(classes: Any, answers: Any) -> float:
    """Return the share of right answers, int[n] each, as the mean over classes."""
    return float(np.mean([np.mean(answers[classes == one] == one) for one in np.unique(classes)]))


def _yes(answers: Any) -> Any:
    """Return 1 where an answer of float[n, k] is yes: a probability above one half, or a logit above zero."""
    probabilities = answers.min() >= 0 and answers.max() <= 1
    return (answers > (0.5 if probabilities else 0.0)).astype(np.int64)


def _explained(target: Any, answers: Any) -> float:
    """Return 1 − mean squared error / variance, on whatever scale targets and answers are."""
    target = np.asarray(target, np.float64).reshape(len(answers), -1)
    spread = float(target.var(0).mean())
    return 1 - float(np.mean((target - answers) ** 2)) / spread if spread > 0 else float("nan")
