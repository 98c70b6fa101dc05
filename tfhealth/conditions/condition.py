"""What a rule file says under `condition`: tests by severity, how long a breach lasts, what is missing or no number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tfhealth.conditions.bounds import Bound
from tfhealth.conditions.clock import Clock
from tfhealth.conditions.durations import Lasting
from tfhealth.errors import PartError

__all__ = ["SEVERITIES", "Condition", "Missing", "Nonfinite", "Severity"]

Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Missing = Literal["not_measured", "not_applicable", "info", "warning", "error", "critical"]
Nonfinite = Literal["ignore", "info", "warning", "error", "critical"]


class Condition(BaseModel):
    """How a series is judged: a test for one rung of severity or several, and how long a breach must last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    for_: Annotated[int, Field(ge=1)] | Lasting = Field(
        1, alias="for", description="how long without a break: a number of probes, or a length of time"
    )
    clears: Bound | None = Field(
        None, description="once breached, a site stays so until this holds of a value; by default, until the test fails"
    )
    missing: Missing = Field(
        "not_measured", description="what it means that the statistic or attribute is not there: a verdict, or a rung"
    )
    nonfinite: Nonfinite = Field(
        "ignore", description="what one NaN or Inf among the values means, beside the tests: nothing, or a rung"
    )
    info: Bound | None = Field(None, description="test for a note in the report; the verdict stays pass")
    warning: Bound | None = Field(None, description="test for the verdict warn")
    error: Bound | None = Field(None, description="test for the verdict fail")
    critical: Bound | None = Field(
        None, description="test for the verdict fail, and for the end of the training where that was asked for"
    )

    @model_validator(mode="after")
    def _some_rung(self) -> Condition:
        if not self.severities:
            raise ValueError(f"needs a test for at least one of {', '.join(SEVERITIES)}")
        return self

    @model_validator(mode="after")
    def _can_clear(self) -> Condition:
        if self.clears is None:
            return self
        if any(one.look != "each" for one in _flat([self.clears])):
            raise PartError("clears is a test of each value, it can have no look of its own", "clears")
        if any(one.look != "each" and one.window is None for one in self.tests()):
            raise PartError("clears goes with tests of each value or of windows, not of the whole series", "clears")
        return self

    def rungs(self) -> list[tuple[Severity, Bound]]:
        """Return the rungs that have a test, the most severe first."""
        return [(name, bound) for name in reversed(SEVERITIES) if (bound := self.bound(name)) is not None]

    def bound(self, severity: Severity) -> Bound | None:
        """Return the test of one rung."""
        found: Bound | None = getattr(self, severity)
        return found

    @property
    def severities(self) -> tuple[Severity, ...]:
        """The rungs that can be breached, by a test or by what is missing or no number; the most severe first."""
        given = {name for name, _ in self.rungs()} | {self.missing, self.nonfinite}
        return tuple(name for name in reversed(SEVERITIES) if name in given)

    @property
    def lasting(self) -> Lasting:
        """How long a breach must last; a bare number counts probes."""
        return Lasting(probes=self.for_) if isinstance(self.for_, int) else self.for_

    @property
    def in_epochs(self) -> bool:
        """Whether anything in it is given in epochs."""
        windows = [one.window for one in self.tests() if one.window is not None]
        return any(one.epochs is not None for one in (self.lasting, *windows))

    def least(self, clock: Clock) -> tuple[int, float]:
        """Return how many probes, and about how many steps, it takes for a breach of every rung."""
        windows = [one.window for one in self.tests() if one.window is not None]
        probes = self.lasting.fewest + max((one.probes or 1 for one in windows), default=1) - 1
        spans = [one.span(clock) or 0.0 for one in windows]
        return probes, (self.lasting.span(clock) or 0.0) + max(spans, default=0.0)

    @property
    def at_end(self) -> bool:
        """Whether it is judged at the end of a run, so that the step of a breach is no beginning."""
        return any(one.at_end for one in self.tests())

    def tests(self) -> list[Bound]:
        """Return every test of a rung, nested ones included."""
        return list(_flat([bound for _, bound in self.rungs()]))


def _flat(bounds: list[Bound]) -> Iterator[Bound]:
    queue = list(bounds)
    while queue:
        bound = queue.pop()
        yield bound
        queue += bound.nested
