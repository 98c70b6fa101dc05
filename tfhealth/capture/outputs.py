"""Predictions, labels and loss of a tapped step -> sites with their attributes, and what guessing would cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras.layers import Embedding

from tfhealth.capture.behind import reads_single_samples
from tfhealth.capture.broadcasting import broadcasts
from tfhealth.capture.layers import activation_name, snake_case, weighted
from tfhealth.capture.tap import Tap
from tfhealth.packages import of_keras
from tfhealth.series import Attribute, Site

__all__ = ["LOSS_SITE", "chance", "classes", "locate"]

LOSS_SITE = Site("loss", "batch")

_SPARSE = ("sparse_categorical_crossentropy",)
_EXCLUSIVE = ("categorical_crossentropy", *_SPARSE)
_OPERATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Relu6": "relu6",
    "Tanh": "tanh",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "LeakyRelu": "leaky_relu",
    "BiasAdd": "linear",
    "MatMul": "linear",
    "BatchMatMulV2": "linear",
    "Conv2D": "linear",
}
_TRANSPARENT = ("Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient")


def locate(tap: Tap, model: Any) -> Iterator[tuple[Site, Any, dict[str, Attribute]]]:
    """Yield a prediction site and a label site for every output that the loss was computed from."""
    predictions = _by_path(tap, tap.y_pred)
    labels = _by_path(tap, tap.y)
    names = _output_names(model, list(predictions))
    compiled = _losses(model, names)
    for place, (name, (path, prediction)) in enumerate(zip(names, predictions.items(), strict=True)):
        label = _label_of(labels, path, name, place if len(labels) == len(predictions) else None)
        attributes = _prediction_attributes(prediction, label, _describe(compiled[place]))
        attributes["broadcast"] = broadcasts(prediction, label, attributes["loss"], tap)
        attributes["single_samples"] = reads_single_samples(prediction, tap)
        layer = _layer_of(prediction, tap)
        attributes["layer"] = None if layer is None else type(layer).__name__
        attributes["activation"] = activation_of(prediction) or (None if layer is None else activation_name(layer))
        attributes["inner_activation"] = activation_of(_behind(prediction))
        attributes["off_axis"] = _off_axis(prediction, tap, compiled[place])
        attributes["selective"] = _selective(prediction, compiled[place])
        attributes["form"] = _form(attributes)
        attributes["encoding"] = None if label is None else _encoding(label, attributes)
        attributes["position"] = place
        yield Site("prediction", name), prediction, attributes
        if label is not None:
            around = {"weighted": bool(tap.tensors(tap.sample_weight)), "input_rank": _input_rank(tap)}
            yield Site("label", name), label, _label_attributes(label, attributes) | around


def _input_rank(tap: Tap) -> int | None:
    """Return the largest rank, the batch among its axes, up to the first layer that learns: 3 for sequences.

    A window of a series may come flat and be given its axis of time by the model, or be flattened by it.
    """
    learning = (at for at, one in enumerate(tap.calls) if weighted(one.layer) or isinstance(one.layer, Embedding))
    ranks = [one.shape.rank for call in tap.calls[: next(learning, 0) + 1] for one in call.inputs]
    return max((rank for rank in ranks if rank is not None), default=None)


def _by_path(tap: Tap, structure: Any) -> dict[tuple[Any, ...], Any]:
    """Return the step's own tensors in a nested structure by their paths, in order."""
    return {path: one for path, one in keras.tree.flatten_with_path(structure) if tap.hears(one)}


def _label_of(labels: dict[tuple[Any, ...], Any], path: tuple[Any, ...], name: str, place: int | None) -> Any:
    """Return the label of an output: at the same path, under its name, or at the same place."""
    found = labels.get(path, labels.get((name,)))
    return list(labels.values())[place] if found is None and place is not None else found


def _output_names(model: Any, paths: list[tuple[Any, ...]]) -> list[str]:
    """Return a name for each output as Keras's logs have it: its keys, else the layer that made it."""
    if all(path and isinstance(path[-1], str) for path in paths):
        return ["/".join(str(key) for key in path) for path in paths]
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(paths):
        names = ["output"] if len(paths) == 1 else [f"output_{place}" for place in range(len(paths))]
    return names


def _losses(model: Any, names: list[str]) -> list[Any]:
    """Return the compiled loss of each output, as it was given; None where there is none."""
    compiled = getattr(model, "loss", None)
    if isinstance(compiled, dict):
        listed = [compiled.get(name) for name in names]
    elif isinstance(compiled, list | tuple):
        listed = [*compiled, *[None] * len(names)][: len(names)]
    else:
        listed = [compiled] * len(names)
    return listed


def _describe(loss: Any) -> tuple[str | None, bool | None, bool]:
    """Return the loss's name, its from_logits, and whether it averages over the batch."""
    if loss is None or (callable(loss) and getattr(loss, "__func__", None) is not None):
        return None, None, False
    try:
        found = keras.losses.get(loss) if isinstance(loss, str) else loss
    except ValueError:
        return str(loss), None, False
    if isinstance(found, keras.losses.Loss):
        logits = getattr(found, "from_logits", None)
        return snake_case(type(found).__name__), logits, found.reduction in ("sum_over_batch_size", "mean")
    return str(getattr(found, "__name__", type(found).__name__)), False if of_keras(found) else None, True


def activation_of(prediction: Any) -> str | None:
    """Return the activation that made a prediction, read from the step's graph; None where it is not known."""
    if not hasattr(prediction, "graph"):
        return None  # a step that runs eagerly has none
    tensor = _source(prediction)
    if tensor.op.type == "AddV2":  # a bias that is added by broadcasting
        return "linear"
    return _OPERATIONS.get(tensor.op.type)


