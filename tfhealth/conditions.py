"""Series -> Outcome: the closed list of ways to judge, as pydantic models and vectorized NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from tfhealth.derive import AT_END, LOOKS, look
from tfhealth.errors import nearest
from tfhealth.series import Attribute, Floats, Panel

__all__ = ["SEVERITIES", "Bound", "Condition", "Lasting", "Outcome", "Severity", "holds", "judge"]

Severity = Literal["info", "warning", "error", "critical"]
_FEWEST = 3  # probes that a share of the run must have to mean anything

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")

Mask = NDArray[np.bool_]
Interval = Annotated[tuple[FiniteFloat, FiniteFloat], Field(description="[low, high], low < high")]


class Bound(BaseModel):
    """One test of a series. Exactly one of the tests, and how to look at the series."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    look: str = Field("each", description="How to look: " + "; ".join(f"{k}: {v[1]}" for k, v in LOOKS.items()))
    above: FiniteFloat | None = Field(None, description="breached by a larger value")
    below: FiniteFloat | None = Field(None, description="breached by a smaller value")
    outside: Interval | None = Field(None, description="breached by a value outside [low, high]")
    inside: Interval | None = Field(None, description="breached by a value inside [low, high]")
    equals: Attribute = Field(None, description="breached by exactly this value")
    one_of: list[Attribute] | None = Field(None, description="breached by any of these values")
    nonfinite: Literal[True] | None = Field(None, description="breached by NaN and Inf, which no other test is")
    all: list[Bound] | None = Field(None, min_length=1, description="breached where every one of these is")
    any: list[Bound] | None = Field(None, min_length=1, description="breached where one of these is")
    not_: Bound | None = Field(None, alias="not", description="breached by a finite value where this is not")

    @property
    def test(self) -> str:
        """The name of the one test that is set."""
        return next(name for name in _TESTS if self._given(name))

    @property
    def at_end(self) -> bool:
        """Whether the test says something of the end of a series rather than of a stretch of it."""
        nested = [*(self.all or []), *(self.any or []), *([self.not_] if self.not_ else [])]
        return self.look in AT_END or any(one.at_end for one in nested)

    def _given(self, name: str) -> bool:
        return name in self.model_fields_set

    @model_validator(mode="after")
    def _one_test(self) -> Bound:
        given = [name.rstrip("_") for name in _TESTS if self._given(name)]
        if len(given) != 1:
            legal = ", ".join(name.rstrip("_") for name in _TESTS)
            raise ValueError(f"needs exactly one of {legal}; received {', '.join(given) or 'none'}")
        if self.look not in LOOKS:
            raise ValueError(f"look {self.look!r} is unknown; legal: {', '.join(LOOKS)}{nearest(self.look, LOOKS)}")
        for interval in (self.outside, self.inside):
            if interval is not None and interval[0] >= interval[1]:
                raise ValueError(f"[{interval[0]:g}, {interval[1]:g}] is empty: low must be less than high")
        return self

    def limits(self) -> dict[str, Attribute]:
        """Return the numbers of the test for messages: low and high, of nested tests the first that has them."""
        own: dict[str, Attribute] = {}
        if self.above is not None:
            own["high"] = self.above
        if self.below is not None:
            own["low"] = self.below
        for interval in (self.outside, self.inside):
            if interval is not None:
                own |= {"low": interval[0], "high": interval[1]}
        for nested in [*(self.all or []), *(self.any or []), *([self.not_] if self.not_ else [])]:
            own = {**nested.limits(), **own}
        return own


