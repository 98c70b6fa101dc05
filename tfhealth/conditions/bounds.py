"""A test -> which values breach it: the closed list of tests, on series and on attributes."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from tfhealth.conditions.clock import Clock
from tfhealth.conditions.durations import Mask, Window
from tfhealth.derive import AT_END, LOOKS, look, rolling
from tfhealth.errors import PartError, nearest
from tfhealth.series import Attribute, Floats, Ints

__all__ = ["COMBINING", "Bound", "breached", "holds", "is_nonfinite", "number"]

Interval = Annotated[tuple[FiniteFloat, FiniteFloat], Field(description="[low, high], low < high")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Bound(BaseModel):
    """One test of a series. Exactly one of the tests, and how to look at the series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    look: str = Field("each", description="How to look: " + "; ".join(f"{k}: {v[1]}" for k, v in LOOKS.items()))
    window: Window | None = Field(None, description="look at so much before each probe, not at the whole series")
    above: FiniteFloat | None = Field(None, description="breached by a larger value")
    below: FiniteFloat | None = Field(None, description="breached by a smaller value")
    outside: Interval | None = Field(None, description="breached by a value outside [low, high]")
    inside: Interval | None = Field(None, description="breached by a value inside [low, high]")
    equals: Attribute = Field(None, description="breached by exactly this value")
    one_of: list[Attribute] | None = Field(None, description="breached by any of these values")
    like: Pattern | Annotated[list[Pattern], Field(min_length=1)] | None = Field(
        None, description="breached by text that has this form, or one of these: * any text, ? any letter, [ab] a or b"
    )
    nonfinite: Literal[True] | None = Field(None, description="breached by NaN and Inf, which no other test is")
    all: list[Bound] | None = Field(None, min_length=1, description="breached where every one of these is")
    any: list[Bound] | None = Field(None, min_length=1, description="breached where one of these is")
    not_: Bound | None = Field(None, alias="not", description="breached by a finite value where this is not")

    @property
    def test(self) -> str:
        """The name of the one test that is set."""
        return next(name for name in _TESTS if name in self.model_fields_set)

    @property
    def nested(self) -> list[Bound]:
        """The tests that this one combines."""
        return [*(self.all or []), *(self.any or []), *([self.not_] if self.not_ else [])]

    @property
    def at_end(self) -> bool:
        """Whether the test says something of the end of a series rather than of a stretch of it."""
        return (self.look in AT_END and self.window is None) or any(one.at_end for one in self.nested)

    @model_validator(mode="after")
    def _one_test(self) -> Bound:
        given = [name.rstrip("_") for name in _TESTS if name in self.model_fields_set]
        if len(given) != 1:
            legal = ", ".join(name.rstrip("_") for name in _TESTS)
            raise ValueError(f"needs exactly one of {legal}; received {', '.join(given) or 'none'}")
        if given != ["equals"] and getattr(self, self.test) is None:
            raise PartError(f"{given[0]} needs a value, received null", given[0])
        for key, interval in (("outside", self.outside), ("inside", self.inside)):
            if interval is not None and interval[0] >= interval[1]:
                raise PartError(f"[{interval[0]:g}, {interval[1]:g}] is empty: low must be less than high", key)
        return self

    @model_validator(mode="after")
    def _looks(self) -> Bound:
        if self.look not in LOOKS:
            what = f"look {self.look!r} is unknown; legal: {', '.join(LOOKS)}{nearest(self.look, LOOKS)}"
            raise PartError(what, "look")
        if self.nested and (self.window is not None or self.look != "each"):
            name = self.test.rstrip("_")
            raise ValueError(f"look and window belong into the tests that {name!r} combines, each has its own")
        if self.nonfinite and self.look != "each":
            raise ValueError("nonfinite is a test of each value: every other look sees finite values only")
        if self.window is not None and self.look == "each":
            legal = ", ".join(name for name in LOOKS if name != "each")
            raise ValueError(f"a window needs a look that makes one number of it; legal: {legal}")
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
        for nested in self.nested:
            own = {**nested.limits(), **own}
        return own


