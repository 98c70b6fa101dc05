"""Samples of any form -> tables that simple models read, and how much of a target a prediction explains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfhealth.experiments.model import Inapplicable
from tfhealth.series import Floats, Ints

__all__ = ["Target", "answered", "embeds", "explained", "in_errors", "inputs_of", "targets_of"]

_SIDE = 16  # pixels or time steps to which larger inputs are averaged
_WORDS = 1000
_CLASSES = 30  # whole numbers with no more values than these are classes where there are several outputs
_WORST = 10.0  # what one sample may add to an error, in units of the mean's, so that none decides alone


@dataclass(frozen=True, eq=False)
class Target:
    """What one output is trained to give.

    Attributes:
        values: float64[n, m], for classes rows of 0 and 1 with one 1 each.
        classes: whether they are classes.
        signed: whether two classes are written as -1 and 1.
    """

    values: Floats
    classes: bool = False
    signed: bool = False

    def rows(self, chosen: Ints) -> Target:
        """Return the target of these samples."""
        return Target(self.values[chosen], self.classes, self.signed)


def embeds(model: Any) -> bool:
    """Whether a model looks its inputs up in a table: they are names, not quantities."""
    return any(type(layer).__name__ == "Embedding" for layer in model._flatten_layers())


def inputs_of(trial: Any, x: Any) -> Floats:
    """Return inputs as one table, float64[n, d]: columns of mean 0 and spread 1, each input with the same weight.

    Images and sequences are averaged to at most 16 a side and keep the relative spread of their columns. Where the
    model embeds its inputs, how often each word occurs stands for whole numbers.

    Raises:
        Inapplicable: the inputs are no numbers, or not finite.
    """
    import keras

    words = embeds(trial.model())
    parts = []
    for one in map(np.asarray, keras.tree.flatten(x)):
        if words and one.ndim == 2 and _whole(one):
            parts.append(_scaled(_counted(one.astype(np.int64)), each=True))
        else:
            parts.append(_scaled(trial.features(_shrunk(one)), each=one.ndim <= 2))
    return np.concatenate([part / np.sqrt(max(part.shape[1], 1)) for part in parts], axis=1)


def targets_of(trial: Any, y: Any, classes: Ints | None) -> list[Target]:
    """Return the target of each output.

    Args:
        trial: the trial.
        y: targets.
        classes: the class of each of these samples, int64[n], where the trial knows it.

    Raises:
        Inapplicable: there are none, or of a form that no table has.
    """
    import keras

    leaves = [np.asarray(one) for one in keras.tree.flatten(y) if one is not None]
    if not leaves:
        raise Inapplicable("there are no targets")
    if classes is not None:
        return [_named(classes)]
    return [_target(trial, one) for one in leaves]


def answered(model: Any, x: Any, targets: list[Target], batch_size: int) -> list[Any]:
    """Return what a model says after a short training, an array for each output, in test mode or in training mode.

    In the mode that explains more: moving averages, as of batch normalization, take more steps to arrive than weights,
    and what is dropped in training is no fault of what was learned.
    """
    import keras

    def answers(training: bool) -> list[Any]:
        batches = [
            keras.tree.map_structure(lambda one, at=start: keras.ops.convert_to_tensor(one[at : at + batch_size]), x)
            for start in range(0, len(targets[0].values), batch_size)
        ]
        parts = [[np.asarray(one) for one in keras.tree.flatten(model(batch, training=training))] for batch in batches]
        return [np.concatenate(ones) for ones in zip(*parts, strict=True)]

    return max((answers(mode) for mode in (False, True)), key=lambda one: float(explained(one, targets).mean()))


def explained(predictions: list[Any], targets: list[Target]) -> Floats:
    """Return what each sample adds to the share of the targets' spread that predictions explain, float64[n].

    The mean over outputs, each with its target.

    Raises:
        Inapplicable: predictions and targets are of different forms.
    """
    if len(predictions) != len(targets):
        raise Inapplicable(f"there are {len(predictions)} outputs and {len(targets)} targets")
    parts = [_explained(one, target) for one, target in zip(predictions, targets, strict=True)]
    return np.asarray(np.mean(parts, axis=0))


def in_errors(values: Floats) -> float:
    """Return the mean of what samples add, float64[n], in units of its standard error; 0 where all add the same."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) / error if error else 0.0


