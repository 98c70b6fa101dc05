"""Series -> Series: the arithmetic of a rule's `expr`, reductions across layers, and reductions over time."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfhealth.series import Floats, Panel, Site

__all__ = ["ACROSS", "AT_END", "LOOKS", "REFERENCES", "Expression", "across", "compile_expression", "relative"]

_MAX_LENGTH = 300
_MAX_NODES = 60
_TINY = 1e-30
_START = 5  # probes that stand for "the start"

_BINARY: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


@dataclass(frozen=True)
class Expression:
    """A rule's arithmetic: `names` are the `kind.statistic` it reads, calling it takes {name: array} to an array."""

    text: str
    names: tuple[str, ...]
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
    if not names:
        raise ValueError("an expression must name a statistic, e.g. update.norm / weight.norm")
    return Expression(text, tuple(names), compute)


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
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name = f"{node.value.id}.{node.attr}"
        names[name] = None
        return lambda values: values[name]
    part = ast.unparse(node)
    raise ValueError(f"{part!r} is not allowed; legal are kind.statistic, numbers, + - * / and parentheses")


def _number(value: int | float) -> Floats:
    """Return a literal as an array; ValueError for one that no float64 holds, such as 1e999."""
    try:
        number = np.array(value, np.float64)
    except OverflowError:
        number = np.array(np.inf)
    if not np.isfinite(number):
        raise ValueError("a number this large is refused")
    return number


def _first_over_last(values: Floats) -> Floats:
    ratio: Floats = np.divide(values[0], values[-1])
    return ratio


def _steepness(values: Floats) -> Floats:
    """Return the least-squares slope of log10(value) over depth, times the depth: decades from first to last."""
    depth = np.arange(len(values), dtype=np.float64)
    logs = np.log10(np.maximum(values, _TINY))  # a signal that is gone altogether has shrunk beyond any limit
    centered = depth - depth.mean()
    slope: Floats = (centered[:, None] * (logs - logs.mean(axis=0))).sum(axis=0) / (centered**2).sum()
    return np.asarray(slope * depth[-1])


@dataclass(frozen=True, slots=True)
class _Across:
    """A reduction over the sites of a panel, [S, n] -> [n], that needs `sites` of them to mean something."""

    sites: int
    reduce: Callable[[Floats], Floats]
    doc: str


ACROSS: dict[str, _Across] = {
    "first_over_last": _Across(2, _first_over_last, "the first site's value over the last one's"),
    "decades": _Across(
        4, _steepness, "growth from first to last site in powers of ten, least squares on the logarithm"
    ),
    "median": _Across(1, lambda values: _nanmedian(values.T), "the median over sites"),
    "sum": _Across(1, lambda values: values.sum(axis=0), "the sum over sites"),
    "root_square_sum": _Across(1, lambda values: np.sqrt((values**2).sum(axis=0)), "√ of the sum of squares"),
}


def across(panel: Panel, how: str) -> Panel | None:
    """Reduce a panel over its sites to one, named `first … last`; None where it has too few sites for `how`."""
    reduction = ACROSS[how]
    if len(panel) < reduction.sites:
        return None
    with np.errstate(all="ignore"):
        values = reduction.reduce(np.where(panel.measured, panel.values, np.nan))
    first, last = panel.sites[0], panel.sites[-1]
    name = first.name if first == last else f"{first.name} … {last.name}"
    known = np.atleast_2d(panel.measured.all(axis=0))
    return Panel((Site(first.kind, name),), panel.steps, values[None], known)


def _reference_first(values: Floats, measured: NDArray[np.bool_]) -> Floats:
    first: Floats = values[np.arange(len(values)), np.argmax(measured, axis=1)]
    return first


def _reference_start(values: Floats, measured: NDArray[np.bool_]) -> Floats:
    early = measured & (np.cumsum(measured, axis=1) <= _START)
    return _nanmedian(np.where(early, values, np.nan))


REFERENCES: dict[str, Callable[[Floats, NDArray[np.bool_]], Floats]] = {
    "first": _reference_first,
    "start": _reference_start,
}
"""What `relative_to` divides by: the first value, or the median of the first five."""


def relative(panel: Panel, reference: str) -> Panel:
    """Divide every series of a panel by its own reference value."""
    with np.errstate(all="ignore"):
        values = panel.values / REFERENCES[reference](panel.values, panel.measured)[:, None]
    return Panel(panel.sites, panel.steps, values, panel.measured)


def _nanmedian(values: Floats) -> Floats:
    """Return the median of each row without its NaN; NaN for a row that has nothing else, and no warning."""
    result = np.full(len(values), np.nan)
    some = ~np.isnan(values).all(axis=1)
    result[some] = np.nanmedian(values[some], axis=1)
    return result


def _ends(row: Floats) -> tuple[Floats, Floats]:
    """Return the first and the last quarter of the values, at least 5 and at most 50 of them."""
    count = int(np.clip(len(row) // 4, min(5, len(row) // 2), 50))
    return row[:count], row[len(row) - count :]


def _last(row: Floats) -> int:
    return int(np.clip(len(row) // 10, 3, 20))


def _change(row: Floats) -> float:
    head, tail = _ends(row)
    if not len(head):
        return float("nan")
    start = float(np.median(head[: _START + 1]))
    return (float(np.median(tail)) - start) / max(abs(start), 1e-12)


def _trend(row: Floats) -> float:
    """Return (mean of the end − mean of the start) / its standard error, from differences of neighbors."""
    head, tail = _ends(row)
    if len(head) < 3:
        return float("nan")
    difference = float(tail.mean() - head.mean())
    # Differences of neighbors estimate the noise without the trend itself: E|Δ|² = 2σ².
    noise = float(np.median(np.abs(np.diff(row)))) / (np.sqrt(2) * 0.6745)
    error = noise * np.sqrt(1 / len(head) + 1 / len(tail))
    return float(difference / max(error, 1e-9 * max(abs(float(head.mean())), 1e-12)))


LOOKS: dict[str, tuple[Callable[[Floats], float] | None, str]] = {
    "each": (None, "every value by itself"),
    "first": (lambda row: float(row[0]), "the first value"),
    "last": (lambda row: float(np.median(row[-_last(row) :])), "the median of the last tenth, 3 to 20 values"),
    "mean": (lambda row: float(row.mean()), "the mean of all values"),
    "median": (lambda row: float(np.median(row)), "the median of all values"),
    "minimum": (lambda row: float(row.min()), "the smallest value"),
    "maximum": (lambda row: float(row.max()), "the largest value"),
    "change": (_change, "median of the end minus median of the start, over the latter's absolute value"),
    "trend": (_trend, "mean of the end minus mean of the start, in standard errors of that difference"),
}
"""How a condition looks at a series: at each value, or at one number made of all of them."""

AT_END = ("last", "change", "trend")
"""The looks that compare the end with something; what they find is so as of the last step."""


def look(values: Floats, judged: NDArray[np.bool_], how: str) -> Floats:
    """Reduce [S, n] to [S] by the look `how`, over the finite values where `judged`; NaN where there are none."""
    reduce = LOOKS[how][0]
    assert reduce is not None
    keep = judged & np.isfinite(values)
    with np.errstate(all="ignore"):
        return np.array([reduce(row[kept]) if kept.any() else np.nan for row, kept in zip(values, keep, strict=True)])
