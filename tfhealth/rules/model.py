"""What a rule file says, as pydantic models that refuse every key they do not know."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, field_validator, model_validator

from tfhealth.conditions import Bound, Condition
from tfhealth.derive import ACROSS, REFERENCES, Expression, compile_expression
from tfhealth.errors import nearest
from tfhealth.rules.message import render, unknown_names
from tfhealth.series import KINDS, Attribute
from tfhealth.statistics import statistic_names

__all__ = ["Constraint", "Example", "Measure", "Quantify", "Rule", "While"]

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,5}\d{3}$")]
RowId = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z]+(-[a-z]+)*$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Constraint = Attribute | list[Attribute] | Bound


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _check_name(kind: str, statistic: str | None) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind of site {kind!r} is unknown; legal: {', '.join(KINDS)}{nearest(kind, KINDS)}")
    if statistic is None:
        return
    legal = statistic_names(kind)
    if statistic not in legal:
        raise ValueError(
            f"statistic {statistic!r} does not exist at {kind} sites; legal: {', '.join(legal) or 'none'}"
            f"{nearest(statistic, legal)}"
        )


class Measure(_Model):
    """What a rule looks at: one statistic, or arithmetic over several, or an attribute, at chosen sites."""

    site: str | list[str] | None = Field(
        None, description="kind of site, or several in the order in which they are reached: " + ", ".join(KINDS)
    )
    statistic: str | None = Field(None, description="a statistic that exists there")
    attribute: str | None = Field(None, description="an attribute of the site, a series of length one")
    expr: str | None = Field(None, description="arithmetic over kind.statistic, e.g. update.norm / weight.norm")
    where: dict[str, Constraint] = Field(default_factory=dict, description="attributes that a site must have")
    across: str | None = Field(None, description="; ".join(f"{name}: {one.doc}" for name, one in ACROSS.items()))
    relative_to: str | None = Field(None, description="divide by the series' own value: " + ", ".join(REFERENCES))

    @model_validator(mode="after")
    def _one_form(self) -> Measure:
        if self.expr is not None:
            if self.site or self.statistic or self.attribute:
                raise ValueError("expr names its own sites; take away site, statistic and attribute")
            for name in self.expression.names:
                _check_name(*name.split(".", 1))
        elif not self.kinds or (self.statistic is None) == (self.attribute is None):
            raise ValueError("needs either expr, or site with one of statistic and attribute")
        for kind in self.kinds if self.expr is None else ():
            _check_name(kind, self.statistic)
        for value, legal, what in ((self.across, ACROSS, "across"), (self.relative_to, REFERENCES, "relative_to")):
            if value is not None and value not in legal:
                raise ValueError(f"{what} {value!r} is unknown; legal: {', '.join(legal)}{nearest(value, legal)}")
        return self

    @property
    def expression(self) -> Expression:
        """The compiled arithmetic; a plain statistic is the simplest one."""
        return compile_expression(self.expr if self.expr is not None else f"{self.kinds[0]}.{self.statistic}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of site that the measure yields series for."""
        if self.expr is not None:
            return (self.expression.names[0].split(".")[0],)
        return (self.site,) if isinstance(self.site, str) else tuple(self.site or ())

    @property
    def kind(self) -> str:
        """The same in words."""
        return " or ".join(self.kinds)

    @property
    def needs(self) -> tuple[tuple[str, str], ...]:
        """The (kind, statistic) pairs that must be probed."""
        if self.attribute is not None:
            return ()
        if self.statistic is not None:
            return tuple((kind, self.statistic) for kind in self.kinds)
        return tuple((kind, name) for kind, name in (one.split(".", 1) for one in self.expression.names))


class While(_Model):
    """A second measure that must hold for a breach to count, e.g. while the loss is still high."""

    measure: Measure
    holds: Bound

    @model_validator(mode="after")
    def _each(self) -> While:
        if self.holds.look != "each" or self.measure.attribute is not None:
            raise ValueError("a guard looks at each value of a statistic; use `when` for attributes")
        return self


class Active(_Model):
    """Which part of the run counts, and how much of it there must be."""

    after_step: int = Field(0, ge=0, description="steps before this one do not count")
    until_step: PositiveInt | None = Field(None, description="this step and later ones do not count")
    probes: PositiveInt = Field(1, description="fewer probes than this: not measured")


class Quantify(_Model):
    """How many sites must breach: a share of those judged, or a count."""

    share: float | None = Field(None, gt=0, le=1)
    count: PositiveInt | None = None

    @model_validator(mode="after")
    def _one(self) -> Quantify:
        if (self.share is None) == (self.count is None):
            raise ValueError("needs exactly one of share and count")
        return self


class Example(_Model):
    """A compact series, or one attribute's value, and the verdict that the rule must reach on it."""

    values: str | None = Field(None, description="'1.0x20 0.01x10': value x times; 2.3..0.1x50: a ramp; nan, inf")
    value: Attribute = Field(None, description="for a rule about an attribute")
    verdict: Literal["pass", "warn", "fail"]
    severity: Literal["info", "warning", "error", "critical"] | None = None
    step: int | None = Field(None, description="step since which the condition holds; examples count from 0")

    @field_validator("values")
    @classmethod
    def _readable(cls, values: str | None) -> str | None:
        if values is not None:
            parse_values(values)
        return values


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TERM = re.compile(rf"^(?P<start>{_NUMBER}|nan|-?inf)(?:\.\.(?P<end>{_NUMBER}))?(?:x(?P<times>\d{{1,5}}))?$")


def parse_values(text: str) -> list[float]:
    """Read a compact series.

    >>> parse_values("1.0x2 0.5 3..1x3")
    [1.0, 1.0, 0.5, 3.0, 2.0, 1.0]
    """
    values: list[float] = []
    for term in text.split():
        found = _TERM.match(term)
        if not found:
            raise ValueError(f"{term!r} is not a value; write 0.5, 0.5x20, 2.3..0.1x50, nanx3 or inf")
        start, times = float(found["start"]), int(found["times"] or 1)
        if not found["end"]:
            values += [start] * times
            continue
        end = float(found["end"])
        values += [start + (end - start) * (i / (times - 1) if times > 1 else 0.0) for i in range(times)]
    return values


class Rule(_Model):
    """One rule file: how one row of the checklist is decided by machine."""

    id: RuleId
    title: Line
    checklist: RowId
    measure: Measure
    condition: Condition
    when: dict[str, Constraint] = Field(
        default_factory=dict, description="facts that must hold; else the rule is not applicable"
    )
    while_: While | None = Field(None, alias="while")
    active: Active = Active()
    quantify: Literal["any", "all"] | Quantify = "any"
    message: Line
    why: Text
    advice: Text
    references: list[Line] = Field(min_length=1)
    explained_by: list[RowId | RuleId] = Field(
        default_factory=list, description="rows or rules that, when they breach too, are the cause"
    )
    examples: list[Example] = Field(min_length=2)

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
            raise ValueError("examples must show one healthy series (verdict: pass) and one sick one")
        return self

    @property
    def needs(self) -> tuple[tuple[str, str], ...]:
        """The (kind, statistic) pairs that must be probed for this rule."""
        guard = self.while_.measure.needs if self.while_ else ()
        return self.measure.needs + guard
