"""Relation between inputs and targets, by simple models that scikit-learn makes: is there one, and is it whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfhealth.experiments.builtin import probes
from tfhealth.experiments.builtin.tables import in_errors, inputs_of
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats, Ints

__all__ = ["EXPERIMENTS"]

_MOST = 600  # samples looked at
_FEWEST = 20  # pairs in a stretch
_NEAR = 5  # neighbors of a sample
_DEALT = 100  # times that targets are dealt out at random
_MOVES = 20  # of these times, also moved
_TIMES = 3  # as likely as its label is what contradicts it
_EQUAL = 1 - 5e-7  # float32 has no more digits
_SHIFTS = (-3, -2, -1, 1, 2, 3)


@experiment(
    *("score", "chance", "certainty", "agreement", "attached", "moved", "target_correlation"),
    doc="how well simple models foretell targets, beside the same targets dealt out at random or moved by a few rows",
)
def relation(trial: Any) -> dict[str, Any]:
    """Yield what simple models find between inputs and targets of up to 600 samples.

    `score` is the correlation of targets with the better of two foretellings: by ridge regression, fitted to four
    fifths of the samples for the last one, and by ten nearest neighbors. `chance` is its mean over 100 dealings of the
    targets, `certainty` how far it is above that, in standard deviations of these.

    `agreement` is Moran's I over five nearest neighbors: the mean of (y_i − ȳ)·(y_j − ȳ) divided by the mean of
    |y − ȳ|²; 1 where neighbors have the same target, 0 where any. `attached` is its distance from chance, as above.
    `moved` is how much better targets fit that are moved by one to three rows, in all of the data or a stretch of it,
    than dealt out ones do that are moved: in standard deviations of these. `target_correlation` is that of
    a fit's inputs, of all these samples: the largest size of the correlation of a column with the target.
    """
    rows = _stretches(trial.size)
    table, target = probes.read(trial, rows)
    near, linear = probes.neighbors(table, 2 * _NEAR), probes.ridge(table, trial.seed)

    def measured(y: Floats) -> tuple[float, float]:
        better = max(_correlation(y, linear @ y), _correlation(y, y[near].mean(1)))
        return better, _alike(y, near[:, :_NEAR])

    score, agreement = measured(target)
    dealt, shuffled = np.array([measured(target[order]) for order in _dealings(trial, len(target))]).T
    alone = _ordered(target) or _windows(trial.rows(rows)[0])
    return {
        "score": [score],
        "chance": [dealt.mean()],
        "certainty": [_apart(score, dealt)],
        "agreement": [agreement],
        "attached": [_apart(agreement, shuffled)],
        "moved": [0.0 if alone else _moved(trial, target, near[:, :_NEAR])],
        "target_correlation": [_target_correlation(trial, rows)],
    }


def _target_correlation(trial: Any, rows: Ints) -> float:
    """Return the largest |r| of a column of the inputs with a target of one number or of three classes or more.

    0 where there is one column alone, which may well be all that it takes, and where the targets are something else.
    """
    import keras

    x, y = trial.rows(rows)
    leaves = [np.asarray(one) for one in keras.tree.flatten(y) if one is not None]
    target = trial.classes[rows] if trial.classes is not None else leaves[0]
    if len(leaves) != 1 or target.size != len(target) or len(np.unique(target)) < 3:
        return 0.0
    parts = [trial.features(one) for one in keras.tree.flatten(x) if np.asarray(one).ndim <= 2]
    columns = np.concatenate([np.empty((len(target), 0)), *parts], axis=1)
    if columns.shape[1] < 2:
        return 0.0
    centered, wanted = columns - columns.mean(0), target.reshape(-1) - target.mean()
    sizes = np.linalg.norm(centered, axis=0) * np.linalg.norm(wanted)
    found = np.abs(wanted @ centered / np.where(sizes > 0, sizes, np.inf))
    if found.max() > _EQUAL:
        trial.note(f"column {int(found.argmax())} of the inputs, counted from 0, is the target, or that times a number")
    return float(min(found.max(), 1.0))


@experiment("share", "low", doc="the share of labels that a linear model and a sample's neighbors agree to contradict")
def label_noise(trial: Any) -> dict[str, Any]:
    """Yield the share of up to 600 labels that seem wrong, and the lower end of its 95 % interval.

    A logistic regression foretells each sample from the four fifths that it is not part of. A label is contradicted
    where another class is as likely by it as that class is on average for samples so labeled (Northcutt and others,
    2021), at least as likely as not and three times as likely as the label, and is the most frequent one of the ten
    nearest neighbors too. The most certain ones are told in the notes. Where labels are contradicted as often as not
    by what both are sure of, no more seldom than chance would have it, these know nothing, and nothing is said.
    """
    rows = _of_common_classes(trial)
    names, labels = np.unique(trial.classes[rows], return_inverse=True)
    table = probes.compact(inputs_of(trial, trial.rows(rows)[0]), trial.seed)
    likely = probes.foretold(table, labels, trial.seed)
    votes = np.eye(len(names))[labels][probes.neighbors(table, 2 * _NEAR)].sum(1)
    usual = np.array([likely[labels == number, number].mean() for number in range(len(names))])
    other = likely.argmax(1)
    given = likely[np.arange(len(rows)), labels]
    judged = (votes.argmax(1) == other) & (likely.max(1) >= np.maximum(usual[other], 0.5))
    _knowing(labels, other, np.flatnonzero(judged))
    wrong = np.flatnonzero(judged & (other != labels) & (likely.max(1) >= _TIMES * given))
    worst = wrong[np.argsort(given[wrong])][:8]
    if len(worst):
        told = (f"sample {rows[one]} is labeled {names[labels[one]]}, looks like {names[other[one]]}" for one in worst)
        trial.note(f"labels that are most likely wrong, by number of the sample: {'; '.join(told)}")
    share = len(wrong) / len(rows)
    return {"share": [share], "low": [share - 1.96 * math.sqrt(share * (1 - share) / len(rows))]}


def _knowing(labels: Ints, told: Ints, judged: Ints) -> None:
    """Raise where labels agree with what is said of them no more often than labels that are dealt out at random.

    Raises:
        Inapplicable: the share of agreement is not three standard errors above chance.
    """
    if not len(judged):
        return
    chance = float(np.bincount(labels, minlength=told.max() + 1)[told[judged]].mean()) / len(labels)
    error = math.sqrt(chance * (1 - chance) / len(judged))
    if not np.mean(labels[judged] == told[judged]) > chance + 3 * error:
        raise Inapplicable("simple models do not foretell these labels, so that they cannot contradict them")


def _stretches(size: int) -> Ints:
    """Return rows in order, from all over the data: all, or six stretches of a hundred."""
    if size <= _MOST:
        return np.arange(size)
    starts = np.linspace(0, size - _MOST // 6, 6).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(_MOST // 6))


def _chosen(trial: Any) -> Ints:
    """Return rows from all over the data, in random order."""
    return np.asarray(np.random.default_rng(trial.seed).permutation(trial.size)[:_MOST])


def _of_common_classes(trial: Any) -> Ints:
    """Return rows of classes that have ten samples or more among those looked at."""
    if trial.classes is None:
        raise Inapplicable("the targets are no classes of a single output")
    rows = _chosen(trial)
    names, counts = np.unique(trial.classes[rows], return_counts=True)
    common = names[counts >= 2 * _NEAR]
    if len(common) < 2:
        raise Inapplicable(f"no two classes have {2 * _NEAR} samples each")
    return np.asarray(rows[np.isin(trial.classes[rows], common)])


def _dealings(trial: Any, count: int) -> Iterator[Ints]:
    """Yield orders in which targets are dealt out at random, the same at each call."""
    generator = np.random.default_rng(trial.seed + 1)
    for number in range(_DEALT):
        if not number % 20:
            trial.check_time()
        yield generator.permutation(count)


def _apart(found: float, dealt: Floats) -> float:
    """Return how far a value is above those of dealt out targets, in standard deviations of these."""
    return float((found - dealt.mean()) / max(dealt.std(ddof=1), 1e-12))


def _alike(target: Floats, near: Ints) -> float:
    """Return Moran's I of centered targets."""
    return float((target * target[near].mean(1)).sum() / (target**2).sum())


