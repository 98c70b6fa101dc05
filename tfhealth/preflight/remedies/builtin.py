"""The remedies that can be tried, every one once: a function that changes a setup, and the rules that advise it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.experiments.builtin.optimizer import suggested_rate
from tfhealth.preflight.clones import layered
from tfhealth.preflight.plain import plainly
from tfhealth.preflight.remedies.model import Remedy, Setup
from tfhealth.preflight.remedies.outputs import fitted, last_layers

__all__ = ["IN_ORDER", "REMEDIES"]

IN_ORDER = ("data.shuffled", "DATA018")
"""Rules and rows whose findings mean that the samples are not shuffled: clones without a remedy take them in order."""

_SYMPTOMS = ("gold.overfit-tiny", "loss.at-chance", "loss.decreases")


def _rate(setup: Setup) -> str:
    rate = float(f"{suggested_rate(setup.trial):.2g}")
    in_use = setup.trial.learning_rate
    if in_use > 0 and 0.5 < rate / in_use < 2:
        raise Inapplicable(f"the learning rate in use, {in_use:.2g}, is near the {rate:g} that a range test suggests")
    setup.changes["optimizer"] = setup.trial.optimizer(learning_rate=rate)
    return f"`learning_rate={rate:g}`"


def _label_shape(setup: Setup) -> str:
    target = np.asarray(setup.y)
    if target.ndim != 1:
        raise Inapplicable(f"the labels have the shape {target.shape}, and not (n,)")
    setup.y = target[:, None]
    return "giving the labels the shape (n, 1)"


def _inputs(setup: Setup) -> str:
    arrays = keras.tree.flatten(setup.x)
    if not any(_off_scale(one) for one in arrays):
        raise Inapplicable("the inputs are no numbers on another scale than 0 ± 1")
    setup.x = keras.tree.map_structure(lambda one: _standardized(one) if _off_scale(one) else one, setup.x)
    return "standardizing the inputs"


def _off_scale(one: Any) -> bool:
    """Whether an array of inputs is numbers, no indices, and some feature is not near 0 ± 1."""
    if one.dtype.kind != "f" and one.dtype != np.uint8:
        return False
    mean, spread = _moments(one)
    return bool(np.any(np.abs(mean) > 0.5) or np.any((spread > 2) | ((spread < 0.5) & (spread > 0))))


def _moments(one: Any) -> tuple[Any, Any]:
    axes = tuple(range(one.ndim - 1)) if one.ndim > 1 else 0
    values = one.astype(np.float64)
    return values.mean(axes), values.std(axes)


def _standardized(one: Any) -> Any:
    mean, spread = _moments(one)
    return ((one - mean) / np.where(spread > 0, spread, 1)).astype(np.float32)


def _targets(setup: Setup) -> str:
    if any(one is None or one.dtype.kind not in "iuf" for one in keras.tree.flatten(setup.y)):
        raise Inapplicable("the targets are no numbers")
    setup.y = keras.tree.map_structure(lambda one: _standardized(np.asarray(one)), setup.y)
    return "standardizing the targets"


def _initializers(setup: Setup) -> str:
    drawn = 0
    for number, variable in enumerate(setup.model.trainable_variables):
        role = variable.path.rsplit("/")[-1]
        if role in _DRAWN:
            variable.assign(_DRAWN[role](seed=setup.trial.seed + number)(variable.shape, variable.dtype))
            drawn += 1
        elif role == "bias" and len(variable.shape) == 1 and "cell" not in variable.path:
            variable.assign(keras.ops.zeros_like(variable))
    if not drawn:
        raise Inapplicable("the model has no kernel that may change")
    return "drawing the weights with Keras's own initializers"


_DRAWN: dict[str, Any] = {
    "kernel": keras.initializers.GlorotUniform,
    "recurrent_kernel": keras.initializers.Orthogonal,
    "embeddings": keras.initializers.RandomUniform,
}


def _clipping(setup: Setup) -> str:
    setup.changes["optimizer"] = setup.trial.optimizer(global_clipnorm=1.0, clipnorm=None, clipvalue=None)
    return "`global_clipnorm=1.0`"


def _defaults(setup: Setup) -> str:
    optimizer = setup.original.optimizer
    setup.changes["optimizer"] = type(optimizer)(learning_rate=setup.trial.learning_rate)
    return f"{type(optimizer).__name__} with its own defaults"


def _leaky(setup: Setup) -> str:
    _reactivated(setup, ("relu",), keras.activations.leaky_relu)
    return '`activation="leaky_relu"`'


def _relu(setup: Setup) -> str:
    _reactivated(setup, ("sigmoid", "tanh", "hard_sigmoid"), keras.activations.relu)
    return '`activation="relu"`'


def _reactivated(setup: Setup, names: tuple[str, ...], activation: Any) -> None:
    """Put another activation in place of these in every hidden layer but recurrent ones."""
    if not layered(setup.model):
        raise Inapplicable(
            f"which layers of {type(setup.model).__name__} are hidden is not known, since it is subclassed"
        )
    outputs = list(last_layers(setup.model))
    inner = [one for one in setup.model._flatten_layers() if one not in outputs]
    hidden = [one for one in inner if "activation" in vars(one) and getattr(one.activation, "__name__", "") in names]
    rectifying = [one for one in inner if isinstance(one, keras.layers.ReLU) and "relu" in names]
    if not hidden and not rectifying:
        raise Inapplicable(f"no hidden layer has the activation {' or '.join(names)}")
    for layer in hidden:
        layer.activation = activation
    for layer in rectifying:
        layer.negative_slope = _SLOPE


_SLOPE = 0.2  # of Keras's leaky_relu


def _unregularized(setup: Setup) -> str:
    taken = plainly(setup.model)
    if not taken:
        raise Inapplicable("the model has no dropout, noise, augmentation or penalty")
    return f"taking out {' and '.join(taken)}"


def _shuffled(setup: Setup) -> str:
    if setup.shuffle:
        raise Inapplicable("clones get shuffled samples already")
    setup.shuffle = True
    return "shuffling"


def _balanced(setup: Setup) -> str:
    if setup.trial.classes is None:
        raise Inapplicable("the classes are not known")
    target = np.asarray(keras.tree.flatten(setup.y)[0])  # in the order of the setup, which is not that of the trial
    classes = target.argmax(1) if target.ndim == 2 and target.shape[1] > 1 else target.reshape(-1).astype(np.int64)
    counts = np.bincount(classes)
    setup.weight = len(classes) / (np.count_nonzero(counts) * np.maximum(counts, 1))[classes]
    return "weighing the classes"


def _released(setup: Setup) -> str:
    frozen = [one for one in setup.model._flatten_layers() if not one.trainable and one.weights]
    if not frozen:
        raise Inapplicable("no layer is frozen")
    for layer in frozen:
        layer.trainable = True
    setup.model.trainable = True
    return f"`trainable=True` for {len(frozen)} frozen layer{'s' if len(frozen) > 1 else ''}"


REMEDIES: tuple[Remedy, ...] = (
    Remedy("loss", ("loss.fits-task",), fitted, same_loss=False, symptoms=_SYMPTOMS),
    Remedy("label_shape", ("LOSS021",), _label_shape, same_loss=False),
    Remedy("standardized_inputs", ("data.standardized", "data.mean-centered"), _inputs, symptoms=_SYMPTOMS),
    Remedy("standardized_targets", ("data.target-scale",), _targets, same_loss=False),
    Remedy("released_layers", ("ARCH002", "ARCH004"), _released, symptoms=_SYMPTOMS),
    Remedy("initializers", ("init.symmetry", "init.signal-by-depth", "init.weight-variance", "INIT006"), _initializers),
    Remedy("clipping", ("grad.exploding", "OPT003"), _clipping),
    Remedy("leaky_relu", ("act.dead-relu", "OPT004"), _leaky),
    Remedy("relu", ("act.saturated", "GRAD001"), _relu),
    Remedy(
        "no_regularization",
        ("loss.regularization-dominates", "loss.gradient-dominated", "loss.underfit-regularized", "data.augmentation"),
        _unregularized,
    ),
    Remedy("shuffling", IN_ORDER, _shuffled),
    Remedy("class_weights", ("data.class-balance", "data.rebalancing"), _balanced, same_loss=False),
    Remedy("optimizer_defaults", ("OPT010", "OPT011", "OPT012"), _defaults),
    Remedy(
        "learning_rate",
        ("opt.learning-rate", "opt.hyperparameters", "grad.update-ratio", "OPT013"),
        _rate,
        symptoms=_SYMPTOMS,
    ),
)
