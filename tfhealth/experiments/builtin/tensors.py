"""Arrays, structured as a model takes them -> the same as tensors."""

from __future__ import annotations

from typing import Any

__all__ = ["as_tensors"]


def as_tensors(structure: Any) -> Any:
    """Return arrays as tensors of their own dtypes, in the same structure."""
    import keras
    import tensorflow as tf

    return keras.tree.map_structure(tf.convert_to_tensor, structure)
