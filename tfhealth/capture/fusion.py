"""A tensor of a traced step -> whether TensorFlow may fuse the op that makes it with the one that reads it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

__all__ = ["FUSED_WITH_LOSS", "fused"]

_ELEMENTWISE = {
    *("Add", "AddN", "AddV2", "BiasAdd", "Div", "Mul", "RealDiv", "Sub", "SelectV2", "FusedBatchNormV3"),
    *("Elu", "Erf", "Erfc", "Exp", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"),
}
FUSED_WITH_LOSS = _ELEMENTWISE - {"Div", "RealDiv", "SelectV2", "Sub"}
"""What a loss may begin with that TensorFlow fuses with the output; a difference from the label is not among it."""


def fused(tensor: Any, by: Container[str] = _ELEMENTWISE) -> bool:
    """Tell whether TensorFlow may fuse the op that makes `tensor` with the one op that reads it, if it is one of `by`.

    Reading it as well would forbid that, and a kernel that is not fused may round differently (seen with a matrix
    product in front of tanh, sigmoid, elu, and of a residual sum).
    """
    if not hasattr(tensor, "graph"):
        return False
    readers = _readers(tensor)
    while len(readers) == 1 and readers[0].type == "Identity":
        readers = _readers(readers[0].outputs[0])
    return len(readers) == 1 and readers[0].type in by


def _readers(tensor: Any) -> list[Any]:
    """Return the ops that need the values of `tensor`, and not just its shape."""
    return [op for op in tensor.consumers() if op.type not in ("Shape", "ShapeN", "Size", "Rank")]