def holds(bound: Bound, value: Attribute) -> bool:
    """Return whether one attribute (a number, a word, a flag) breaches `bound`; text by equals, one_of and like."""
    if bound.test in ("equals", "one_of"):
        asked = [bound.equals] if bound.test == "equals" else bound.one_of or []
        return value in asked and not is_nonfinite(value)
    if bound.like is not None:
        patterns = [bound.like] if isinstance(bound.like, str) else bound.like
        return isinstance(value, str) and any(fnmatchcase(value, one) for one in patterns)
    if bound.test in ("all", "any"):
        results = [holds(one, value) for one in bound.nested]
        return all(results) if bound.test == "all" else any(results)
    if bound.not_ is not None:
        return not holds(bound.not_, value) and not is_nonfinite(value)
    if isinstance(value, bool | int | float):
        return bool(_TESTS[bound.test](bound, np.array([number(value)]))[0])
    return False


def number(value: bool | int | float) -> float:
    """Return a number as a float; one that is too large for it is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_nonfinite(value: Attribute) -> bool:
    """Return whether an attribute is NaN or Inf."""
    return isinstance(value, float) and not np.isfinite(value)


def breached(bound: Bound, values: Floats, judged: Mask, steps: Ints, clock: Clock) -> tuple[Mask, Floats]:
    """Return where `bound` is breached, bool[S, n], and the values it looked at, float64[S, n].

    Args:
        bound: the test.
        values: float64[S, n].
        judged: bool[S, n]; looks see nothing else.
        steps: int64[n].
        clock: what epochs are.
    """
    mask, shown, _ = _examined(bound, values, judged, steps, clock)
    return mask, shown


def _examined(bound: Bound, values: Floats, judged: Mask, steps: Ints, clock: Clock) -> tuple[Mask, Floats, Mask]:
    """Do the work of `breached`, and return also where all that was looked at could be compared."""
    if bound.test in ("all", "any"):
        masks, shown, known = zip(*(_examined(one, values, judged, steps, clock) for one in bound.nested), strict=True)
        comparable = np.logical_and.reduce(known)
        if bound.test == "all":
            return np.logical_and.reduce(masks), shown[0], comparable
        return np.logical_or.reduce(masks), np.select(masks, shown, shown[0]), comparable  # of the test that holds
    if bound.not_ is not None:
        mask, seen, comparable = _examined(bound.not_, values, judged, steps, clock)
        return ~mask & comparable, seen, comparable
    if bound.window is not None:
        values = rolling(values, judged, steps, bound.look, bound.window.probes, bound.window.span(clock))
    elif bound.look != "each":
        values = np.repeat(look(values, judged, bound.look)[:, None], values.shape[1], axis=1)
    with np.errstate(invalid="ignore"):
        return _TESTS[bound.test](bound, values), values, np.isfinite(values)


def _equals(bound: Bound, values: Floats) -> Mask:
    return _among([bound.equals], values)


def _one_of(bound: Bound, values: Floats) -> Mask:
    return _among(bound.one_of or [], values)


def _among(legal: list[Attribute], values: Floats) -> Mask:
    numbers = [number(one) for one in legal if isinstance(one, bool | int | float)]
    return np.isin(values, numbers) & np.isfinite(values)


def _between(interval: Any, values: Floats) -> Mask:
    mask: Mask = (values >= interval[0]) & (values <= interval[1])
    return mask


def _nowhere(bound: Bound, values: Floats) -> Mask:
    return np.zeros(values.shape, bool)


COMBINING = ("all", "any", "not_")
"""The tests that combine others, in `breached` and `holds`."""

_TESTS: dict[str, Callable[[Any, Floats], Mask]] = {
    "above": lambda bound, values: np.isfinite(values) & (values > bound.above),
    "below": lambda bound, values: np.isfinite(values) & (values < bound.below),
    "outside": lambda bound, values: np.isfinite(values) & ~_between(bound.outside, values),
    "inside": lambda bound, values: _between(bound.inside, values),
    "equals": _equals,
    "one_of": _one_of,
    "like": _nowhere,
    "nonfinite": lambda bound, values: ~np.isfinite(values),
    **dict.fromkeys(COMBINING, _nowhere),
}
"""The closed list; a number is not like any text."""