def _explained(prediction: Any, target: Target) -> Floats:
    """Return the same of one output.

    Its mean is 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; of classes that is the Brier skill score, since ŷ are probabilities. 1 is
    perfect, 0 is no better than the mean.

    Raises:
        Inapplicable: prediction and target are of different forms.
    """
    guess, y = _in_form(np.asarray(prediction, np.float64), target), target.values
    guess = guess if guess.shape[1] >= y.shape[1] else np.pad(guess, ((0, 0), (0, y.shape[1] - guess.shape[1])))
    y = np.pad(y, ((0, 0), (0, guess.shape[1] - y.shape[1])))
    spread = ((y - y.mean(0)) ** 2).sum(1).mean()
    if not spread:
        raise Inapplicable("all targets are the same")
    error = ((y - guess) ** 2).sum(1) / spread
    return np.where(np.isfinite(error), 1 - np.minimum(error, _WORST), np.nan)


def _in_form(guess: Floats, target: Target) -> Floats:
    """Return predictions in the form of the target: probabilities of classes, or numbers."""
    count = len(target.values)
    flat = guess.reshape(count, -1)
    if target.classes and flat.shape[1] == 1:
        single = flat[:, 0]
        likely = (single + 1) / 2 if target.signed and np.abs(single).max() <= 1 else _probability(single)
        return np.stack([1 - likely, likely], axis=1)
    if target.classes:
        return _shares(flat)
    if flat.shape[1] != target.values.shape[1]:
        raise Inapplicable(f"a sample has {target.values.shape[1]} target numbers and {flat.shape[1]} predicted ones")
    return _probability(flat) if np.isin(target.values, (0, 1)).all() else flat


def _probability(guess: Floats) -> Floats:
    inside = guess.min() >= 0 and guess.max() <= 1
    return guess if inside else np.asarray(1 / (1 + np.exp(-np.clip(guess, -60, 60))))


def _shares(guess: Floats) -> Floats:
    """Return rows that add up to 1: softmax of those that do not."""
    if guess.min() >= 0 and np.allclose(guess.sum(1), 1, atol=1e-3):
        return guess
    powers = np.exp(guess - guess.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _whole(one: Any) -> bool:
    return one.dtype.kind in "biu" or (one.dtype.kind == "f" and np.array_equal(one, np.round(one)))


def _target(trial: Any, one: Any) -> Target:
    whole = _whole(one)
    single = one.size == len(one)
    if single and one.dtype.kind in "biu" and len(np.unique(one)) <= _CLASSES:
        return _named(one.reshape(-1).astype(np.int64))
    if whole and not single and not np.isin(one, (0, 1)).all() and one.dtype.kind != "f":
        raise Inapplicable("the targets are sequences or maps of classes, which simple models do not read")
    return Target(_finite(trial.features(_shrunk(one) if one.ndim > 2 else one)))


def _named(classes: Ints) -> Target:
    signed = bool(classes.min() == -1)
    index = (classes + 1) // 2 if signed else classes
    if index.min() < 0:
        raise Inapplicable("labels are below 0")
    return Target(np.eye(int(index.max()) + 1)[index], True, signed)


def _shrunk(one: Any) -> Any:
    """Return an array whose middle axes are averaged to at most 16 each; what does not fill a block is left out."""
    for axis in range(1, one.ndim - 1):
        factor = -(-one.shape[axis] // _SIDE)
        if factor > 1:
            kept = one.shape[axis] // factor
            cut = np.take(one, np.arange(kept * factor), axis=axis)
            one = cut.reshape(*one.shape[:axis], kept, factor, *one.shape[axis + 1 :]).mean(axis + 1)
    return one


def _counted(words: Ints) -> Floats:
    """Return how often each of the most frequent words is in each sample, float64[n, ≤ 1000]."""
    names, times = np.unique(words, return_counts=True)
    names = names[np.argsort(-times, kind="stable")[:_WORDS]]
    return np.stack([(words == name).sum(1) for name in names], axis=1).astype(np.float64)


def _scaled(table: Floats, each: bool) -> Floats:
    """Return columns of mean 0, divided by their own spread each or all by the same, and cut at 5 spreads."""
    centered = _finite(table) - table.mean(0)
    spread = centered.std(0) if each else np.full(table.shape[1], centered.std())
    return np.asarray(np.clip(centered / np.where(spread > 0, spread, 1), -5, 5))


def _finite(table: Floats) -> Floats:
    if not np.isfinite(table).all():
        raise Inapplicable("inputs or targets hold NaN or Inf, which is to be dealt with first")
    return table
