"""Losses of people's own, each tried alone on targets and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.slopes import along
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.packages import package_of

__all__ = ["EXPERIMENTS", "compared", "few", "is_own", "repeats"]

_LOGIT = 20.0  # as sure as float32 can tell
_SAME = 1e-4  # of the size of an answer
_SURE = 0.9  # of a class; a smoothed or clipped loss has its minimum before 1


def few(trial: Any, count: int) -> tuple[Any, Any]:
    """Return (x, y) of so many samples, or of as many as the model was built for.

    Raises:
        Inapplicable: there are not so many, or what the model answers depends on what it was asked before.
    """
    import keras

    model = trial.model()
    if any(getattr(layer, "stateful", False) for layer in model._flatten_layers(include_self=False)):
        raise Inapplicable("a stateful layer carries what it has seen from one call to the next")
    built = [one.shape[0] for one in keras.tree.flatten(getattr(model, "inputs", None) or [])]
    size = next((one for one in built if one is not None), min(count, trial.size))
    if size < 2 or size > trial.size:
        raise Inapplicable(f"it takes {max(size, 2)} samples, and there are {min(size, trial.size)}")
    samples: tuple[Any, Any] = trial.sample(size)
    return samples


def repeats(answer: Callable[[], Any]) -> bool:
    """Whether nested tensors are the same when they are asked for again, also where they are NaN."""
    import keras

    pairs = [[np.asarray(one, np.float64) for one in keras.tree.flatten(answer())] for _ in range(2)]
    return all(
        np.allclose(one, two, rtol=0, atol=_SAME * float(np.max(np.abs(one), initial=0.0)), equal_nan=True)
        for one, two in zip(*pairs, strict=True)
    )


def compared(model: Any, x: Any, y: Any, training: bool = False) -> list[tuple[Any, Any, Any]]:
    """Return (loss object, targets, predictions) of each output, as the loss receives them.

    Raises:
        Inapplicable: the model is compiled without a loss.
    """
    import keras
    import tensorflow as tf

    predictions = model(keras.tree.map_structure(tf.convert_to_tensor, x), training=training)
    if y is None or model._compile_loss is None:
        raise Inapplicable("the model is not compiled with a loss of targets and predictions")
    targets = keras.tree.map_structure(tf.convert_to_tensor, y)
    model._compile_loss(targets, predictions)  # makes the loss objects of what was compiled
    found: list[tuple[Any, Any, Any]] = []
    compiled = model._compile_loss._flat_losses
    held = list(compiled)
    compiled[:] = [one._replace(loss=_told(one.loss, found)) for one in held]
    model._compile_loss(targets, predictions)
    compiled[:] = held
    for one in held:
        one.loss.__dict__.pop("call", None)
    return found


def _told(loss: Any, found: list[tuple[Any, Any, Any]]) -> Any:
    """Return a loss that tells what its `call` receives, or its `__call__` where that is not Keras's."""
    import keras

    def call(target: Any, prediction: Any, *weight: Any) -> Any:
        found.append((loss, target, prediction))
        return own(target, prediction, *weight)

    if type(loss).__call__ is not keras.losses.Loss.__call__:
        own = loss
        return call
    own = loss.call
    loss.call = call
    return loss


def is_own(thing: Any) -> bool:
    """Whether a loss or a layer comes from elsewhere than Keras; of a wrapped function the function counts."""
    return not package_of(getattr(thing, "fn", thing)).startswith("keras")


def _own_losses(trial: Any, model: Any) -> list[tuple[Any, Any, Any]]:
    """Return losses of people's own, their targets, and predictions that belong to other samples.

    Those are of the right kind, and rarely the best.
    """
    import tensorflow as tf

    x, y = few(trial, 32)
    found = [
        (loss, target, tf.roll(prediction, 1, 0)) for loss, target, prediction in compared(model, x, y) if is_own(loss)
    ]
    if not found:
        raise Inapplicable("every loss is one of Keras's")
    return found


@experiment(
    "finite", "descent", "order", "gradient", doc="a loss of your own on extremes, along its gradient, and in disorder"
)
def custom_loss(trial: Any) -> dict[str, Any]:
    """Yield, for each loss that is not Keras's, four numbers.

    finite: the share of perfect, wrong and extreme predictions on which loss and gradient are finite. descent: how much
    of the loss a small step against its gradient takes away, over the loss; above 0 where it can go down. order: how
    far the loss of the same pairs in another order differs, over the loss. gradient: relative error against finite
    differences.
    """
    _own_losses(trial, trial.model())  # there may be none, which is known sooner without the precision
    with trial.precise() as model:
        found = [_tried(trial, *one) for one in _own_losses(trial, model)]
    return {name: [one[name] for one in found] for name in ("finite", "descent", "order", "gradient")}


def _tried(trial: Any, loss: Any, target: Any, prediction: Any) -> dict[str, float]:
    import tensorflow as tf

    cases = _cases(target, prediction)
    broken = [name for name, case in cases.items() if not _finite(loss, target, case)]
    if broken:
        trial.note(f"{_named(loss)} or its gradient is not finite on {', '.join(broken)} predictions")
    shuffled = np.random.default_rng(trial.seed).permutation(len(prediction))
    first = _value(loss, target, prediction)
    other = _value(loss, tf.gather(target, shuffled), tf.gather(prediction, shuffled))
    return {
        "finite": 1 - len(broken) / len(cases),
        "descent": _descent(loss, target, prediction),
        "order": abs(other - first) / max(abs(first), 1e-12),
        "gradient": along(lambda point: loss(target, point), prediction, trial.seed),
    }


