"""What a preprocessing layer knows from `adapt` -> its twin knows it too; it is in no configuration."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

__all__ = ["normalized_like", "words_of"]


def words_of(layer: Any, twin: Any) -> None:
    """Give a new layer the vocabulary that another one, of the same configuration, has found in data."""
    if not (hasattr(layer, "get_vocabulary") and hasattr(layer, "set_vocabulary")):
        return
    found = layer.get_vocabulary(include_special_tokens=False)
    if len(found) > len(twin.get_vocabulary(include_special_tokens=False)):
        weights = getattr(getattr(layer, "_lookup_layer", layer), "idf_weights_const", None)
        given = () if weights is None else (np.array(weights)[-len(found) :],)
        twin.set_vocabulary(found, *given)


def normalized_like(layer: Any, twin: Any) -> None:
    """Give a layer that is built the mean and the variance that another `Normalization` has found in data."""
    if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None and layer.built:
        twin.set_weights([np.array(one) for one in layer.get_weights()])
        twin.finalize_state()
