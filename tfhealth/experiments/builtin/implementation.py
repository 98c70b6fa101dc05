"""Is it built right: samples kept apart, sizes free of each other, gradients that are slopes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.own import compared, few, repeats
from tfhealth.experiments.builtin.slopes import Slope, leak, slope_error
from tfhealth.experiments.builtin.tensors import as_tensors
from tfhealth.experiments.model import Experiment, Inapplicable, experiment

__all__ = ["EXPERIMENTS"]

_PRIME = 7  # samples; no other axis is likely to be as long or a divisor
_VARIABLES = 12
_WORTH_NAMING = 1e-3
_WORTH_LISTING = 4
_LARGE = 2_000_000  # weights of a model that is not built again, several times larger


@experiment("leak", "rows", doc="whether the answer for one sample depends on another, by gradient and by exchange")
def samples_apart(trial: Any) -> dict[str, Any]:
    """Yield what of an answer comes from other samples of a batch of seven, and rows of the outputs over the batch's.

    The leak is the larger of two: the gradient's norm in the inputs of others over that in all inputs, and the change
    of the answer when all others are exchanged, over the spread of the answers. Both are 0 for a sound model.
    """
    import keras

    x = keras.tree.map_structure(np.asarray, few(trial, _PRIME)[0])
    model, count = trial.model(), len(keras.tree.flatten(x)[0])
    outputs = keras.tree.flatten(model(as_tensors(x), training=False))
    rows = max((len(one) / count if one.shape.rank else 0.0 for one in outputs), key=lambda share: abs(share - 1))
    if rows != 1:
        return {"leak": [np.nan], "rows": [rows]}
    tensors, places = as_tensors(x), (0, count // 2)
    if not repeats(lambda: model(tensors, training=False)):
        raise Inapplicable("the same samples get another answer at every call")
    found = [leak(lambda: model(tensors, training=False), keras.tree.flatten(tensors), row) for row in places]
    found += [_by_exchange(model, x, row) for row in places]
    return {"leak": [max(found)], "rows": [rows]}


def _by_exchange(model: Any, x: Any, row: int) -> float:
    """Return by how much an answer changes when the others come in another order, over the spread of the answers."""
    import keras

    count = len(keras.tree.flatten(x)[0])
    order = [row if place == row else (2 * row - place) % count for place in range(count)]
    moved = keras.tree.map_structure(lambda one: one[order], x)
    doubled = keras.tree.map_structure(lambda one: np.where(_axis(one) == row, one, one[::-1]), x)
    answers = keras.tree.flatten(model(as_tensors(x), training=False))
    found = [0.0]
    for other in (moved, doubled):
        for one, two in zip(answers, keras.tree.flatten(model(as_tensors(other), training=False)), strict=True):
            spread = max(float(np.std(one)), 1e-3 * float(np.abs(one).max()), 1e-12)
            found.append(float(np.abs(np.asarray(one[row]) - np.asarray(two[row])).max()) / spread)
    return max(found)


def _axis(one: Any) -> Any:
    return np.arange(len(one)).reshape(-1, *[1] * (one.ndim - 1))


@experiment("coupling", "broadcast", doc="whether the loss of a batch is made of the losses of its samples")
def losses_apart(trial: Any) -> dict[str, Any]:
    """Yield how far the loss of a batch is from mean and sum of its samples' losses, over its size; the worst output.

    `broadcast` is the same where targets and predictions have unlike numbers of axes, and 0 elsewhere.
    """
    import tensorflow as tf

    x, y = few(trial, _PRIME)
    worst = {"coupling": [0.0], "broadcast": [0.0]}
    for loss, target, known in compared(trial.model(), x, y):
        prediction = tf.identity(known)  # Keras's logits and mask hang on the tensor, and a row of it has neither
        whole = float(loss(target, prediction))
        each = [float(loss(target[row : row + 1], prediction[row : row + 1])) for row in range(len(prediction))]
        apart = min(abs(whole - np.mean(each)), abs(whole - np.sum(each))) / max(abs(whole), np.abs(each).mean(), 1e-12)
        worst["coupling"] = [max(*worst["coupling"], apart)]
        if len(target.shape) != len(prediction.shape):
            worst["broadcast"] = [max(*worst["broadcast"], apart)]
    return worst


@experiment("runs", doc="whether the layers also run where axes that are equally long are made unequal")
def odd_sizes(trial: Any) -> dict[str, Any]:
    """Yield 1 where the model, built for axes 2, 3 and 5 times as long, runs; 0 where only equal ones do.

    Where it does not run on axes that are all twice as long either, its sizes are fixed, and this shows nothing.
    """
    import keras

    x, _ = trial.batch(2)
    shapes = [one.shape[1:] for one in keras.tree.flatten(x)]
    equal = {size for shape in shapes for size, times in Counter(shape).items() if times > 1 and size > 1}
    if not equal:
        raise Inapplicable("no two axes of an input are equally long: a mix-up would not run at all")
    if trial.model().count_params() > _LARGE:
        raise Inapplicable(f"the model has more than {_LARGE:,} weights, too many to build it larger")
    why = _fault(trial, x, [_scaled(shape, equal, (2, 3, 5, 7)) for shape in shapes])
    if why and _fault(trial, x, [_scaled(shape, equal, (2, 2, 2, 2)) for shape in shapes]):
        raise Inapplicable(f"its layers fit one size of input only: {why}")
    if why:
        trial.note(f"with axes of unequal length: {why}")
    return {"runs": [0 if why else 1]}


def _scaled(shape: tuple[int, ...], equal: set[int], factors: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(
        size * factor if size in equal else size for size, factor in zip(shape, factors, strict=False)
    ) + tuple(shape[len(factors) :])


def _fault(trial: Any, x: Any, shapes: list[tuple[int, ...]]) -> str:
    """Return why a model cannot be built and run for inputs of these shapes; empty where it can."""
    import keras

    try:
        inputs = [np.zeros((2, *shape), one.dtype) for shape, one in zip(shapes, keras.tree.flatten(x), strict=True)]
        trial.resized(shapes)(as_tensors(keras.tree.pack_sequence_as(x, inputs)))
    except Inapplicable:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@experiment(
    "error", "kinks", "cut", doc="how far gradients are from slopes by finite differences in float64, by variable"
)
def gradient_check(trial: Any) -> dict[str, Any]:
    """Yield the largest relative error for each of up to 12 variables, and the shares of weights in two conditions.

    At a kink finite differences disagree; `cut` is the share of all trainable variables that no gradient reaches, so
    that none can train them, whatever the slope is: it is 0 almost everywhere behind a step.

    Of each variable the weight with the largest gradient and another one are moved by 1e-5 and less, in float64,
    without dropout and in test mode: |gradient − slope| / max(|gradient|, |slope|), less what the slopes are unsure of.
    """
    import keras
    import tensorflow as tf

    x, y = (None if one is None else as_tensors(one) for one in few(trial, 8))
    with trial.precise() as model:
        if type(model).train_step is not keras.Model.train_step:
            raise Inapplicable(f"{type(model).__name__} has its own train_step(), and what that derives is not known")

        def value() -> Any:
            return model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)

        loss = tf.function(value)
        with tf.GradientTape() as tape:
            first = loss()
        if not np.isfinite(first):
            raise Inapplicable(f"the loss is {float(first)}, which has no slope")
        if not repeats(loss):
            raise Inapplicable("the loss is drawn: the same samples and weights have another one at every call")
        variables = model.trainable_variables
        gradients = tape.gradient(first, [one.value for one in variables])
        cut = _cut_off(trial, model, x, y) if any(one is None for one in gradients) else []
        share = len(cut) / max(len(variables), 1)
        return {**_checked(trial, variables, gradients, lambda: float(loss())), "cut": [share]}


def _cut_off(trial: Any, model: Any, x: Any, y: Any) -> list[str]:
    """Return the variables that no gradient reaches in training mode either, in which more may have a part."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
    found = tape.gradient(loss, [one.value for one in model.trainable_variables])
    cut = [one.path for one, gradient in zip(model.trainable_variables, found, strict=True) if gradient is None]
    if cut:
        trial.note(f"no gradient reaches {', '.join(cut[:_WORTH_LISTING])}{' …' if len(cut) > _WORTH_LISTING else ''}")
    return cut


