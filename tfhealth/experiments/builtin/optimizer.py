"""The optimizer: at which learning rates the model learns, and what a grid of other settings comes to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.grid import searched
from tfhealth.experiments.confidence import interval
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats

__all__ = ["EXPERIMENTS", "suggested_rate"]

_RATES = np.logspace(-6, 1, 57)  # eight a decade
_SWEEPS = 3
_WINDOW = 5  # steps that the curve of a sweep is smoothed over
_STEPS = 100
_REPEATS = 5  # the median is above the highest of five in 3 % of all cases
_FEWER = 3  # for the one that another is compared with
_END = 20  # last steps whose mean is what a training reached


@experiment(
    *("rate", "loss", "in_use", "suggested", "ratio", "progress_in_use", "progress_suggested", "high"),
    doc="the loss while the learning rate rises from 1e-6 to 10, and 100 steps at the rate in use and at the best",
)
def learning_rate_range(trial: Any) -> dict[str, Any]:
    """Yield the loss over the learning rate, the rate suggested by it, and what that rate and the one in use learn.

    A range test after Smith, "Cyclical Learning Rates for Training Neural Networks", 2017: the rate grows by a factor
    at every step, here three times over other batches, of which the median counts. A tenth of the rate at which the
    smoothed loss was lowest is suggested, as fastai does. Then the rate in use trains five times, the suggested
    one three times; progress is the share of the first loss that is gone after 100 steps, -1 where the loss is no
    number any more. `high` is the most of five that the rate in use came to, over the mean of the better of both.
    """
    in_use, train = trial.learning_rate, _training(trial)
    curve, suggested = _swept(train)
    used, better = _progress(train, in_use, _REPEATS), _progress(train, suggested, _FEWER)
    best = max(used, better, key=np.mean)
    if not interval(best)[0] > 0:
        raise Inapplicable(f"at the suggested rate of {suggested:.1g}, too, the loss does not fall in {_STEPS} steps")
    return {
        "rate": _RATES,
        "loss": np.where(np.isfinite(curve), curve, np.nan),
        "in_use": [in_use],
        "suggested": [suggested],
        "ratio": [in_use / suggested],
        "progress_in_use": used,
        "progress_suggested": better,
        "high": [used.max() / best.mean()],
    }


def suggested_rate(trial: Any) -> float:
    """Return the learning rate that a range test suggests."""
    return _swept(_training(trial))[1]


def _swept(train: Callable[[Floats, int], Floats]) -> tuple[Floats, float]:
    """Return the smoothed loss at each of `_RATES`, and the rate that it suggests."""
    curve = _smoothed(np.median([train(_RATES, order) for order in range(_SWEEPS)], axis=0))
    return curve, float(_RATES[int(np.argmin(curve))]) / 10


def _training(trial: Any) -> Callable[[Floats, int], Floats]:
    """Return (learning rate at each step, order of the batches) -> the loss before each step, from the same start."""
    model = trial.model(fresh=trial.trained, optimizer=trial.optimizer(learning_rate=1.0))
    everything = trial.sample(trial.size)
    restart = trial.restart(model)

    def train(rates: Floats, order: int) -> Floats:
        def each(step: int) -> None:
            model.optimizer.learning_rate = float(rates[step])

        restart()
        losses: Floats = trial.learn(model, *everything, len(rates), each=each, order=order)
        return np.where(np.isfinite(losses), losses, np.inf)

    return train


def _smoothed(losses: Floats) -> Floats:
    """Return the mean over a window around each step, of what is left of it at both ends; infinite with any loss."""
    half = _WINDOW // 2
    parts = [losses[max(0, step - half) : step + half + 1] for step in range(len(losses))]
    return np.array([part.mean() for part in parts])


def _progress(train: Callable[[Floats, int], Floats], rate: float, repeats: int) -> Floats:
    """Return the share of the loss that is gone at the end, from -1 on, float64[repeats]."""
    curves = np.array([train(np.full(_STEPS, rate), _SWEEPS + order) for order in range(repeats)])
    start = curves[:, 0].mean()
    gone = (start - curves[:, -_END:].mean(1)) / abs(start)
    kept: Floats = np.maximum(np.nan_to_num(gone, nan=-1.0), -1.0)
    return kept


@experiment(
    *("rate", "batch_size", "loss", "best_rate", "best_batch_size", "progress", "best_progress", "high"),
    quick=False,
    doc="a grid of three learning rates and three batch sizes around those in use",
)
def hyperparameters(trial: Any) -> dict[str, Any]:
    """Yield the loss that each of nine settings reaches on as many samples, and the best against the one in use.

    The grid goes through KerasTuner where it is installed. The loss is that of the validation data, or of the training
    data where there are none, in test mode. Since the best of nine looks better than it is, it is trained again three
    times on other batches, and the setting in use five times: `progress` is the share of the first loss that is gone at
    the setting in use, and `high` the most of five that it came to, over the mean of the best one's.
    """
    rate, size = trial.learning_rate, min(trial.batch_size, max(1, trial.size // 2))
    if not rate > 0:
        raise Inapplicable(f"the learning rate in use is {rate:g}")
    sizes = sorted({max(1, size // 2), size, min(2 * size, trial.size)})
    score, start = _scoring(trial, size)
    table = searched([rate / 10, rate, rate * 10], sizes, lambda one, other: score(one, other, 0))
    best_rate, best_size, _ = min(table, key=lambda row: row[2])
    used, best = (
        np.array([(start - score(one, other, order)) / abs(start) for order in range(1, 1 + repeats)])
        for one, other, repeats in ((rate, size, _REPEATS), (best_rate, best_size, _FEWER))
    )
    if not interval(best)[0] > 0:
        raise Inapplicable("at none of nine settings the loss falls clearly in as many samples")
    rates, sizes_tried, losses = np.array(table).T
    return {
        "rate": rates,
        "batch_size": sizes_tried,
        "loss": losses,
        "best_rate": [best_rate],
        "best_batch_size": [best_size],
        "progress": used,
        "best_progress": best,
        "high": [used.max() / best.mean()],
    }


def _scoring(trial: Any, size: int) -> tuple[Callable[[float, int, int], float], float]:
    """Return (learning rate, batch size, order of the batches) -> loss, and the loss before any training.

    Each takes as many samples as 50 batches of `size` hold.
    """
    model = trial.model(fresh=trial.trained, optimizer=trial.optimizer(learning_rate=1.0))
    everything, judged_on = trial.sample(trial.size), trial.validation(512) or trial.sample(512)
    restart = trial.restart(model)

    def score(rate: float, batch_size: int, order: int) -> float:
        restart()
        model.optimizer.learning_rate = rate
        trial.learn(model, *everything, max(1, _STEPS // 2 * size // batch_size), batch_size=batch_size, order=order)
        loss: float = trial.loss(model, *judged_on)
        return loss if math.isfinite(loss) else 2 * abs(start) + start  # worse than the start by all of it, twice

    start: float = trial.loss(model, *judged_on)
    return score, start


EXPERIMENTS: tuple[Experiment, ...] = (learning_rate_range, hyperparameters)