def _correlation(one: Floats, other: Floats) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / size if size else 0.0


def _moved(trial: Any, target: Floats, near: Ints) -> float:
    """Return how much better the targets of some stretch fit when they are moved by a few rows, than dealt out ones do.

    Of seven stretches and six moves the best is taken, in standard errors, and compared with the best of the same 42
    for targets that are dealt out at random: in standard deviations of these, and 0 where it is below their mean.
    """
    stretches = list(_parts(len(target), near))
    found = _best_move(target, stretches)
    if found <= 0:  # as a rule; what chance does need not be known
        return 0.0
    dealt = [_best_move(target[order], stretches) for order in itertools.islice(_dealings(trial, len(target)), _MOVES)]
    return max(0.0, _apart(found, np.array(dealt)))


def _parts(count: int, near: Ints) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield rows, their neighbors and these neighbors' weights: of all the data, of its halves and of its quarters.

    Only neighbors in the same stretch count, as long as it has enough of them.
    """
    for parts in (1, 2, 4):
        for part in np.array_split(np.arange(count), parts):
            inside = part[4:-4]
            here = np.isin(near[inside], inside)
            some = here.any(1)
            if some.sum() >= _FEWEST:
                yield inside[some], near[inside[some]], here[some] / here[some].sum(1)[:, None]


def _best_move(target: Floats, stretches: list[tuple[Ints, Ints, Floats]]) -> float:
    """Return the most that targets gain by a move in a stretch, in standard errors."""
    most = -math.inf
    for kept, pairs, weights in stretches:
        straight = _together(target, kept, pairs, weights, 0)
        for shift in _SHIFTS:
            gain = _together(target, kept, pairs, weights, shift) - straight
            most = max(most, in_errors(gain))
    return most


def _together(target: Floats, rows: Ints, pairs: Ints, weights: Floats, shift: int) -> Floats:
    others = target[np.clip(pairs + shift, 0, len(target) - 1)]
    return np.asarray((target[rows + shift] * (others * weights[:, :, None]).sum(1)).sum(1))


def _ordered(target: Floats) -> bool:
    """Whether targets next to each other are alike: then moved ones fit too, and say nothing."""
    following = float((target[1:] * target[:-1]).sum() / (target**2).sum())
    return following * math.sqrt(len(target)) > 3


def _windows(x: Any) -> bool:
    """Whether a sample is the one before, moved on by one step: then the target of the one before is in it."""
    import keras

    arrays = [np.asarray(one) for one in keras.tree.flatten(x)]
    return any(one.ndim > 1 and one.shape[1] > 1 and np.array_equal(one[1:, :-1], one[:-1, 1:]) for one in arrays)


EXPERIMENTS: tuple[Experiment, ...] = (relation, label_noise)
