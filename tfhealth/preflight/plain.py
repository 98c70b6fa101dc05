"""A clone -> the same without what makes learning by heart harder: dropout, noise, augmentation, regularization."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import keras

from tfhealth.packages import of_keras

__all__ = ["EXTRAS", "plainly"]

EXTRAS = ("augmentation", "noise", "dropout", "activity regularization", "weight regularization")
"""What can be taken out, from the side of the data to that of the weights."""

_DROPPING = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
)
_NOISY = (keras.layers.GaussianDropout, keras.layers.GaussianNoise)


def plainly(clone: Any, extras: Collection[str] = EXTRAS) -> list[str]:
    """Take these extras out of a clone, for good; return the names of those that were in it, each once.

    Loss that a layer adds in its own `call` stays: nobody but the layer knows what it is for.
    """
    taken: dict[str, None] = {}
    for layer in clone._flatten_layers():  # Keras has no public way to reach the layers inside of layers
        taken |= dict.fromkeys(_without(layer, extras))
    for variable in clone.trainable_variables:
        if getattr(variable, "regularizer", None) is not None and "weight regularization" in extras:
            variable.regularizer = None
            taken["weight regularization"] = None
    return [one for one in EXTRAS if one in taken]


def _without(layer: Any, extras: Collection[str]) -> Iterator[str]:
    """Yield the extras that were taken out of one layer."""
    for extra, kinds in (("dropout", _DROPPING), ("noise", _NOISY)):
        name = "rate" if hasattr(layer, "rate") else "stddev"
        if extra in extras and isinstance(layer, kinds) and getattr(layer, name):
            setattr(layer, name, 0)
            yield extra
    for name in ("dropout", "recurrent_dropout"):  # of recurrent cells and of attention
        if "dropout" in extras and isinstance(getattr(layer, name, None), float) and getattr(layer, name) > 0:
            setattr(layer, name if _settable(layer, name) else f"_{name}", 0.0)
            yield "dropout"
    for name, one in list(vars(layer).items()):
        extra = "activity regularization" if name.startswith("activity") else "weight regularization"
        if name.endswith("_regularizer") and callable(one) and extra in extras:
            setattr(layer, name, None)  # read where its weights are made, or at each call
            yield extra
    if "augmentation" in extras and _augments(layer):
        _only_inference(layer)
        yield "augmentation"


def _settable(layer: Any, name: str) -> bool:
    found = getattr(type(layer), name, None)
    return not isinstance(found, property) or found.fset is not None


def _augments(layer: Any) -> bool:
    """Whether a layer of Keras's changes images at random while training."""
    names = ("Random", "AutoContrast", "AugMix", "CutMix", "MixUp", "RandAugment", "Pipeline")
    return of_keras(layer) and type(layer).__name__.startswith(names)


def _only_inference(layer: Any) -> None:
    own = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        return own(*args, **{**kwargs, "training": False})

    layer.call = call