def _source(tensor: Any) -> Any:
    """Return the tensor that has the same values before casts and reshapes."""
    while tensor.op.type in _TRANSPARENT and len(tensor.op.inputs):
        tensor = tensor.op.inputs[0]
    return tensor


def _behind(prediction: Any) -> Any:
    """Return what the activation of a prediction was applied to; None where no activation is seen."""
    made = activation_of(prediction)
    return None if made in (None, "linear") else _source(prediction).op.inputs[0]


def _off_axis(prediction: Any, tap: Tap, loss: Any) -> bool | None:
    """Tell whether a softmax layer made shares of another axis than the loss reads classes from; None without one."""
    softmaxes = (call for call in reversed(tap.calls) if isinstance(call.layer, keras.layers.Softmax))
    layer = next((call.layer for call in softmaxes if any(one is prediction for one in call.outputs)), None)
    rank = prediction.shape.rank
    if layer is None or not isinstance(layer.axis, int) or not rank:
        return None
    return bool(layer.axis % rank != int(_setting(loss, "axis", -1)) % rank)


def _selective(prediction: Any, loss: Any) -> bool:
    """Tell whether the loss leaves answers out by itself: those that a mask of Keras's hides, or one class."""
    masked = getattr(prediction, "_keras_mask", None) is not None
    return masked or _setting(loss, "ignore_class", None) is not None


def _setting(loss: Any, name: str, default: Any) -> Any:
    """Return an argument that one of Keras's loss classes was made with."""
    given = getattr(loss, "_fn_kwargs", {})
    return given.get(name, getattr(loss, name, default))


def _prediction_attributes(
    prediction: Any, label: Any, described: tuple[str | None, bool | None, bool]
) -> dict[str, Attribute]:
    loss, from_logits, averages = described
    units = prediction.shape[-1] if prediction.shape.rank and prediction.shape.rank > 1 else 1
    attributes: dict[str, Attribute] = {
        "units": units,
        "loss": loss,
        "from_logits": from_logits,
        "averages": averages,
        "repaired": hasattr(prediction, "_keras_logits"),
        "rank": prediction.shape.rank,
        "dtype": prediction.dtype.name,
        "shape": str(tuple(prediction.shape)),
        "label_shape": str(tuple(label.shape)) if label is not None else None,
    }
    return attributes


def _layer_of(prediction: Any, tap: Tap) -> Any:
    """Return the layer whose output the prediction is; None where it is computed from that of one."""
    for call in reversed(tap.calls):
        if any(tensor is prediction for tensor in call.outputs) and not isinstance(call.layer, keras.Model):
            return call.layer
    return None


def _label_attributes(label: Any, prediction: dict[str, Attribute]) -> dict[str, Attribute]:
    return {
        "output_activation": prediction["activation"],
        "units": prediction["units"],
        "loss": prediction["loss"],
        "rank": label.shape.rank,
        "dtype": label.dtype.name,
        "shape": str(tuple(label.shape)),
        "encoding": prediction["encoding"],
        "classes": classes(prediction),
        "one_each": _one_each(label, prediction["encoding"]),
    }


def _one_each(label: Any, encoding: Attribute) -> bool:
    """Tell whether labels are one class for each sample; in a sequence or image neighbors belong to one sample."""
    if encoding is None:
        return False
    rank = label.shape.rank
    return bool(rank == 2 if encoding == "onehot" else rank == 1 or (rank == 2 and label.shape[-1] == 1))


def _form(prediction: dict[str, Attribute]) -> str | None:
    """Return what a classification loss takes the output for, probabilities or logits; None where it is neither."""
    if prediction["from_logits"]:
        return "logits"
    return "probabilities" if prediction["activation"] in ("softmax", "sigmoid") else None


def _encoding(label: Any, prediction: dict[str, Attribute]) -> str | None:
    """Return how exclusive classes are written: index, onehot or binary; None where the loss has no such classes."""
    loss, units = prediction["loss"], prediction["units"]
    if loss in _SPARSE:
        return "index"
    if loss == "categorical_crossentropy" and units not in (None, 1) and label.shape[-1] == units:
        return "onehot"
    if loss == "binary_crossentropy" and units == 1:
        return "binary"
    return None


def classes(prediction: Mapping[str, Attribute]) -> int | None:
    """Return how many exclusive classes an output tells apart; None where there are none."""
    encoding, units = prediction["encoding"], prediction["units"]
    if encoding is None or not isinstance(units, int):
        return None
    return 2 if encoding == "binary" else units


def chance(located: list[tuple[Site, dict[str, Attribute]]], weights: bool) -> tuple[float | None, str]:
    """Return the cross-entropy of a uniform guess in nats, or None and why there is no such number.

    Args:
        located: prediction sites with attributes.
        weights: whether samples or classes are weighted, which scales the loss.
    """
    if len(located) != 1:
        return None, f"the model has {len(located)} outputs; the loss at chance is known for one"
    attributes = located[0][1]
    loss, units = attributes["loss"], attributes["units"]
    if weights:
        return None, "sample or class weights scale the loss"
    if not attributes["averages"]:
        return None, "the loss is not the plain mean over the batch"
    if loss in _EXCLUSIVE and isinstance(units, int) and units > 1:
        return math.log(units), ""
    if loss == "binary_crossentropy":
        return math.log(2), ""
    return None, f"{loss or 'a custom loss'} has no fixed value at chance"
