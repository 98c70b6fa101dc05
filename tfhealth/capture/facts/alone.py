"""A model -> the normalizations that take each value by itself: what comes out does not depend on its size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from tfhealth.capture.layers import layers_below, location

__all__ = ["alone"]


def alone(model: Any) -> Iterator[str]:
    """Yield the names of built layers that normalize over one value: without its mean it is 0, by its size ±1."""
    for layer, _ in layers_below(model):
        shape = (layer.get_build_config() or {}).get("input_shape") if _within_samples(layer) else None
        if shape is not None and all(length == 1 for length in _together(layer, shape)):
            yield location(layer)


def _within_samples(layer: Any) -> bool:
    kinds = (keras.layers.LayerNormalization, keras.layers.GroupNormalization, keras.layers.RMSNormalization)
    return isinstance(layer, kinds) and layer.built


def _together(layer: Any, shape: tuple[int | None, ...]) -> list[int | None]:
    """Return the lengths of the axes over which a layer takes one mean or size; None for one that varies."""
    if isinstance(layer, keras.layers.GroupNormalization):
        own = layer.axis % len(shape)
        others = [length for axis, length in enumerate(shape) if axis not in (0, own)]
        return [*others, (shape[own] or 0) // layer.groups]
    return [shape[axis] for axis in layer.axis]
