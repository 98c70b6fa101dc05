"""What the network makes of its inputs: of noise, of augmented ones, on their way in, and of validation samples."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import Any

import numpy as np

from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats

__all__ = ["EXPERIMENTS"]

_STEPS = 200
_BLOCKS = 10
_MOST = 1000
_ALL = 10**9
_COLUMNS = 256  # of a table; a wider one is compared as a whole
_HEARD = 200  # tensors: a recurrent layer calls its cell again and again


@experiment(
    "real", "noise", "difference", quick=False, doc="the loss on samples and on noise of the same mean and spread"
)
def random_input(trial: Any) -> dict[str, Any]:
    """Yield both losses at each of 200 steps, and how far they are apart over the second half, in standard errors.

    Noise is each number of a sample taken from another sample at random, so it has the mean, the spread and the values
    of the data, number by number; it is dealt anew in every epoch, so it cannot be learned by heart. Both trainings
    begin with the same weights and see the same targets. The difference is the mean over steps of (noise − real),
    divided by its standard error over ten blocks of steps.
    """
    x, y = trial.sample(_MOST)
    model = trial.model(fresh=True)
    again = trial.restart(model)
    real = trial.learn(model, x, y, _STEPS)
    again()
    noisy = _Noise(x, trial.seed)
    an_epoch = max(1, noisy.count // trial.batch_size)
    noise = trial.learn(model, noisy.x, y, _STEPS, each=lambda step: None if step % an_epoch else noisy.deal())
    return {"real": real, "noise": noise, "difference": [_apart(noise - real)]}


class _Noise:
    """Inputs whose numbers are dealt to other samples, in place.

    Args:
        x: inputs, NumPy arrays.
        seed: of the dealing.
    """

    def __init__(self, x: Any, seed: int) -> None:
        import keras

        self.x = keras.tree.map_structure(np.array, x)
        self._arrays = keras.tree.flatten(self.x)
        self.count = len(self._arrays[0])
        self._generator = np.random.default_rng(seed + 1)

    def deal(self) -> None:
        """Deal them anew."""
        for one in self._arrays:
            one[...] = self._generator.permuted(one, axis=0)


def _apart(difference: Floats) -> float:
    blocks = difference[_STEPS // 2 :].reshape(_BLOCKS, -1).mean(1)
    error = blocks.std(ddof=1) / math.sqrt(_BLOCKS)
    if error:
        return float(blocks.mean() / error)
    return math.copysign(math.inf, blocks.mean()) if blocks.mean() else 0.0


@experiment(
    "with_it",
    "without_it",
    "cost",
    quick=False,
    doc="the loss on samples as they are, while learning with and without augmentation",
)
def augmentation(trial: Any) -> dict[str, Any]:
    """Yield the loss on up to 256 samples in test mode after 0, 20 … 200 steps, with augmentation and without.

    Both begin with the same weights. The cost is the share of what is learned without that is not learned with it, at
    the end: (with − without) / (first − without); 1 where it ends in NaN.
    """
    if "augmentation" not in trial.extras:
        raise Inapplicable("the model has no augmentation layers; those in the map of a data set cannot be taken out")
    x, y = trial.sample(_MOST)
    shown = trial.sample(256)
    curves: list[list[float]] = []
    weights = trial.model(fresh=True).get_weights()
    for plain in ((), ("augmentation",)):
        model = trial.model(fresh=True, plain=plain)
        model.set_weights(weights)
        losses: list[float] = []

        def look(step: int, model: Any = model, losses: list[float] = losses) -> None:
            if not step % (_STEPS // _BLOCKS):
                losses.append(trial.loss(model, *shown))

        trial.learn(model, x, y, _STEPS, each=look)
        look(_STEPS)
        curves.append(losses)
    augmented, bare = curves
    learned = bare[0] - bare[-1]
    if not learned > 0:
        raise Inapplicable("without augmentation nothing is learned either in 200 steps")
    cost = (augmented[-1] - bare[-1]) / learned
    return {"with_it": augmented, "without_it": bare, "cost": [cost if math.isfinite(cost) else 1.0]}


@experiment("lost", doc="what of the inputs reaches the first layer, beside what was loaded")
def first_layer(trial: Any) -> dict[str, Any]:
    """Yield the share of each input's spread that is lost before the first layer.

    A clone predicts one batch of 64 samples, and what its layers are called with is compared with the data. Lost is
    1 − r² of the correlation with what was loaded, the mean over the columns of a table; a change of scale or of order
    loses nothing. An input of which no layer gets as many numbers as were loaded is told in the notes.
    """
    import keras

    x, _ = trial.batch(64)
    model = trial.model()
    model.run_eagerly = True
    heard = _heard_by(model)
    trial.predictions(model, x, batch_size=64)
    lost = []
    for number, one in enumerate(keras.tree.flatten(x)):
        trial.features(one[:1])  # raises for what is no number
        got = [other for other in heard if other.size == one.size]
        if not got:
            trial.note(f"input {number}: no layer gets as many numbers as were loaded, so they are not compared")
            continue
        lost.append(min(_lost(one, other) for other in got))
    if not lost:
        raise Inapplicable("the model's own code changes the shape of its inputs before the first layer")
    return {"lost": lost}


def _heard_by(model: Any) -> list[Any]:
    """Return a list that fills with the arrays that the layers of a clone are called with, in the order of calls."""
    import keras

    heard: list[Any] = []

    def listener(own: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(heard) < _HEARD:
                heard.extend(np.asarray(one) for one in keras.tree.flatten(args) if keras.ops.is_tensor(one))
            return own(*args, **kwargs)

        return call

    layers = [one for one in model._flatten_layers(include_self=False) if type(one).__name__ != "InputLayer"]
    for layer in layers:
        layer.call = listener(layer.call)
    return heard


def _lost(raw: Any, got: Any) -> float:
    """Return the share of the spread of one array that the other, of as many numbers, does not have."""
    one, other = np.asarray(raw, np.float64), np.asarray(got, np.float64)
    if not np.isfinite(other).all():
        return 1.0 if np.isfinite(one).all() else 0.0
    if one.shape == other.shape and one.ndim == 2 and one.shape[1] <= _COLUMNS:
        return float(_unlike(one, other).mean())
    one, other = one.reshape(-1, 1), other.reshape(-1, 1)
    return float(min(_unlike(one, other)[0], _unlike(np.sort(one, axis=0), np.sort(other, axis=0))[0]))


def _unlike(one: Floats, other: Floats) -> Floats:
    """Return 1 − r² of each column that varies with the column of the other that is most like it, float64[columns]."""
    varying = one.std(0) > 0
    if not varying.any():
        return np.zeros(1)
    left, right = (part - part.mean(0) for part in (one[:, varying], other))
    norms = np.linalg.norm(left, axis=0)[:, None] * np.linalg.norm(right, axis=0)
    return np.asarray(1 - ((left.T @ right / np.where(norms > 0, norms, np.inf)) ** 2).max(1))


@experiment("shared", "usual", "surplus", "size", doc="validation samples that are training samples too")
def split_leak(trial: Any) -> dict[str, Any]:
    """Yield which share of the validation samples is equal to a training sample, and how large validation is.

    Samples are equal where all their inputs are. `usual` is the share of training samples that equal another one, as
    in a small table; `surplus` the lower end of the 95 % interval of what is shared beyond that; `size` the share of
    all samples that validation has.
    """
    held_out = trial.validation(_ALL)
    if held_out is None:
        raise Inapplicable("no validation data was given: preflight(…, validation_data=…)")
    known, asked = _keys(trial.batch(trial.size)[0]), _keys(held_out[0])
    counts = Counter(known)
    shared = sum(key in counts for key in asked) / len(asked)
    usual = sum(counts[key] > 1 for key in known) / len(known)
    error = math.sqrt(shared * (1 - shared) / len(asked) + usual * (1 - usual) / len(known))
    share = len(asked) / (len(asked) + len(known))
    return {"shared": [shared], "usual": [usual], "surplus": [shared - usual - 1.96 * error], "size": [share]}


def _keys(x: Any) -> list[bytes]:
    """Return what tells samples apart, floats to the precision in which they are computed with."""
    import keras

    arrays = [np.asarray(one) for one in keras.tree.flatten(x)]
    plain = [one.astype(np.float32 if one.dtype.kind in "biuf" else np.str_).reshape(len(one), -1) for one in arrays]
    return [hashlib.blake2b(b"".join(one[row].tobytes() for one in plain)).digest() for row in range(len(plain[0]))]


EXPERIMENTS: tuple[Experiment, ...] = (first_layer, split_leak, random_input, augmentation)
