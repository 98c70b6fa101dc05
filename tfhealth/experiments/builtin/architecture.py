"""What stands in the way of learning: too hard a task, too small a network, an extra too many; short trainings tell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.own import compared
from tfhealth.experiments.builtin.tensors import as_tensors
from tfhealth.experiments.model import Experiment, Inapplicable, experiment

__all__ = ["EXPERIMENTS"]

_STEPS = 200
_SAMPLES = 256
_BLOCKS = 10
_WIDER = 4
_LEARNED = 0.9  # of the loss left is less than this


@experiment(
    "whole",
    "whole_most",
    "easier",
    "easier_least",
    "easier_most",
    quick=False,
    doc="what is learned of all classes and of only two in 200 steps each",
)
def two_classes(trial: Any) -> dict[str, Any]:
    """Yield the skill on 256 training samples, of all classes and of the two most frequent ones alone.

    Skill is (share answered rightly − share of the most frequent class) / (1 − that share): 0 for a guess, 1 for all.
    `most` and `least` are the ends of its 95 % confidence interval. Without dropout, noise and regularization.
    """
    classes = trial.classes
    if classes is None or len(np.unique(classes)) < 3:
        raise Inapplicable("the targets are not three classes or more, of which two could be taken")
    two = np.argsort(-np.bincount(classes - classes.min()), kind="stable")[:2] + classes.min()
    model = trial.model(fresh=True, plain=True)
    back = trial.restart(model)
    whole = _skill(trial, model, np.arange(len(classes)))
    back()
    easier = _skill(trial, model, np.flatnonzero(np.isin(classes, two)))
    trial.note(f"the two classes that were tried alone: {two[0]} and {two[1]}")
    return {
        "whole": [whole[0]],
        "whole_most": [sum(whole)],
        "easier": [easier[0]],
        "easier_least": [easier[0] - easier[1]],
        "easier_most": [sum(easier)],
    }


def _skill(trial: Any, model: Any, rows: Any) -> tuple[float, float]:
    """Return the skill of a model after a training on these rows, and half of the width of its confidence interval."""
    import keras

    chosen = np.random.default_rng(trial.seed).permutation(rows)[:_SAMPLES]
    x, y = trial.rows(chosen)
    wanted = trial.classes[chosen]
    trial.learn(model, x, y, _STEPS)
    modes = (False, True)  # in one moving averages may not have arrived, in the other a layer may drop something
    answers = [np.asarray(keras.tree.flatten(model(as_tensors(x), training=mode))[0]) for mode in modes]
    if answers[0].ndim != 2 or answers[0].shape[1] < 2:
        raise Inapplicable(f"an output of shape {answers[0].shape[1:]} is no choice among classes")
    right = max(float(np.mean(answer.argmax(1) == wanted)) for answer in answers)
    guess = float(np.unique(wanted, return_counts=True)[1].max() / len(wanted))
    width = 1.96 * math.sqrt(max(right * (1 - right), 1 / len(wanted)) / len(wanted))
    return (right - guess) / (1 - guess), width / (1 - guess)


@experiment(
    "together", "alone", "harm", quick=False, doc="what each output learns in 200 steps, with the others and alone"
)
def one_head(trial: Any) -> dict[str, Any]:
    """Yield, for each output with a loss, how much of its loss is left after training with all outputs, and alone.

    Over the loss before; harm is the first less the second. Without dropout, noise and regularization.
    """
    x, y = trial.sample(_SAMPLES)
    model = trial.model(fresh=True, plain=True)
    back = trial.restart(model)
    before = _heads(model, x, y)
    if len(before) < 2:
        raise Inapplicable("there is only one output with a loss, and nothing to leave out")
    weights = _weigh(model)
    given = [float(one) for one in weights]

    def left(kept: Any) -> Any:
        back()
        for place, weight in enumerate(weights):
            weight.assign(given[place] if place in kept else 0.0)
        trial.learn(model, x, y, _STEPS)
        return _all_if_lost(_heads(model, x, y) / np.maximum(np.abs(before), 1e-12))

    together = left(range(len(before)))
    alone = np.array([left([head])[head] for head in range(len(before))])
    worst = int((together - alone).argmax())
    trial.note(f"output {worst}: {together[worst]:.0%} of its loss is left beside the others, {alone[worst]:.0%} alone")
    return {"together": together, "alone": alone, "harm": together - alone}


def _weigh(model: Any) -> list[Any]:
    """Make the weights of a clone's losses variables, so that one compiled step does for all of them; return these."""
    import tensorflow as tf

    held = model._compile_loss._flat_losses
    weights = [tf.Variable(1.0 if one.loss_weights is None else one.loss_weights, dtype=one.loss.dtype) for one in held]
    held[:] = [one._replace(loss_weights=weight) for one, weight in zip(held, weights, strict=True)]
    return weights


def _heads(model: Any, x: Any, y: Any) -> Any:
    return np.array([float(np.mean(loss(*pair))) for loss, *pair in compared(model, x, y, training=True)])


