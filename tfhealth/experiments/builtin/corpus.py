"""The model on data that are known to be solvable: digits, or generated ones, in the form of the caller's own data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.images import standard_images
from tfhealth.experiments.builtin.tables import answered, embeds, explained, in_errors, targets_of
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.series import Floats, Ints

__all__ = ["EXPERIMENTS"]

_STEPS = 300
_MOST = 1300
_CLEAR = 10.0  # standard errors: learned, and no easier images are needed
_PERIOD = 8  # numbers after which a sequence comes again
_FAVORED = 0.7  # of the words of a generated text belong to its class


@experiment(
    "loss",
    "score",
    "certainty",
    quick=False,
    doc="what the architecture learns of images that any sound network tells apart",
)
def standard_corpus(trial: Any) -> dict[str, Any]:
    """Yield the loss while a fresh clone learns for 300 steps, and the share of held out targets that it explains.

    The data take the form of the caller's: images are scaled to the size and the channels of the inputs, tables and
    sequences are mixtures of pixels, text is generated; targets are classes in the encoding in use, numbers that are
    mixtures of pixels, or the inputs again. The images are scikit-learn's digits or, where it is not installed,
    generated ones; for larger inputs those that Keras has on disk already: CIFAR-10 where they have three channels,
    and MNIST, also where 300 steps are too few for CIFAR-10. The notes say which. The optimizer is Adam at 0.001, so
    that it is the architecture and the loss that are tried. The score is 1 where held out targets are foretold
    perfectly, 0 where they are as by the mean; of classes
    it is the Brier skill score. Its certainty is that in standard errors over samples.
    """
    import keras

    if trial.batch(1)[1] is None:
        raise Inapplicable("there are no targets")
    shapes = [one.shape[1:] for one in keras.tree.flatten(trial.batch(1)[0]) if one.ndim == 4]
    tried: list[tuple[float, float, Floats]] = []
    for name, images, labels in standard_images(max(shapes, default=(0, 0, 0)), trial.seed):
        share, loss = _learned(trial, *_chosen(trial, images, labels))
        tried.append((in_errors(share), share.mean(), loss))
        trial.note(f"of {name} a share of {tried[-1][1]:.2g} is explained")
        if tried[-1][0] > _CLEAR:
            break
    certainty, score, loss = max(tried, key=lambda one: np.nan_to_num(one[0], nan=-np.inf))
    return {"loss": loss, "score": [score], "certainty": [certainty]}


def _chosen(trial: Any, images: Any, labels: Any) -> tuple[Floats, Ints]:
    """Return images float64[n, side, side, channels] of mean 0 and spread 1 in random order, and what is on them.

    There are as many classes as in the caller's data, ten at most and where there are none.
    """
    ways = 10 if trial.classes is None else int(np.clip(len(np.unique(trial.classes)), 2, 10))
    rows = np.random.default_rng(trial.seed).permutation(np.flatnonzero(labels < ways))[:_MOST]
    chosen = images[rows].astype(np.float64)
    return (chosen - chosen.mean()) / chosen.std(), labels[rows].astype(np.int64)


def _learned(trial: Any, pixels: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Return what each held out image adds to the share that is explained, and the loss before each step."""
    import keras

    x, y = trial.batch(trial.size)
    model = _with_adam(trial)
    given = [np.asarray(one) for one in keras.tree.flatten(y) if one is not None]
    inputs = [_input(model, trial.seed, np.asarray(one), pixels, labels, given) for one in keras.tree.flatten(x)]
    new_x = _like(x, inputs)
    new_y = _like(y, [_output(trial, one, x, inputs, pixels, labels) for one in keras.tree.flatten(y)])
    learned, asked = np.split(np.arange(len(labels)), [len(labels) * 3 // 4])
    taken_x, taken_y = (_of(part, learned) for part in (new_x, new_y))
    loss = trial.learn(model, taken_x, taken_y, _STEPS, batch_size=32)
    targets = targets_of(trial, _of(new_y, asked), None if trial.classes is None else _classes(trial, labels)[asked])
    return explained(answered(model, _of(new_x, asked), targets, 32), targets), loss


def _with_adam(trial: Any) -> Any:
    import keras

    try:
        return trial.model(fresh=True, optimizer=keras.optimizers.Adam(0.001))
    except TypeError:  # its own compile takes no optimizer of ours
        return trial.model(fresh=True)


def _of(structure: Any, rows: Ints) -> Any:
    import keras

    return keras.tree.map_structure(lambda one: one[rows], structure)


def _like(structure: Any, leaves: list[Any]) -> Any:
    import keras

    return keras.tree.pack_sequence_as(structure, leaves)


def _classes(trial: Any, labels: Ints) -> Ints:
    """Return labels as the caller writes them: as −1 and 1 where there is a −1."""
    return np.where(labels == 0, -1, 1) if trial.classes.min() == -1 else labels


def _input(model: Any, seed: int, like: Any, pixels: Floats, labels: Ints, targets: list[Any]) -> Any:
    """Return inputs of the shape and type of the caller's; of their range where the model scales or returns them."""
    shape = like.shape[1:]
    if like.dtype.kind not in "biuf":
        raise Inapplicable("the inputs are no numbers")
    if embeds(model) and (like.dtype.kind in "iu" or np.array_equal(like, np.round(like))):
        return _text(seed, shape, int(like.max()) + 1, labels).astype(like.dtype)
    made = _resized(pixels, shape) if len(shape) == 3 else _mixed(pixels, shape)
    if like.dtype.kind != "f" or _scales(model) or any(_same(one, like) for one in targets):
        made = np.clip(made * like.std() + like.mean(), like.min(), like.max())
    return made.astype(like.dtype if like.dtype.kind != "f" else np.float32)


def _same(one: Any, other: Any) -> bool:
    return one.shape == other.shape and np.array_equal(one, other)


def _scales(model: Any) -> bool:
    """Whether layers of the model bring its inputs to another range, so that they have to have the caller's."""
    return any(type(one).__name__ in ("Rescaling", "Normalization") for one in model._flatten_layers())


def _resized(pixels: Floats, shape: tuple[int, ...]) -> Floats:
    """Return images of these sides, the nearest pixels of the given ones; in as many channels their mean, or theirs."""
    count, side = len(pixels), pixels.shape[1]
    down, across = (np.arange(length) * side // length for length in shape[:2])
    near = pixels[:, down][:, :, across]
    return np.broadcast_to(near if near.shape[-1] == shape[2] else near.mean(-1, keepdims=True), (count, *shape))


def _mixed(pixels: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the pixels in an array of this shape: all, again and again, or as fewer mixtures of spread 1.

    Of sequences a few steps come again and again, so that nothing has to be kept in mind for long.
    """
    flat, size = pixels.reshape(len(pixels), -1), math.prod(shape)
    width = size if len(shape) < 2 else min(size, max(_PERIOD // shape[-1], 1) * shape[-1])
    if width < flat.shape[1]:
        _, _, axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
        flat = (flat - flat.mean(0)) @ axes[:width].T
        flat = flat / np.where(flat.std(0) > 0, flat.std(0), 1)
    return np.take(flat, np.arange(size) % flat.shape[1], axis=1).reshape(len(pixels), *shape)


def _text(seed: int, shape: tuple[int, ...], words: int, labels: Ints) -> Ints:
    """Return words of which most belong to the class of their text."""
    generator = np.random.default_rng(seed)
    ways = int(labels.max()) + 1
    size = (len(labels), *shape)
    favored = generator.integers(0, max(words // ways, 1), size) * ways + labels.reshape(-1, *[1] * len(shape))
    other = generator.integers(0, words, size)
    return np.where(generator.random(size) < _FAVORED, favored % words, other)


def _output(trial: Any, like: Any, x: Any, inputs: list[Any], pixels: Floats, labels: Ints) -> Any:
    """Return targets in the form of one of the caller's."""
    import keras

    like = np.asarray(like)
    if trial.classes is not None:
        one_hot = like.ndim == 2 and like.shape[1] > 1
        made = np.eye(like.shape[1])[labels] if one_hot else _classes(trial, labels).reshape(-1, *like.shape[1:])
        return made.astype(like.dtype)
    for given, own in zip(keras.tree.flatten(x), inputs, strict=True):
        if _same(given, like):
            return own
    if like.dtype.kind in "biu":
        if like.size != len(like):
            raise Inapplicable("the targets are sequences or maps of classes, in which form there are no digits")
        return (labels % max(len(np.unique(like)), 2)).reshape(-1, *like.shape[1:]).astype(like.dtype)
    numbers = _mixed(pixels, (max(math.prod(like.shape[1:]), 1),)).reshape(-1, *like.shape[1:])
    return (1 / (1 + np.exp(-numbers)) if like.min() >= 0 else numbers).astype(np.float32)


EXPERIMENTS: tuple[Experiment, ...] = (standard_corpus,)