class Lasting(BaseModel):
    """A duration as a share of the run: probes are dense at first, so counting them would overrate the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(gt=0, le=1, description="share of the steps that the run's probes stand for")


class Condition(BaseModel):
    """How a series is judged: a test for one rung of severity or several, and how long a breach must last."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    for_: Annotated[int, Field(ge=1)] | Lasting = Field(
        1, alias="for", description="how long without a break: a number of probes, or a share of the run's steps"
    )
    info: Bound | None = None
    warning: Bound | None = None
    error: Bound | None = None
    critical: Bound | None = None

    @model_validator(mode="after")
    def _some_rung(self) -> Condition:
        if not self.rungs():
            raise ValueError(f"needs a test for at least one of {', '.join(SEVERITIES)}")
        return self

    def rungs(self) -> list[tuple[Severity, Bound]]:
        """Return the rungs that have a test, the most severe first."""
        return [(name, bound) for name in reversed(SEVERITIES) if (bound := getattr(self, name)) is not None]

    @property
    def probes(self) -> int:
        """The least number of probes that can breach."""
        return self.for_ if isinstance(self.for_, int) else _FEWEST

    def tests(self) -> list[Bound]:
        """Return every test, nested ones included."""
        found: list[Bound] = []
        queue = [bound for _, bound in self.rungs()]
        while queue:
            bound = queue.pop()
            found.append(bound)
            queue += [*(bound.all or []), *(bound.any or []), *([bound.not_] if bound.not_ else [])]
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a condition saw at one site: the severity that was breached (None: none), since when, with which value.

    `judged` counts the probes looked at; `finite` says whether any of them could be compared.
    """

    severity: Severity | None
    step: int | None
    value: float
    judged: int
    finite: bool


def holds(bound: Bound, value: Attribute) -> bool:
    """Return whether one attribute (a number, a word, a flag) breaches `bound`; text only by equals and one_of."""
    if bound.test == "equals":
        return value == bound.equals
    if bound.test == "one_of":
        return value in (bound.one_of or [])
    if bound.test in ("all", "any"):
        nested = bound.all if bound.test == "all" else bound.any
        results = [holds(one, value) for one in nested or []]
        return all(results) if bound.test == "all" else any(results)
    if bound.not_ is not None:
        return not holds(bound.not_, value) and not _is_nonfinite(value)
    if isinstance(value, bool | int | float):
        return bool(_TESTS[bound.test](bound, np.array([float(value)]))[0])
    return False


def _is_nonfinite(value: Attribute) -> bool:
    return isinstance(value, float) and not np.isfinite(value)


def judge(condition: Condition, panel: Panel, guard: Mask | None = None) -> list[Outcome]:
    """Judge every site of a panel at once.

    Args:
        condition: the tests.
        panel: values float64[S, n] on steps int64[n].
        guard: bool[S or 1, n]; a breach counts only where it is True.

    Returns:
        One outcome a site, in the panel's order.
    """
    judged = panel.measured if guard is None else panel.measured & guard
    finite = np.atleast_1d((judged & np.isfinite(panel.values)).any(axis=1))
    outcomes: list[Outcome | None] = [None] * len(panel)
    for severity, bound in condition.rungs():
        reached, shown = _mask(bound, panel.values, judged)
        start = _since(reached & judged, panel, condition.for_)
        for row in np.flatnonzero(start >= 0):
            if outcomes[row] is None:
                column = start[row] if not bound.at_end else np.flatnonzero(judged[row])[-1]
                outcomes[row] = Outcome(
                    severity, int(panel.steps[column]), float(shown[row, column]), int(judged[row].sum()), True
                )
    rest = _representative(condition, panel.values, judged)
    return [
        found or Outcome(None, None, float(rest[row]), int(judged[row].sum()), bool(finite[row]))
        for row, found in enumerate(outcomes)
    ]


def _representative(condition: Condition, values: Floats, judged: Mask) -> Floats:
    """Return for each site the value that a passing row shows: what the most severe rung looks at."""
    how = next((test.look for test in reversed(condition.tests()) if test.look != "each"), "median")
    return look(values, judged, how)


def _mask(bound: Bound, values: Floats, judged: Mask) -> tuple[Mask, Floats]:
    """Return where `bound` is breached, bool[S, n], and the values it looked at, float64[S, n]."""
    if bound.test in ("all", "any"):
        parts = [_mask(one, values, judged) for one in (bound.all or bound.any or [])]
        combine = np.logical_and if bound.test == "all" else np.logical_or
        return combine.reduce([mask for mask, _ in parts]), parts[0][1]
    if bound.not_ is not None:
        mask, shown = _mask(bound.not_, values, judged)
        return ~mask & np.isfinite(shown), shown
    if bound.look != "each":
        values = np.repeat(look(values, judged, bound.look)[:, None], values.shape[1], axis=1)
    with np.errstate(invalid="ignore"):
        return _TESTS[bound.test](bound, values), values


def _since(mask: Mask, panel: Panel, lasting: int | Lasting) -> NDArray[np.int64]:
    """Return for each row of bool[S, n] the first column of the first unbroken run that lasts, or -1."""
    if panel.measured.all():
        return _start(mask, panel.steps, lasting)
    # Sites that were measured at other steps than their neighbors: each by its own probes, a gap is no break.
    found = np.full(len(mask), -1)
    for row, measured in enumerate(panel.measured):
        columns = np.flatnonzero(measured)
        start = _start(mask[row : row + 1, columns], panel.steps[columns], lasting)[0]
        found[row] = columns[start] if start >= 0 else -1
    return found


def _start(mask: Mask, steps: NDArray[np.int64], lasting: int | Lasting) -> NDArray[np.int64]:
    """Do the work of `_since` for rows that were all measured at `steps`, int64[n]."""
    if not len(steps):
        return np.full(len(mask), -1)
    if isinstance(lasting, int):
        return _in_a_row(mask, lasting)
    weights = _weights(steps)
    enough = mask & (_held(mask, weights) >= lasting.share * weights.sum() - 1e-9)
    enough &= _held(mask, np.ones(len(steps))) >= _FEWEST
    place = np.argmax(enough, axis=1)
    columns = np.arange(mask.shape[1])
    last_break = np.max(np.where(~mask & (columns < place[:, None]), columns, -1), axis=1, initial=-1)
    return np.where(np.any(enough, axis=1), last_break + 1, -1)


def _held(mask: Mask, weights: Floats) -> Floats:
    """Return for each place the sum of `weights`, float64[n], over the unbroken run of True that ends there."""
    held = np.cumsum(mask * weights, axis=1)
    broken: Floats = np.maximum.accumulate(np.where(mask, 0.0, held), axis=1)
    return held - broken


def _weights(steps: NDArray[np.int64]) -> Floats:
    """Return how many steps each probe stands for: those until the next one; the last as many as the one before."""
    if len(steps) < 2:
        return np.ones(len(steps))
    gaps = np.diff(steps).astype(np.float64)
    return np.append(gaps, gaps[-1])


def _in_a_row(mask: Mask, length: int) -> NDArray[np.int64]:
    """Return for each row of bool[S, n] the first column of the first run of `length` True in a row, or -1."""
    if mask.shape[1] < length:
        return np.full(len(mask), -1)
    windows: Mask = np.all(np.lib.stride_tricks.sliding_window_view(mask, length, axis=1), axis=2)
    return np.where(np.any(windows, axis=1), np.argmax(windows, axis=1), -1)


def _one_of(bound: Bound, values: Floats) -> Mask:
    return np.isin(values, [float(one) for one in bound.one_of or [] if isinstance(one, bool | int | float)])


def _between(interval: Any, values: Floats) -> Mask:
    mask: Mask = (values >= interval[0]) & (values <= interval[1])
    return mask


_TESTS: dict[str, Callable[[Any, Floats], Mask]] = {
    "above": lambda bound, values: np.isfinite(values) & (values > bound.above),
    "below": lambda bound, values: np.isfinite(values) & (values < bound.below),
    "outside": lambda bound, values: np.isfinite(values) & ~_between(bound.outside, values),
    "inside": lambda bound, values: _between(bound.inside, values),
    "equals": lambda bound, values: values == bound.equals,
    "one_of": _one_of,
    "nonfinite": lambda bound, values: ~np.isfinite(values),
    "all": lambda bound, values: np.zeros(values.shape, bool),
    "any": lambda bound, values: np.zeros(values.shape, bool),
    "not_": lambda bound, values: np.zeros(values.shape, bool),
}
"""The closed list; the last three combine others, in `_mask` and `holds`."""