@experiment(
    "own",
    "wider",
    "left",
    "better",
    "beyond",
    "fall",
    "certainty",
    quick=False,
    doc="the loss on 256 samples over 400 steps, of the model and of one four times as wide",
)
def wider_twin(trial: Any) -> dict[str, Any]:
    """Yield both losses by step, without regularization, and numbers about their ends.

    left: the model's last loss over its first. better: the share of the model's last loss that the wider one does not
    have. beyond: the same on samples that neither was trained on, as many. fall: what the model's loss still lost from
    the third quarter to the last, over the latter; near 0 it has arrived. certainty: the difference of the last
    quarters over its standard error, by ten blocks of steps.
    """
    wide, model = (trial.model(fresh=True, plain=True, wider=times) for times in (_WIDER, 1))
    half = min(_SAMPLES, trial.size // 2)
    if not half:
        raise Inapplicable("there is one sample, and none to try on what was learned of it")
    x, y = trial.sample(2 * half)
    seen, unseen = (_rows((x, y), part) for part in (slice(half), slice(half, None)))
    own, wider = (trial.learn(one, *seen, 2 * _STEPS) for one in (model, wide))
    outside = [_data_loss(one, *unseen) for one in (model, wide)]
    third, last, others = own[_STEPS : -_STEPS // 2], own[-_STEPS // 2 :], wider[-_STEPS // 2 :]
    size = max(abs(float(last.mean())), 1e-12)
    blocks = (last - others).reshape(_BLOCKS, -1).mean(1)
    error = max(float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS), 1e-12)
    return {
        "own": own,
        "wider": wider,
        "left": [float(last.mean()) / max(abs(float(own[0])), 1e-12)],
        "better": [float(last.mean() - others.mean()) / size],
        "beyond": [(outside[0] - outside[1]) / max(abs(outside[0]), 1e-12)],
        "fall": [float(third.mean() - last.mean()) / size],
        "certainty": [float(blocks.mean()) / error],
    }


@experiment("left", "lost", quick=False, doc="what is learned without extras, and as they are added back one at a time")
def extras_ladder(trial: Any) -> dict[str, Any]:
    """Yield, for the bare model and each rung, the share of the loss left after 200 steps, and what the extras cost.

    The loss is always that of the data, in training mode without dropout, noise and augmentation. `lost` is the share
    of what the bare model learned that is not learned with the extras up to this rung.
    """
    settings = _optimizer_extras(trial)
    extras = [*trial.extras, *settings]
    if not extras:
        raise Inapplicable("the model has no dropout, noise, augmentation, regularization, clipping or schedule")
    x, y = trial.sample(_SAMPLES)
    bare = trial.model(fresh=True, plain=True)
    first, weights = _data_loss(bare, x, y), bare.get_weights()

    def left_without(out: list[str]) -> float:
        changes = {key: value for name in out for key, value in settings.get(name, {}).items()}
        model = trial.model(fresh=True, plain=out, **({"optimizer": trial.optimizer(**changes)} if changes else {}))
        trial.restart(model)  # builds it
        model.set_weights(weights)
        trial.learn(model, x, y, _STEPS)
        bare.set_weights(model.get_weights())
        return _data_loss(bare, x, y) / first

    left = _all_if_lost([left_without(extras[number:]) for number in range(len(extras) + 1)])
    if not left[0] < _LEARNED:
        raise Inapplicable(f"without any extra {left[0]:.0%} of the loss is left as well: the fault lies elsewhere")
    worst = extras[int(np.diff(left).argmax())]
    told = ", ".join(f"{name} {share:.0%}" for name, share in zip(["nothing", *extras], left, strict=True))
    trial.note(f"left of the loss, each with those before it: {told}; most is lost by {worst}")
    return {"left": left, "lost": (left - left[0]) / (1 - left[0])}


def _all_if_lost(left: Any) -> Any:
    """Return shares of a loss that are left, float64[n]; where the loss is no number any more, nothing was learned."""
    return np.nan_to_num(np.asarray(left, np.float64), nan=1.0, posinf=1.0)


def _optimizer_extras(trial: Any) -> dict[str, dict[str, Any]]:
    """Return {extra: settings without it} of the extras that the optimizer has."""
    optimizer = trial.model().optimizer
    given = getattr(optimizer, "inner_optimizer", optimizer).get_config()
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if given.get(name)]
    found: dict[str, dict[str, Any]] = {}
    if given.get("weight_decay"):
        found["weight decay"] = {"weight_decay": 0.0}
    if clips:
        found["gradient clipping"] = dict.fromkeys(clips)
    if not isinstance(given["learning_rate"], float):
        found["learning rate schedule"] = {"learning_rate": trial.learning_rate}
    return found


def _data_loss(model: Any, x: Any, y: Any) -> float:
    """Return the loss of a model without extras, in training mode: there moving averages need not have arrived."""
    inputs, targets = as_tensors(x), None if y is None else as_tensors(y)
    return float(model.compute_loss(x=inputs, y=targets, y_pred=model(inputs, training=True)))


def _rows(structure: Any, part: slice) -> Any:
    import keras

    return keras.tree.map_structure(lambda one: None if one is None else one[part], structure)


EXPERIMENTS: tuple[Experiment, ...] = (two_classes, one_head, wider_twin, extras_ladder)
