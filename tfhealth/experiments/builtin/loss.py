"""The loss: where it begins, what regularization does to it, and what it leaves the model free to fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.tensors import as_tensors
from tfhealth.experiments.confidence import interval
from tfhealth.experiments.model import Experiment, Inapplicable, experiment

__all__ = ["EXPERIMENTS"]

_NOISE = ("dropout", "noise", "augmentation")
_BLOCKS = 8
_STRENGTHS = (0.0, 1.0, 10.0)
_UNSEEN = 1e-5  # of a loss: less is lost in float32
_LOOKS, _BETWEEN = 5, 25
_STEPS, _REPEATS = 200, 3


@experiment("loss", "chance", "ratio", "low", "high", doc="the first loss, without regularization, against a guess's")
def first_loss(trial: Any) -> dict[str, Any]:
    """Yield the loss of eight batches before any step, that of a uniform guess, and their ratio with its 95 % interval.

    The clone has the model's own weights, or fresh ones where the model was trained already.
    """
    if trial.chance is None:
        raise Inapplicable("only the plain cross-entropy of one output has a known value for a guess")
    if trial.size < 2 * _BLOCKS:
        raise Inapplicable(f"there are {trial.size} samples, and it takes {2 * _BLOCKS}")
    x, y = trial.sample(1024)
    model = trial.model(fresh=trial.trained, plain=True)
    restart = trial.restart(model)
    size = min(1024, trial.size) // _BLOCKS
    losses = trial.learn(model, x, y, _BLOCKS, batch_size=size, each=lambda step: restart())
    ratios = _finite(losses) / trial.chance
    low, high = interval(ratios)
    ratio = ratios.mean()
    return {"loss": losses, "chance": [trial.chance], "ratio": [ratio], "low": [low], "high": [high]}


@experiment("loss", "penalty", "arrives", doc="the first loss with regularization at 0, 1 and 10 times its strength")
def regularization_effect(trial: Any) -> dict[str, Any]:
    """Yield three losses of one batch, the penalty at its own strength, and how much of the penalty the loss shows.

    `arrives` is the growth of the loss from strength 0 to 10 over that of the penalty, which is summed up apart: 1
    where the loss holds all of it, 0 where it holds none.
    """
    import tensorflow as tf

    strength = tf.Variable(1.0, trainable=False)
    model = trial.model(plain=_NOISE, strength=strength)
    restart = trial.restart(model)
    x, y = trial.batch(trial.batch_size)
    losses, penalties = [], []
    for times in _STRENGTHS:
        strength.assign(times)
        restart()
        penalties.append(_penalty(model, x))
        restart()
        losses.append(trial.learn(model, x, y, 1)[0])
    _finite([*losses, *penalties])
    added = penalties[-1] - penalties[0]
    if abs(added) < _UNSEEN * abs(losses[0]):
        raise Inapplicable(f"ten times the penalty is {added:.2g}, too little to be seen in a loss of {losses[0]:.3g}")
    return {"loss": losses, "penalty": [added / _STRENGTHS[-1]], "arrives": [(losses[-1] - losses[0]) / added]}


def _finite(losses: Any) -> Any:
    """Return the losses of a model that took no step, float64[n].

    Raises:
        ValueError: one is no number; what is made of it would say nothing.
    """
    if not np.all(np.isfinite(losses)):
        raise ValueError("the loss is NaN or infinite before the first step")
    return np.asarray(losses)


def _penalty(model: Any, x: Any) -> float:
    """Return the sum of all that a model adds to its loss for these inputs."""
    model(as_tensors(x), training=True)
    return math.fsum(float(np.sum(one)) for one in model.losses)


@experiment("ratio", "left", doc="gradients of the regularization against those of the data, in 100 steps")
def gradient_shares(trial: Any) -> dict[str, Any]:
    """Yield the ratio of both gradients' norms at steps 0, 25, 50, 75 and 100, and the share of the data loss left.

    The gradient of the penalty is that of the whole loss less that of the loss without penalty, on the same samples.
    """
    import tensorflow as tf

    strength = tf.Variable(1.0, trainable=False)
    model = trial.model(plain=_NOISE, strength=strength)
    restart = trial.restart(model)
    (x, y), everything = trial.sample(256), trial.sample(trial.size)
    ratios, losses = [], []
    restart()
    for look in range(_LOOKS):
        (data, loss), (whole, _) = (_gradient(model, x, y, strength, times) for times in (0.0, 1.0))
        ratios.append(np.linalg.norm(whole - data) / max(float(np.linalg.norm(data)), 1e-30))
        losses.append(loss)
        if look < _LOOKS - 1:
            trial.learn(model, *everything, _BETWEEN, order=look)
    return {"ratio": ratios, "left": np.array(losses) / losses[0]}


def _gradient(model: Any, x: Any, y: Any, strength: Any, times: float) -> tuple[Any, float]:
    """Return the gradient of the loss as one vector, float[parameters], and the loss."""
    import tensorflow as tf

    strength.assign(times)
    inputs, targets = as_tensors(x), as_tensors(y)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=inputs, y=targets, y_pred=model(inputs, training=True))
    variables = [one.value for one in model.trainable_variables]
    found = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return np.concatenate([np.ravel(tf.convert_to_tensor(one)) for one in found]), float(loss)


@experiment(
    "start", "free", "bound", "progress", "high", quick=False, doc="what the regularization lets a training reach"
)
def regularization_cost(trial: Any) -> dict[str, Any]:
    """Yield the data loss in test mode before, after 200 steps without and after 200 steps with regularization.

    Three repeats, each with other batches. `progress` is how far training came with it, as a share of how far it came
    without, -1 at least; and `high` the upper end of the 95 % interval of its mean.
    """
    if not trial.extras:
        raise Inapplicable("the model has no dropout, noise, augmentation, weight or activity regularization")
    free, bound = (trial.model(fresh=trial.trained, plain=plain) for plain in (True, False))
    restart_free = trial.restart(free)
    trial.restart(bound)
    bound.set_weights(free.get_weights())
    restart_bound = trial.restart(bound)
    everything, looked_at = trial.sample(trial.size), trial.sample(512)
    losses = []
    for order in range(_REPEATS):
        restart_free()
        start = trial.loss(free, *looked_at)
        trial.learn(free, *everything, _STEPS, order=order)
        reached = trial.loss(free, *looked_at)
        restart_bound()
        trial.learn(bound, *everything, _STEPS, order=order)
        free.set_weights(bound.get_weights())  # the loss of the data alone
        losses.append((start, reached, trial.loss(free, *looked_at)))
    begun, without, left = np.array(losses).T
    _finite(begun)
    if not np.all(begun - without > 0.1 * np.abs(begun)):
        raise Inapplicable(f"without it too, the loss falls by less than a tenth in {_STEPS} steps")
    progress = np.maximum(np.nan_to_num((begun - left) / (begun - without), nan=-1.0), -1.0)
    high = interval(progress)[1]
    return {"start": begun, "free": without, "bound": left, "progress": progress, "high": [high]}


EXPERIMENTS: tuple[Experiment, ...] = (first_loss, regularization_effect, gradient_shares, regularization_cost)
