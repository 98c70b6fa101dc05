"""A model -> the batch normalizations whose moving averages are as they were made: they never saw a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfhealth.capture.layers import layers_below, location

__all__ = ["idle"]


def idle(model: Any) -> Iterator[str]:
    """Yield the names of trainable batch normalizations with moving averages of exactly 0 and 1.

    One step in training mode moves them off, unless every value of a batch is 0.
    """
    for layer, _ in layers_below(model):
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.built:
            mean, variance = (np.asarray(one) for one in (layer.moving_mean, layer.moving_variance))
            if not mean.any() and (variance == 1).all():
                yield location(layer)
