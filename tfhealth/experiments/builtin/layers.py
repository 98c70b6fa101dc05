"""Layers of people's own, each tried alone on what it receives in the model."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.own import few, is_own
from tfhealth.experiments.builtin.slopes import along, leak
from tfhealth.experiments.model import Experiment, Inapplicable, experiment

__all__ = ["EXPERIMENTS"]

_STATISTICS = ("gradient", "leak", "restored", "randomness", "scale")
_WORTH_NAMING = 1e-3
_CALLS = 16


@experiment(*_STATISTICS, doc="layers of your own: gradient, samples, saving, chance and training mode, each alone")
def custom_layers(trial: Any) -> dict[str, Any]:
    """Yield five numbers for each layer that is not Keras's, in the order in which they are called.

    gradient: relative error against finite differences, in the inputs and the weights. leak: the share of other samples
    in the gradient of one sample's output. restored: how far the output of one made from the configuration, with the
    same weights, differs. randomness: two calls in test mode. The last two are the largest difference over the spread
    of the output. scale: the slope of outputs in training mode on those in test mode, the mean of 16; 1 where the layer
    has a state that training changes. Of a layer that is random in test mode nothing can be compared: restored and
    scale are NaN.
    """
    if not any(is_own(layer) for layer in trial.model()._flatten_layers(include_self=False)):
        raise Inapplicable("every layer is one of Keras's")
    x, _ = few(trial, 7)
    with trial.precise() as model:
        found = [(layer, _tried(trial, layer, args, kwargs)) for layer, args, kwargs in _calls(model, x)]
    if not found:
        raise Inapplicable("no layer of your own is called by the model")
    for name in _STATISTICS[:-1]:
        layer, worst = max(found, key=lambda pair: np.nan_to_num(pair[1][name]))
        if worst[name] > _WORTH_NAMING:
            trial.note(f"{name} is largest at the layer {layer.name} ({type(layer).__name__}): {worst[name]:.2g}")
    return {name: [numbers[name] for _, numbers in found] for name in _STATISTICS}


def _calls(model: Any, x: Any) -> list[tuple[Any, Any, Any]]:
    """Return (layer, arguments, named arguments) of the first call of each layer of people's own, in test mode."""
    import keras

    found: dict[int, tuple[Any, Any, Any]] = {}
    own = [layer for layer in model._flatten_layers(include_self=False) if is_own(layer)]
    for layer in own:
        layer.call = _kept(layer, found)
    try:
        model(keras.tree.map_structure(keras.ops.convert_to_tensor, x), training=False)
    finally:
        for layer in own:
            del layer.call
    return list(found.values())


def _kept(layer: Any, found: dict[int, tuple[Any, Any, Any]]) -> Any:
    own = layer.call

    @functools.wraps(own)
    def call(*args: Any, **kwargs: Any) -> Any:
        found.setdefault(id(layer), (layer, args, {name: one for name, one in kwargs.items() if name != "training"}))
        return own(*args, **kwargs)

    return call


def _tried(trial: Any, layer: Any, args: Any, kwargs: Any) -> dict[str, float]:
    trial.check_time()

    def called(training: bool = False, one: Any = layer) -> Any:
        return one(*args, **kwargs, training=training)

    first, again = called(), called()
    randomness = _apart(first, again)
    repeated = randomness <= _WORTH_NAMING
    return {
        "gradient": _gradient_error(trial, layer, args, kwargs),
        "leak": leak(called, _tensors(args, kwargs), 0),
        "restored": _restored(trial, layer, lambda one: called(one=one), first) if repeated else np.nan,
        "randomness": randomness,
        "scale": _scale(layer, first, lambda: called(True)) if repeated else np.nan,
    }


def _tensors(*structures: Any) -> list[Any]:
    import keras
    import tensorflow as tf

    return [one for one in keras.tree.flatten(structures) if tf.is_tensor(one)]


def _gradient_error(trial: Any, layer: Any, args: Any, kwargs: Any) -> float:
    """Return the largest error of the layer's derivatives in its inputs and its weights."""
    import keras

    flat = keras.tree.flatten((args, kwargs))
    variables = (layer.trainable_variables, layer.non_trainable_variables)
    trained, others = ([one.value for one in part] for part in variables)

    def of_input(place: int) -> Any:
        def function(point: Any) -> Any:
            moved = [point if index == place else one for index, one in enumerate(flat)]
            own_args, own_kwargs = keras.tree.pack_sequence_as((args, kwargs), moved)
            return _joined(layer(*own_args, **own_kwargs, training=False))

        return function

    def of_weight(place: int) -> Any:
        def function(point: Any) -> Any:
            moved = [point if index == place else one for index, one in enumerate(trained)]
            return _joined(layer.stateless_call(moved, others, *args, **kwargs, training=False)[0])

        return function

    floats = [place for place, one in enumerate(flat) if hasattr(one, "dtype") and "float" in str(one.dtype)]
    errors = [along(of_input(place), flat[place], trial.seed) for place in floats]
    errors += [along(of_weight(place), one * 1, trial.seed) for place, one in enumerate(trained)]
    return max(errors, default=0.0)


def _joined(structure: Any) -> Any:
    """Return all numbers of nested tensors as one tensor."""
    import keras
    import tensorflow as tf

    return tf.concat([tf.reshape(one, [-1]) for one in keras.tree.flatten(structure)], 0)


def _restored(trial: Any, layer: Any, called: Any, expected: Any) -> float:
    """Return how far a layer made from the configuration differs; 1, with a note, where none can be made."""
    try:
        twin = type(layer).from_config(layer.get_config())
        called(twin)  # builds it
        twin.set_weights(layer.get_weights())
        return _apart(expected, called(twin))
    except Exception as error:
        trial.note(f"{layer.name} cannot be made from its configuration: {type(error).__name__}: {error}")
        return 1.0


def _apart(one: Any, other: Any) -> float:
    """Return the largest difference between two outputs over the spread of the first, or over its size."""
    first, second = (np.asarray(_joined(structure), np.float64) for structure in (one, other))
    size = max(float(first.std()), 1e-3 * float(np.abs(first).max()), 1e-12)
    return float(np.abs(first - second).max()) / size


def _scale(layer: Any, tested: Any, trained: Any) -> float:
    """Return the least squares slope of outputs in training mode on those in test mode."""
    if any(not isinstance(one.path, str) or "seed" not in one.path for one in layer.non_trainable_variables):
        return 1.0
    expected = np.asarray(_joined(tested), np.float64)
    size = float(expected @ expected)
    if not size:
        return 1.0
    return float(np.mean([np.asarray(_joined(trained()), np.float64) @ expected / size for _ in range(_CALLS)]))


EXPERIMENTS: tuple[Experiment, ...] = (custom_layers,)
