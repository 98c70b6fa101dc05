"""The model beside simpler ones that learn from the same samples: one hidden layer, a linear one, the last value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.tables import Target, answered, explained, in_errors, inputs_of, targets_of
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats

__all__ = ["EXPERIMENTS"]

_STEPS = 300
_MOST = 1000
_FEWEST = 40
_UNITS = 64
_NTH = 4  # of what is to be learned from, every fourth sample tells which baseline is the best
_SMOOTHING = 0.01  # of the largest variance of a column, added to each: some columns do not vary at all


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
    doc="how much of held out targets the model explains after 300 steps, beside a small network and simple models",
)
def rivals(trial: Any) -> dict[str, Any]:
    """Yield which share of the targets' spread is explained on a quarter of up to 1,000 samples, which is held out.

    1 is perfect, 0 what the mean or the shares of the classes explain; of classes it is the Brier skill score. `own` is
    a fresh clone of the model after 300 steps; `simple` a network of one hidden layer with 64 units after as many;
    `baseline` the best of ridge regression, of naive Bayes where targets are classes and scikit-learn is
    installed, and of ridge regression on the last value where inputs are sequences of numbers. Each certainty is that
    share, and each `behind_…` the rival's lead over the model, in standard errors over samples.
    """
    split = _split(trial)
    own = explained(_own(trial, split), split.asked_targets)
    simple = explained(_network(trial, split), split.asked_targets)
    name, guesses = _baseline(split)
    baseline = explained(guesses, split.asked_targets)
    trial.note(f"the simplest models' best is {name}")
    return {
        "own": [own.mean()],
        "simple": [simple.mean()],
        "baseline": [baseline.mean()],
        "own_certainty": [in_errors(own)],
        "simple_certainty": [in_errors(simple)],
        "behind_simple": [in_errors(simple - own)],
        "behind_baseline": [in_errors(baseline - own)],
    }


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


def _own(trial: Any, split: _Split) -> list[Any]:
    """Return what a fresh clone of the model says, an array for each output, after it was trained as it is compiled."""
    model = trial.model(fresh=True)
    trial.learn(model, split.x, split.y, _STEPS)
    return answered(model, split.asked, split.asked_targets, trial.batch_size)


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


def _baseline(split: _Split) -> tuple[str, list[Floats]]:
    """Return the name of the best of the simplest models and what it says, an array for each output.

    The best is the one that explains most of every fourth sample that is to be learned from, fitted to the others.
    """
    ways = {f"ridge regression{of}": (_ridge, *tables) for of, tables in _views(split).items()}
    if all(one.classes for one in split.targets) and find_spec("sklearn"):
        ways["naive Bayes"] = (_bayes, split.table, split.asked_table)
    best, most = ("", list[Floats]()), -math.inf
    for name, (fitted, table, asked) in ways.items():
        unknown = np.arange(len(table)) % _NTH == 0
        known = ~unknown
        tried = [_limited(fitted(table[known], table[unknown], one.values[known]), one) for one in split.targets]
        gain = float(explained(tried, [one.rows(np.flatnonzero(unknown)) for one in split.targets]).mean())
        if gain > most:
            most = gain
            best = name, [_limited(fitted(table, asked, one.values), one) for one in split.targets]
    return best


def _views(split: _Split) -> dict[str, tuple[Floats, Floats]]:
    """Return the inputs as tables, and the last step alone where a single input is a sequence of numbers."""
    views = {"": (split.table, split.asked_table)}
    x, asked = np.asarray(split.x) if not isinstance(split.x, dict | list | tuple) else None, split.asked
    if x is not None and x.ndim == 3 and x.dtype.kind == "f":
        views[" on the last value"] = (x[:, -1].astype(np.float64), np.asarray(asked)[:, -1].astype(np.float64))
    return views


def _ridge(table: Floats, asked: Floats, y: Floats) -> Floats:
    """Return what ridge regression says of other samples than it is fitted to."""
    mean, center = table.mean(0), y.mean(0)
    x = table - mean
    kernel = x @ x.T
    kernel[np.diag_indices(len(x))] += max(0.1 * float(np.trace(kernel)) / len(x), 1e-9)
    weights = x.T @ np.linalg.solve(kernel, y - center)
    return np.asarray((asked - mean) @ weights + center)


def _bayes(table: Floats, asked: Floats, y: Floats) -> Floats:
    """Return the probabilities of classes by naive Bayes with a normal distribution for each column."""
    from sklearn.naive_bayes import GaussianNB

    model = GaussianNB(var_smoothing=_SMOOTHING).fit(table, y.argmax(1))
    found = np.zeros((len(asked), y.shape[1]))
    found[:, model.classes_] = model.predict_proba(asked)
    return found


def _limited(guess: Floats, target: Target) -> Floats:
    """Return guesses within what the target can be; of classes shares that add up to 1."""
    if not target.classes:
        return guess
    cut = np.clip(guess, 1e-6, 1)
    return np.asarray(cut / cut.sum(1, keepdims=True))


EXPERIMENTS: tuple[Experiment, ...] = (rivals,)
