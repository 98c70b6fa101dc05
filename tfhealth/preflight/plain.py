"""A clone -> the same without what makes learning by heart harder: dropout, noise, augmentation, regularization."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["plainly"]

_NOISY = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)


def plainly(clone: Any) -> list[str]:
    """Take regularization out of a clone, for good; return the names of what was taken out, each once.

    Loss that a layer adds in its own `call` stays: nobody but the layer knows what it is for.
    """
    taken: dict[str, None] = {}
    for layer in clone._flatten_layers():  # Keras has no public way to reach the layers inside of layers
        taken |= dict.fromkeys(_without(layer))
    for variable in clone.trainable_variables:
        if getattr(variable, "regularizer", None) is not None:
            variable.regularizer = None
            taken["weight regularization"] = None
    return list(taken)


def _without(layer: Any) -> list[str]:
    found = []
    if isinstance(layer, _NOISY):
        name = "rate" if hasattr(layer, "rate") else "stddev"
        if getattr(layer, name):
            setattr(layer, name, 0)
            found.append(type(layer).__name__)
    for name in ("dropout", "recurrent_dropout"):  # of recurrent cells and of attention
        if isinstance(getattr(layer, name, None), float) and getattr(layer, name) > 0:
            setattr(layer, name if _settable(layer, name) else f"_{name}", 0.0)
            found.append(name)
    if getattr(layer, "activity_regularizer", None) is not None:
        layer.activity_regularizer = None
        found.append("activity regularization")
    if _augments(layer):
        _only_inference(layer)
        found.append(type(layer).__name__)
    return found


def _settable(layer: Any, name: str) -> bool:
    found = getattr(type(layer), name, None)
    return not isinstance(found, property) or found.fset is not None


def _augments(layer: Any) -> bool:
    """Whether a layer of Keras's changes images at random while training."""
    return type(layer).__module__.startswith("keras.src.layers.preprocessing") and type(layer).__name__.startswith(
        ("Random", "AutoContrast", "AugMix", "CutMix", "MixUp", "RandAugment", "Pipeline")
    )


def _only_inference(layer: Any) -> None:
    own = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        return own(*args, **{**kwargs, "training": False})

    layer.call = call