def _checked(trial: Any, variables: Any, gradients: Any, loss: Any) -> dict[str, Any]:
    import tensorflow as tf

    generator = np.random.default_rng(trial.seed)
    pairs = [
        (one, np.zeros(one.shape) if gradient is None else np.array(tf.convert_to_tensor(gradient)))
        for one, gradient in zip(variables, gradients, strict=True)
    ]
    if not pairs:
        raise Inapplicable("nothing is trained, so that there are no gradients")
    scale = max(1e-12, 1e-4 * max(float(np.abs(gradient).max()) for _, gradient in pairs))
    errors: dict[str, Slope] = {}
    slopes: list[Slope] = []
    for place in np.unique(np.linspace(0, len(pairs) - 1, _VARIABLES).round().astype(int)):
        variable, gradient = pairs[place]
        places = {int(np.abs(gradient).argmax()), int(generator.integers(gradient.size))}
        found = [_at(trial, variable, place, gradient.reshape(-1)[place], loss, scale) for place in sorted(places)]
        errors[variable.path], slopes = max(found), [*slopes, *found]
    worst = max(errors, key=lambda path: errors[path])
    if errors[worst] > _WORTH_NAMING:
        trial.note(f"the gradient is furthest from the slope at {worst}: relative error {errors[worst]:.2g}")
    exact = all(variable.dtype == "float64" for variable, _ in pairs)  # else the differences want for digits
    kinks = float(np.mean([one.unsure for one in slopes])) if exact else 0.0
    return {"error": list(errors.values()), "kinks": [kinks]}


def _at(trial: Any, variable: Any, place: int, gradient: float, loss: Any, scale: float) -> Slope:
    """Return the error of one weight's gradient."""
    trial.check_time()
    before = np.array(variable)
    exact = before.dtype == np.float64

    def moved(distance: float) -> float:
        after = before.copy()
        after.reshape(-1)[place] += distance
        variable.assign(after)
        return float(loss())

    size = max(1.0, abs(float(before.reshape(-1)[place])))
    found = slope_error(moved, float(gradient), (1e-5 if exact else 1e-2) * size, scale, 1e-15 if exact else 1e-6)
    variable.assign(before)
    return found


EXPERIMENTS: tuple[Experiment, ...] = (samples_apart, losses_apart, odd_sizes, gradient_check)
