"""A model -> which network of `keras.applications` it is or holds, and what that network takes as input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tfhealth.capture.initializers import initializer_of, looks_drawn
from tfhealth.capture.layers import layers_below
from tfhealth.series import Attribute

__all__ = ["backbone_facts"]

_DRAWN_SHARE = 0.9  # of the kernels of a model that was never trained; four standard errors are exceeded now and then

_INPUTS = {
    "caffe": r"ResNet\d+$|VGG",
    "unit": r"ResNet\d+V2|Inception|Xception|MobileNet(V2)?$|NASNet",
    "standard": r"DenseNet",
    "raw": r"EfficientNet|ConvNeXt|MobileNetV3",
}
"""Kinds of input: 0 to 255 less the means of ImageNet; -1 to 1; of about unit variance; 0 to 255, scaled inside."""

_LAYERS = {
    "conv5_block32_concat": "DenseNet201",
    "conv5_block16_concat": "DenseNet121",
    "block5_conv4": "VGG19",
    "block5_conv3": "VGG16",
    "conv5_block3_preact_bn": "ResNet50V2",
    "conv4_block36_1_conv": "ResNet152",
    "conv4_block23_1_conv": "ResNet101",
    "conv5_block3_1_conv": "ResNet50",
    "block_16_project": "MobileNetV2",
    "conv_pw_13": "MobileNet",
    "block14_sepconv2": "Xception",
    "mixed10": "InceptionV3",
    "block7a_project_conv": "EfficientNetB0",
}
"""A layer by which a network is known whose outputs became part of another model; the first one that is there."""


def backbone_facts(layers: Sequence[Any]) -> dict[str, Attribute]:
    """Return which network of `keras.applications` is among `layers` or made of them, its input and its weights."""
    name, own = _found(layers)
    if name is None:
        return {"backbone": None, "backbone_input": "none", "backbone_weights": None}
    kind = next((kind for kind, names in _INPUTS.items() if re.match(names, name)), None)
    return {"backbone": name, "backbone_input": kind, "backbone_weights": _weights(own)}


def _found(layers: Sequence[Any]) -> tuple[str | None, Iterable[Any]]:
    """Return the name of a network and its layers; it is known by its name, e.g. mobilenetv2_1.00_224, or a layer's."""
    known = sorted((name for name in dir(keras.applications) if name[0].isupper()), key=len, reverse=True)
    for layer in layers:
        if isinstance(layer, keras.Model):
            called = re.sub(r"[^a-z0-9]", "", str(layer.name).lower())
            for name in known:
                if called.startswith(name.lower()):
                    return name, [one for one, _ in layers_below(layer)]
    names = {str(layer.name) for layer in layers}
    return next((name for layer, name in _LAYERS.items() if layer in names), None), layers


def _weights(layers: Iterable[Any]) -> str | None:
    """Return `random` where the kernels are as initializers draw them, `random and frozen` or `loaded`; else None."""
    kernels = [
        (variable, layer) for layer in layers for variable in layer._trainable_variables if variable.name == "kernel"
    ]
    drawn = [looks_drawn(variable, initializer_of(variable, layer)) for variable, layer in kernels]
    judged = [one for one in drawn if one is not None]
    if not judged:
        return None
    if sum(judged) < _DRAWN_SHARE * len(judged):
        return "loaded"
    learning = sum(variable.trainable for variable, _ in kernels)  # a head on top of it is among them
    return "random" if learning > (1 - _DRAWN_SHARE) * len(kernels) else "random and frozen"
