"""An operation that made NaN or Inf, and the values that went in -> the likely cause, one sentence."""

from __future__ import annotations

from collections.abc import Callable

from tfhealth.replay.operations import BATCH, Operation, Values

__all__ = ["cause", "part"]

_HUGE = 1e18  # the square of it is beyond float32
_EXP = 88.0  # above it exp is beyond float32


def part(operation: Operation, optimizers: tuple[str, ...]) -> str:
    """Return the part of the step that an operation belongs to: batch, weights, forward, loss, backward or update."""
    name = operation.name
    if "gradient_tape" in name or (operation.type == "AddN" and "/" not in name):  # which adds up gradients
        return "backward"
    if name.split("/")[0].rstrip("_0123456789") in optimizers:
        return "update"
    if operation.type == "Placeholder" and BATCH.fullmatch(name):
        return "batch"
    if operation.type in ("ReadVariableOp", "ResourceGather"):
        return "weights"
    return "loss" if "compile_loss" in name or "loss" in name.split("/")[0] else "forward"


def cause(operation: Operation, where: str) -> str:
    """Return what probably happened in an operation that made NaN or Inf; `where` is the part of the step."""
    if where == "batch":
        return "The batch itself holds NaN or Inf: look at the data."
    if where == "weights":
        return "A variable held NaN or Inf before this step: it was loaded or assigned so, or made so by a callback."
    if not operation.inputs:
        return "A constant in the code of the model or the loss is NaN or Inf."
    found = _BY_TYPE.get(operation.type)
    told = found(operation.inputs) if found is not None else ""
    if told and where == "backward" and found is _divided:
        return "The derivative of a logarithm, a root or a quotient at 0: add a small number to what goes in."
    if told:
        return told
    largest = max((max(abs(one.low), abs(one.high)) for one in operation.inputs), default=0.0)
    if largest > _HUGE:
        what = f"Overflow: values up to {largest:.3g} went in."
        return f"{what} They grew over the steps before: a learning rate that is too high, or no normalization."
    if where == "backward":
        return "A derivative that does not exist for the values that went in, or overflows."
    return "An operation that is not defined for the values that went in, or overflows."


def _log(inputs: tuple[Values, ...]) -> str:
    if inputs[0].low < 0:
        return f"A logarithm of a negative number, {inputs[0].low:.3g}."
    return "A logarithm of 0: add a small number, or give the loss logits." if inputs[0].zero else ""


def _divided(inputs: tuple[Values, ...]) -> str:
    if not inputs[-1].zero:
        return ""
    both = len(inputs) > 1 and inputs[0].zero
    return f"A division by 0{', perhaps 0/0' if both else ''}: add a small number to the divisor."


def _exponential(inputs: tuple[Values, ...]) -> str:
    return f"exp of {inputs[0].high:.3g} overflows (above 88 in float32)." if inputs[0].high > _EXP else ""


def _root(inputs: tuple[Values, ...]) -> str:
    if inputs[0].low < 0:
        return f"A square root of a negative number, {inputs[0].low:.3g}."
    return "1 / sqrt(0): add a small number under the root." if inputs[0].zero else ""


def _root_derivative(inputs: tuple[Values, ...]) -> str:
    return "The derivative of a square root at 0: add a small number under the root." if inputs[0].zero else ""


def _power(inputs: tuple[Values, ...]) -> str:
    base, exponent = inputs[0], inputs[-1]
    if base.low < 0:
        return f"A power of a negative number, {base.low:.3g}."
    return "A negative power of 0." if base.zero and exponent.low < 0 else ""


def _outside(inputs: tuple[Values, ...]) -> str:
    if max(abs(inputs[0].low), abs(inputs[0].high)) <= 1:
        return ""
    return f"Its input must lie in -1 to 1, and reached {inputs[0].low:.3g} to {inputs[0].high:.3g}."


def _narrowed(inputs: tuple[Values, ...]) -> str:
    largest = max(abs(inputs[0].low), abs(inputs[0].high))
    return f"{largest:.3g} is beyond the largest float16, 65504." if largest > 65504 else ""


_BY_TYPE: dict[str, Callable[[tuple[Values, ...]], str]] = {
    **dict.fromkeys(("Log", "Log1p"), _log),
    **dict.fromkeys(("RealDiv", "Div", "Reciprocal", "Inv", "Xdivy", "FloorDiv"), _divided),
    **dict.fromkeys(("Exp", "Expm1", "Sinh", "Cosh"), _exponential),
    **dict.fromkeys(("Sqrt", "Rsqrt"), _root),
    **dict.fromkeys(("SqrtGrad", "RsqrtGrad"), _root_derivative),
    "Pow": _power,
    **dict.fromkeys(("Acos", "Asin", "Atanh", "Erfinv"), _outside),
    "Cast": _narrowed,
}
"""What each type of operation is not defined for."""
