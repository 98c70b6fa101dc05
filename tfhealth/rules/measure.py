"""What a rule looks at -> (kind, statistic) pairs to probe: a statistic, arithmetic over several, or an attribute."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tfhealth.conditions import Bound
from tfhealth.derive import ACROSS, REFERENCES, Expression, compile_expression
from tfhealth.errors import PartError, about, nearest
from tfhealth.experiments import find as find_experiment
from tfhealth.series import KINDS, Attribute
from tfhealth.statistics import find

__all__ = ["Constraint", "Given", "Measure", "While"]

Constraint = Attribute | list[Attribute] | Bound


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind of site {kind!r} is unknown; legal: {', '.join(KINDS)}{nearest(kind, KINDS)}")


def _check_experiment(measure: Measure) -> None:
    """Check that an experiment which a measure asks for by its name is there and yields what is read."""
    name = measure.where.get("name")
    if not isinstance(name, str):
        return
    with about("where", "name"):
        legal = find_experiment(name).statistics
        for kind, statistic in measure.needs:
            if kind == "experiment" and statistic not in legal:
                what = f"experiment {name!r} does not yield {statistic!r}; legal: {', '.join(legal)}"
                raise ValueError(what + nearest(statistic, legal))


class Measure(_Model):
    """What a rule looks at: one statistic, or arithmetic over several, or an attribute, at chosen sites."""

    site: str | list[str] | None = Field(
        None, description="kind of site, or several in the order in which they are reached: " + ", ".join(KINDS)
    )
    statistic: str | None = Field(None, description="a statistic that exists there")
    attribute: str | None = Field(
        None, description="an attribute of the site, a series of length one; `name` is the site's own name"
    )
    expr: str | None = Field(
        None, description="arithmetic over kind.statistic and fact.site.attribute, e.g. update.norm / weight.norm"
    )
    where: dict[str, Constraint] = Field(
        default_factory=dict, description="attributes that a site must have; `name` is its own name"
    )
    across: str | None = Field(None, description="; ".join(f"{name}: {one.doc}" for name, one in ACROSS.items()))
    relative_to: str | None = Field(None, description="divide by the series' own value: " + ", ".join(REFERENCES))

    @model_validator(mode="after")
    def _one_form(self) -> Measure:
        if self.expr is not None:
            if self.site or self.statistic or self.attribute:
                raise ValueError("expr names its own sites; take away site, statistic and attribute")
            with about("expr"):
                for kind, statistic in self.needs:
                    _check_kind(kind)
                    find(kind, statistic)  # its ValueError says what is legal
        elif not self.kinds or (self.statistic is None) == (self.attribute is None):
            raise ValueError("needs either expr, or site with one of statistic and attribute")
        if self.kinds == ("experiment",):
            _check_experiment(self)
        for kind in self.kinds if self.expr is None else ():
            with about("site"):
                _check_kind(kind)
            if self.statistic is not None:
                with about("statistic"):
                    find(kind, self.statistic)
        for value, legal, key in ((self.across, ACROSS, "across"), (self.relative_to, REFERENCES, "relative_to")):
            if value is not None and value not in legal:
                what = f"{key} {value!r} is unknown; legal: {', '.join(legal)}{nearest(value, legal)}"
                raise PartError(what, key)
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


class Given(_Model):
    """A measure of the whole run that must hold too, whenever it does: large steps, given that the loss stayed high."""

    measure: Measure = Field(description="what is looked at")
    holds: Bound = Field(description="a test that holds at one of its sites")
    where_absent: Literal["not_measured", "holds"] = Field(
        "not_measured", description="what it comes to where the run has no such series"
    )

    @model_validator(mode="after")
    def _of_series(self) -> Given:
        if self.measure.attribute is not None:
            raise ValueError("given is about a statistic; use `when` for attributes")
        queue = [self.holds]
        while queue:
            bound = queue.pop()
            if bound.window is not None:
                raise ValueError("given looks at the whole run; use `while` for what holds at some time")
            queue += bound.nested
        return self


class While(_Model):
    """A second measure that must hold for a breach to count, e.g. while the loss is still high."""

    measure: Measure = Field(description="what is looked at")
    holds: Bound = Field(description="a test of each of its values")

    @model_validator(mode="after")
    def _each(self) -> While:
        queue = [self.holds]
        while queue:
            bound = queue.pop()
            if bound.look != "each" or self.measure.attribute is not None:
                raise ValueError("a guard looks at each value of a statistic; use `when` for attributes")
            queue += bound.nested
        return self
