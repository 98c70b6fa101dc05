"""What a rule file says, as pydantic models that refuse every key they do not know."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from tfhealth.conditions import PHASES, SEVERITIES, Condition, Severity
from tfhealth.errors import PartError, nearest
from tfhealth.rules.measure import Constraint, Given, Measure, While
from tfhealth.rules.message import render, unknown_names
from tfhealth.series import Attribute

__all__ = ["FORMAT", "Constraint", "Example", "Given", "Measure", "Quantify", "Rule", "While", "parse_values"]

FORMAT = 1
"""The form of rule files that is written and read here."""

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,5}\d{3}$")]
RowId = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z]+(-[a-z]+)*$")]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=40)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Active(_Model):
    """Which part of the run counts, and how much of it there must be."""

    after_step: int = Field(0, ge=0, description="steps before this one do not count")
    until_step: PositiveInt | None = Field(None, description="this step and later ones do not count")
    after_epoch: FiniteFloat = Field(0.0, ge=0, description="what lies before the end of so many epochs does not count")
    until_epoch: FiniteFloat | None = Field(None, gt=0, description="what lies after the end of so many does not count")
    phase: str | None = Field(None, description="; ".join(f"{name}: {doc}" for name, (_, doc) in PHASES.items()))
    probes: PositiveInt = Field(1, description="fewer probes than this: not measured")

    @field_validator("phase")
    @classmethod
    def _known(cls, phase: str | None) -> str | None:
        if phase is not None and phase not in PHASES:
            raise ValueError(f"phase {phase!r} is unknown; legal: {', '.join(PHASES)}{nearest(phase, PHASES)}")
        return phase

    @property
    def in_epochs(self) -> bool:
        """Whether anything in it is given in epochs."""
        return bool(self.after_epoch) or self.until_epoch is not None


class Quantify(_Model):
    """How many sites must breach: a share of those judged, or a count."""

    share: float | None = Field(None, gt=0, le=1, description="share of the sites judged")
    count: PositiveInt | None = Field(None, description="number of sites")

    @model_validator(mode="after")
    def _one(self) -> Quantify:
        if (self.share is None) == (self.count is None):
            raise ValueError("needs exactly one of share and count")
        return self


class Example(_Model):
    """A compact series, or one attribute's value, or nothing at all, and the verdict that the rule must reach on it."""

    values: str | None = Field(
        None,
        description="'1.0x20 0.01x10': value x times; 2.3..0.1x50: a ramp; nan, inf. Each is a probe, each probe "
        "a step, and ten steps are an epoch",
    )
    value: Attribute = Field(None, description="for a rule about an attribute")
    missing: Literal[True] | None = Field(None, description="what is looked at is not there")
    verdict: Literal["pass", "warn", "fail"] = Field(description="what the rule must decide")
    severity: Severity | None = Field(
        None, description="the rung that must be breached; not checked where it is left out"
    )
    step: int | None = Field(None, description="step since which the condition holds; examples count from 0")

    @field_validator("values")
    @classmethod
    def _readable(cls, values: str | None) -> str | None:
        if values is not None:
            parse_values(values)
        return values

    @model_validator(mode="after")
    def _one_thing(self) -> Example:
        given = [name for name in ("values", "value", "missing") if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"shows one of values, value and missing; received {' and '.join(given) or 'none'}")
        return self


_MOST_VALUES = 100_000  # a short text can stand for so many that they fill the memory
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TERM = re.compile(rf"^(?P<start>{_NUMBER}|nan|-?inf)(?:\.\.(?P<end>{_NUMBER}))?(?:x(?P<times>\d{{1,5}}))?$")


