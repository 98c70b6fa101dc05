"""The model beside simpler ones that learn from the same samples: one hidden layer, a linear one, the last value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.tables import Target, explained, explained_by, inputs_of, targets_of
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats

__all__ = ["EXPERIMENTS"]

_STEPS = 300
_MOST = 1000
_FEWEST = 40
_UNITS = 64


@dataclass(frozen=True, eq=False)
class _Split:
    """Samples to learn from and samples to be judged by.

    Attributes:
        x, y: what is learned from, structured as the model takes it.
        asked: inputs of what is judged.
        table, asked_table: both as tables, float64[n, d].
        targets, asked_targets: of each output.
    """

    x: Any
    y: Any
    asked: Any
    table: Floats
    asked_table: Floats
    targets: list[Target]
    asked_targets: list[Target]


@experiment(
    *("own", "simple", "baseline", "own_certainty", "simple_certainty", "behind_simple", "behind_baseline"),
    quick=False,
    doc="how much of held out targets the model explains after 300 steps, beside a small network and a linear model",
)
def rivals(trial: Any) -> dict[str, Any]:
    """Yield which share of the targets' spread is explained on a quarter of up to 1,000 samples, which is held out.

    1 is perfect, 0 what the mean or the shares of the classes explain; of classes it is the Brier skill score. `own` is
    a fresh clone of the model after 300 steps; `simple` a network of one hidden layer with 64 units after as many;
    `baseline` the better of ridge regression and, where inputs are sequences of numbers, their last value. Each
    certainty is that share, and each `behind_…` the rival's lead over the model, in standard errors over samples.
    """
    split = _split(trial)
    own = _own(trial, split)
    simple = explained(_network(trial, split), split.asked_targets)
    baseline = _baseline(split)
    return {
        "own": [own.mean()],
        "simple": [simple.mean()],
        "baseline": [baseline.mean()],
        "own_certainty": [_errors(own)],
        "simple_certainty": [_errors(simple)],
        "behind_simple": [_errors(simple - own)],
        "behind_baseline": [_errors(baseline - own)],
    }


def _errors(values: Floats) -> float:
    """Return a mean in units of its standard error."""
    error = values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() / error) if error else 0.0


def _split(trial: Any) -> _Split:
    count = min(trial.size, _MOST)
    if count < _FEWEST:
        raise Inapplicable(f"there are {count} samples, and it takes {_FEWEST}")
    rows = np.random.default_rng(trial.seed).permutation(trial.size)[:count]
    x, y = trial.rows(rows)
    if _copied(x, y):
        raise Inapplicable("the targets are the inputs, which simple models copy")
    table = inputs_of(trial, x)
    targets = targets_of(trial, y, None if trial.classes is None else trial.classes[rows])
    known, asked = np.split(np.arange(count), [count * 3 // 4])
    x, y = trial.rows(rows[known])
    return _Split(
        x,
        y,
        trial.rows(rows[asked])[0],
        table[known],
        table[asked],
        [one.rows(known) for one in targets],
        [one.rows(asked) for one in targets],
    )


def _copied(x: Any, y: Any) -> bool:
    """Whether what is to be given is what goes in, as of an autoencoder."""
    import keras

    inputs, targets = (keras.tree.flatten(one) for one in (x, y))
    return any(one is not None and np.array_equal(one, other) for one in targets for other in inputs)


def _own(trial: Any, split: _Split) -> Floats:
    """Return what a fresh clone of the model explains, float64[n], after it was trained as it is compiled."""
    model = trial.model(fresh=True)
    trial.learn(model, split.x, split.y, _STEPS)
    return explained_by(model, split.asked, split.asked_targets, trial.batch_size)


def _network(trial: Any, split: _Split) -> list[Any]:
    """Return what a network of one hidden layer predicts after as many steps, an array for each output."""
    import keras

    inputs = keras.Input((split.table.shape[1],))
    hidden = keras.layers.Dense(_UNITS, "relu")(inputs)
    outputs = [keras.layers.Dense(one.values.shape[1])(hidden) for one in split.targets]
    losses = [keras.losses.CategoricalCrossentropy(from_logits=True) if one.classes else "mse" for one in split.targets]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.003), losses)
    scales = [_scale(one) for one in split.targets]
    y = [(one.values - mean) / spread for one, (mean, spread) in zip(split.targets, scales, strict=True)]
    wide = math.sqrt(split.table.shape[1])  # columns of spread 1
    trial.learn(model, wide * split.table, y, _STEPS, batch_size=32)
    found = model.predict(wide * split.asked_table, verbose=0)
    found = [found] if len(outputs) == 1 and not isinstance(found, list) else found
    return [mean + spread * np.asarray(one) for one, (mean, spread) in zip(found, scales, strict=True)]


def _scale(target: Target) -> tuple[Any, float]:
    """Return mean and spread of numbers; of classes 0 and 1, as they stay what they are."""
    if target.classes:
        return 0.0, 1.0
    mean = target.values.mean(0)
    return mean, float((target.values - mean).std()) or 1.0


def _baseline(split: _Split) -> Floats:
    """Return what the better of the simplest models explains, float64[n]; the better one in training."""
    best, least = np.empty(0), math.inf
    for table, asked in _views(split):
        guesses, error = [], 0.0
        for target in split.targets:
            fitted, guess = _ridge(table, asked, target.values)
            spread = ((target.values - target.values.mean(0)) ** 2).sum()
            error += float(((target.values - fitted) ** 2).sum() / spread) if spread else 0.0
            guesses.append(_limited(guess, target))
        if error < least:
            best, least = explained(guesses, split.asked_targets), error
    return best


def _views(split: _Split) -> list[tuple[Floats, Floats]]:
    """Return the inputs as tables, and the last step alone where a single input is a sequence of numbers."""
    views = [(split.table, split.asked_table)]
    x, asked = np.asarray(split.x) if not isinstance(split.x, dict | list | tuple) else None, split.asked
    if x is not None and x.ndim == 3 and x.dtype.kind == "f":
        views.append((x[:, -1].astype(np.float64), np.asarray(asked)[:, -1].astype(np.float64)))
    return views


def _ridge(table: Floats, asked: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return what ridge regression says of the samples that it is fitted to, and of others."""
    mean, center = table.mean(0), y.mean(0)
    x = table - mean
    kernel = x @ x.T
    kernel[np.diag_indices(len(x))] += max(0.1 * float(np.trace(kernel)) / len(x), 1e-9)
    weights = x.T @ np.linalg.solve(kernel, y - center)
    return x @ weights + center, (asked - mean) @ weights + center


def _limited(guess: Floats, target: Target) -> Floats:
    """Return guesses within what the target can be; of classes shares that add up to 1."""
    if not target.classes:
        return guess
    cut = np.clip(guess, 1e-6, 1)
    return np.asarray(cut / cut.sum(1, keepdims=True))


EXPERIMENTS: tuple[Experiment, ...] = (rivals,)