def _named(loss: Any) -> str:
    return getattr(getattr(loss, "fn", None), "__name__", None) or type(loss).__name__


def _cases(target: Any, prediction: Any) -> dict[str, Any]:
    """Return predictions that a model of this kind can make, the worst among them."""
    import tensorflow as tf

    perfect = _perfect(target, prediction, 1.0)
    likely = {"perfect": perfect[0], "wrong": tf.roll(perfect[0], 1, 0)} if perfect else {}
    ones = tf.ones_like(prediction)
    if _is_probability(prediction):
        return {**likely, "0": 0 * ones, "1": ones}
    far = 100 * max(1.0, float(tf.reduce_max(tf.abs(prediction))))
    return {**likely, "0": 0 * ones, "large": far * ones, "large negative": -far * ones}


def _is_probability(prediction: Any) -> bool:
    return bool(np.min(prediction) >= 0 and np.max(prediction) <= 1)


def _perfect(target: Any, prediction: Any, sure: float) -> list[Any]:
    """Return predictions that say what the targets are, in each way in which it can be said; none where it cannot.

    Args:
        target: classes, rows of shares, or numbers shaped like the predictions.
        prediction: what the model predicts, which tells probabilities from other numbers.
        sure: how near to 0 and 1 the probabilities are.
    """
    import tensorflow as tf

    wanted, shape = np.asarray(target, float), tuple(prediction.shape)
    classes = shape[-1] if len(shape) > 1 else 1
    listed = wanted.shape == shape[:-1] or wanted.shape == (*shape[:-1], 1)
    if classes > 1 and listed and np.isin(wanted, np.arange(classes)).all():
        wanted = np.eye(classes)[wanted.reshape(shape[:-1]).astype(int)]
    elif wanted.size != np.size(prediction):
        return []
    wanted = wanted.reshape(shape)
    ways = [wanted]
    if len(np.unique(wanted)) == 2:  # yes or no, as shares or, where the output has no bounds, as logits
        yes = (wanted == wanted.max()).astype(float)
        exclusive = classes > 1 and (yes.sum(-1) == 1).all()
        blurred = sure * yes + (1 - sure) / (classes if exclusive else 2)
        ways = [blurred] if _is_probability(prediction) else [_LOGIT * (2 * yes - 1), wanted]
    return [tf.constant(way, prediction.dtype) for way in ways]


def _finite(loss: Any, target: Any, prediction: Any) -> bool:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = tf.reduce_mean(loss(target, prediction))
    gradient = tape.gradient(value, prediction)
    return bool(np.isfinite(value)) and (gradient is None or bool(np.isfinite(gradient).all()))


def _descent(loss: Any, target: Any, prediction: Any) -> float:
    """Return the largest relative fall of a loss over some steps against its gradient; 0 where there is no gradient."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(prediction)
        first = tf.reduce_mean(loss(target, prediction))
    gradient = tape.gradient(first, prediction)
    length = 0.0 if gradient is None else float(tf.norm(gradient))
    if not (length and np.isfinite(length) and np.isfinite(first)):
        return 0.0
    size = max(float(tf.norm(prediction)), 1e-3) / length
    before = float(first)
    after = [_value(loss, target, prediction - share * size * gradient) for share in (1e-1, 1e-2, 1e-3, 1e-4)]
    return (before - float(np.nanmin(after))) / max(abs(before), 1e-12)


@experiment("excess", doc="whether a loss of your own is lowest where predictions say what the targets are")
def perfect_prediction(trial: Any) -> dict[str, Any]:
    """Yield, for each loss that is not Keras's, how far right predictions are above the lowest loss of all tried.

    In units of the range of all, from 0 for a sound loss to 1, also where nothing tells them apart. Tried beside them:
    those of other samples, the model's, the mean, and, for numbers, the same moved and scaled.
    """
    found = []
    for loss, target, prediction in _own_losses(trial, trial.model()):
        ways = _perfect(target, prediction, _SURE)
        if not ways:
            raise Inapplicable(f"targets of shape {target.shape} do not say which prediction {_named(loss)} wants")
        found.append(min(_excess(loss, target, prediction, right) for right in ways))
    return {"excess": found}


def _excess(loss: Any, target: Any, prediction: Any, right: Any) -> float:
    values = np.array([_value(loss, target, one) for one in (right, *_others(target, prediction, right))])
    first, finite = values[0], values[np.isfinite(values)]
    if not np.isfinite(first) or not np.ptp(finite):
        return 1.0
    return float((first - finite.min()) / np.ptp(finite))


def _others(target: Any, prediction: Any, right: Any) -> Iterator[Any]:
    """Yield predictions that are less right."""
    import tensorflow as tf

    yield from (prediction, tf.roll(right, 1, 0), tf.reverse(right, [0]), 0 * right + tf.reduce_mean(right, 0))
    if len(np.unique(right)) > 2 and not _is_probability(prediction):
        spread = float(np.std(right))
        yield from (0.5 * right, 2 * right, -right, right + spread / 2, right - spread / 2)


def _value(loss: Any, target: Any, prediction: Any) -> float:
    import tensorflow as tf

    return float(tf.reduce_mean(loss(target, prediction)))


EXPERIMENTS: tuple[Experiment, ...] = (custom_loss, perfect_prediction)