def parse_values(text: str) -> list[float]:
    """Read a compact series.

    Raises:
        ValueError: a term that is none, or more values than any series has.

    >>> parse_values("1.0x2 0.5 3..1x3")
    [1.0, 1.0, 0.5, 3.0, 2.0, 1.0]
    """
    values: list[float] = []
    for term in text.split():
        found = _TERM.match(term)
        if not found:
            raise ValueError(f"{term!r} is not a value; write 0.5, 0.5x20, 2.3..0.1x50, nanx3 or inf")
        start, times = float(found["start"]), int(found["times"] or 1)
        if len(values) + times > _MOST_VALUES:
            raise ValueError(f"has more than {_MOST_VALUES:,} values")
        if not found["end"]:
            values += [start] * times
            continue
        end = float(found["end"])
        values += [start + (end - start) * (i / (times - 1) if times > 1 else 0.0) for i in range(times)]
    return values


class Rule(_Model):
    """One rule file: how one row of the checklist is decided by machine."""

    format: Literal[1] = Field(1, description="the form of this file; 1 is the only one so far")
    id: RuleId = Field(description="three to five capital letters and three digits; the file name begins with it")
    title: Line = Field(description="the fault, in a few words")
    checklist: RowId = Field(description="the row that the rule decides")
    measure: Measure = Field(description="what is looked at")
    condition: Condition = Field(description="how it is judged")
    when: dict[str, Constraint] = Field(
        default_factory=dict, description="facts that must hold; else the rule is not applicable"
    )
    while_: While | None = Field(
        None, alias="while", description="a second measure that must hold for a breach to count"
    )
    given: list[Given] = Field(
        default_factory=list, description="measures of the whole run that must all hold for a breach to count"
    )
    active: Active = Field(Active(), description="which part of the run counts")
    quantify: Literal["any", "all"] | Quantify = Field(
        "any", description="how many sites must breach: any, all, or a share or count of them"
    )
    message: Line = Field(description="one sentence about a finding, with names in braces")
    why: Text = Field(description="Markdown: why the fault matters")
    advice: Text = Field(description="Markdown: what to change, with names in braces")
    references: list[Line] = Field(min_length=1, description="where the rule comes from")
    explained_by: list[RowId | RuleId | GroupName] = Field(
        default_factory=list,
        description="rows, rules, or groups of both, that, when they breach too, are the cause",
    )
    examples: list[Example] = Field(
        min_length=2, description="series with the verdict that the rule must reach on them; one passes, one does not"
    )
    deprecated: Line | None = Field(None, description="what to use instead; whoever still names the rule is told")

    @field_validator("format", mode="before")
    @classmethod
    def _readable(cls, number: Any) -> Any:
        if isinstance(number, int) and number > FORMAT:
            raise ValueError(f"written for a newer tfhealth (rule format {number}, this one reads up to {FORMAT})")
        if isinstance(number, bool) or number != FORMAT:
            raise ValueError(f"rule format {number!r} does not exist; legal: {FORMAT}")
        return number

    @field_validator("message", "advice")
    @classmethod
    def _renders(cls, template: str) -> str:
        wrong = unknown_names(template)
        if wrong:
            raise ValueError("; ".join(wrong))
        sample = {"value": 1.0, "step": 0, "low": 0.1, "high": 2.0, "count": 1, "units": 1, "classes": 2}
        render(template, sample)
        return template

    @model_validator(mode="after")
    def _shows_both(self) -> Rule:
        verdicts = {example.verdict for example in self.examples}
        if "pass" not in verdicts or verdicts == {"pass"}:
            raise PartError("examples must show one healthy series (verdict: pass) and one sick one", "examples")
        if self.condition.missing not in SEVERITIES and any(example.missing for example in self.examples):
            legal = ", ".join(SEVERITIES)
            raise PartError(f"an example of what is missing needs condition.missing to be one of {legal}", "examples")
        return self

    @property
    def needs(self) -> tuple[tuple[str, str], ...]:
        """The (kind, statistic) pairs that must be probed for this rule."""
        return tuple(need for measure in self.measures for need in measure.needs)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What the rule looks at: its own measure, and those that must hold beside it."""
        guard = (self.while_.measure,) if self.while_ else ()
        return (self.measure, *guard, *(one.measure for one in self.given))
