"""A rule's `expr` -> arithmetic on arrays: names, numbers, + - * / and parentheses, nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tfhealth.series import Floats

__all__ = ["Expression", "compile_expression"]

_MAX_LENGTH = 300
_MAX_NODES = 60
_FACT = "fact."

_BINARY: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


@dataclass(frozen=True)
class Expression:
    """A rule's arithmetic; calling it takes {name: array} to an array.

    Attributes:
        text: as it was written.
        names: the `kind.statistic` it reads, in the order of reading.
        facts: the `site.attribute` of the facts it reads; its arrays have them as `fact.site.attribute`.
    """

    text: str
    names: tuple[str, ...]
    facts: tuple[str, ...]
    _compute: Callable[[Mapping[str, Floats]], Floats]

    def __call__(self, values: Mapping[str, Floats]) -> Floats:
        """Compute the arithmetic; a division by zero is Inf or NaN, never a warning."""
        with np.errstate(all="ignore"):
            return np.asarray(self._compute(values), np.float64)


def compile_expression(text: str) -> Expression:
    """Compile arithmetic over named statistics: names, numbers, + - * / and parentheses, nothing else.

    Raises:
        ValueError: anything else in `text`, or too much of it.

    >>> compile_expression("loss.regularization / loss.data").names
    ('loss.regularization', 'loss.data')
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"an expression has at most {_MAX_LENGTH} characters, this one has {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"not an expression: {getattr(error, 'msg', error)}") from None
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise ValueError("an expression this large is refused; split the rule")
    names: dict[str, None] = {}
    compute = _compile(tree.body, names)
    facts = tuple(name.removeprefix(_FACT) for name in names if name.startswith(_FACT))
    statistics = tuple(name for name in names if not name.startswith(_FACT))
    if not statistics:
        raise ValueError("an expression must name a statistic, e.g. update.norm / weight.norm")
    return Expression(text, statistics, facts, compute)


def _compile(node: ast.expr, names: dict[str, None]) -> Callable[[Mapping[str, Floats]], Floats]:
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        operator = _BINARY[type(node.op)]
        left, right = _compile(node.left, names), _compile(node.right, names)
        return lambda values: operator(left(values), right(values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _compile(node.operand, names)
        return lambda values: -inner(values)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        number = _number(node.value)
        return lambda values: number
    part = ast.unparse(node)
    if isinstance(node, ast.Attribute) and part.count(".") == (2 if part.startswith(_FACT) else 1) and _dotted(node):
        names[part] = None
        return lambda values: values[part]
    legal = "kind.statistic, fact.site.attribute, numbers, + - * / and parentheses"
    raise ValueError(f"{part!r} is not allowed; legal are {legal}")


def _dotted(node: ast.expr) -> bool:
    """Tell whether a node is names with dots between, and nothing else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _number(value: int | float) -> Floats:
    """Return a literal as an array; ValueError for one that no float64 holds, such as 1e999."""
    try:
        number = np.array(value, np.float64)
    except OverflowError:
        number = np.array(np.inf)
    if not np.isfinite(number):
        raise ValueError("a number this large is refused")
    return number
