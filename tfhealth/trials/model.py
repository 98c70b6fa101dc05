"""What a test file says, as pydantic models, and the Run that each test in it describes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from tfhealth.conditions import Severity
from tfhealth.errors import PartError, nearest
from tfhealth.rules.model import Line, RuleId, parse_values
from tfhealth.rules.schema import document
from tfhealth.run import Run, Table
from tfhealth.series import KINDS, Attribute, Probe, Series, Site
from tfhealth.statistics import find, statistic_names
from tfhealth.task import with_tasks

__all__ = ["TESTS_SCHEMA", "Expectation", "Trial", "TrialFile", "Word", "tests_schema"]

TESTS_SCHEMA = "tests-1.schema.json"
_MAX_VALUES = 1_000_000  # of all series of a test, and of all its logs
_MEASURED = tuple(kind for kind in KINDS if kind not in ("log", "layer", "fact"))

Word = Literal["pass", "warn", "fail", "not_applicable", "not_measured", "suppressed", "error"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Model):
    """What a rule must say of a run; what is left out may be anything."""

    verdict: Word = Field(description="what the rule must decide")
    severity: Severity | None = Field(None, description="the rung that must be breached")
    site: str | None = Field(None, description="name of a site that must be found; severity and step are those there")
    sites: list[str] | None = Field(None, description="names of all sites that must be found, and of no other")
    step: int | None = Field(None, description="step since which the condition must hold")
    message: Line | None = Field(None, description="a part of the message, or of the reason where there is no finding")

    @model_validator(mode="after")
    def _not_both(self) -> Expectation:
        if self.site is not None and self.sites is not None:
            raise ValueError("site is one of those found, sites is all of them; give only one of the two")
        return self


class Trial(_Model):
    """One test: a run, described here or recorded, and what rules must say of it."""

    name: Line = Field(description="what is shown, in a few words")
    facts: dict[str, dict[str, Attribute]] = Field(
        default_factory=dict, description="settings: {optimizer: {class: Adam, learning_rate: 0.1}}"
    )
    sites: dict[str, dict[str, Attribute]] = Field(
        default_factory=dict, description="attributes of sites, in execution order: {activation dense: {layer: Dense}}"
    )
    series: dict[str, str] = Field(
        default_factory=dict, description="values at steps 0, 1, 2 …: {activation dense std: '1x5 0.1x10'}"
    )
    logs: dict[str, str] = Field(default_factory=dict, description="epoch logs, one value an epoch: {loss: '2..1x5'}")
    steps_per_epoch: PositiveInt = Field(
        10, description="steps in an epoch; the first epoch's logs are those after so many"
    )
    run: Line | None = Field(None, description="instead of these, a recorded run: a folder inside the pack")
    expect: dict[RuleId, Word | Expectation] = Field(min_length=1, description="the verdict of each rule named here")

    @field_validator("sites")
    @classmethod
    def _are_sites(cls, sites: dict[str, dict[str, Attribute]]) -> dict[str, dict[str, Attribute]]:
        for key in sites:
            _site(key, key)
        return sites

    @field_validator("series")
    @classmethod
    def _are_series(cls, series: dict[str, str]) -> dict[str, str]:
        for key in series:
            _probe(key)
        _check_values(series)
        return series

    @field_validator("logs")
    @classmethod
    def _are_values(cls, logs: dict[str, str]) -> dict[str, str]:
        _check_values(logs)
        return logs

    @model_validator(mode="after")
    def _one_run(self) -> Trial:
        described = [name for name in ("facts", "sites", "series", "logs") if getattr(self, name)]
        timed = ["steps_per_epoch"] if "steps_per_epoch" in self.model_fields_set else []
        if self.run is not None and described + timed:
            what = " and ".join(described + timed)
            raise PartError(f"a recorded run has its own {what}; take one of the two away", "run")
        if self.run is None and not described:
            raise ValueError("needs a run: facts, sites, series or logs, or `run` with a recorded one")
        return self

    def expected(self) -> dict[str, Expectation]:
        """Return {rule id: what is expected of it}."""
        return {
            rule: one if isinstance(one, Expectation) else Expectation(verdict=one) for rule, one in self.expect.items()
        }

    def described(self) -> Run:
        """Return the run that the test describes, complete and in memory."""
        facts: dict[str, Mapping[str, Attribute]] = {**self.facts}
        if "steps_per_epoch" in self.model_fields_set:  # what a rule in epochs goes by where there are no logs
            facts["fit"] = {"steps_per_epoch": self.steps_per_epoch, **facts.get("fit", {})}
        sites = {Site("fact", name): one for name, one in facts.items()}
        sites |= {_site(key, key): one for key, one in self.sites.items()}
        series = {_probe(key): np.array(parse_values(values)) for key, values in self.series.items()}
        for probe in series:
            sites.setdefault(probe.site, {})
        logs = {Site("log", name): self._log(parse_values(values)) for name, values in self.logs.items()}
        sites |= {site: {} for site in logs}
        run = Run(None, {"name": self.name, "status": "completed"}, sites, _tables(series), logs)
        return replace(run, sites=with_tasks(sites, run.series))

    def _log(self, values: list[float]) -> Series:
        ends = np.arange(1, len(values) + 1, dtype=np.int64) * self.steps_per_epoch
        return Series(ends, np.array(values, np.float64))


class TrialFile(_Model):
    """A test file."""

    tests: list[Trial] = Field(min_length=1, description="each by itself, in order")


def tests_schema() -> dict[str, Any]:
    """Return the JSON Schema of a test file."""
    made = document(TrialFile, "tfhealth tests")
    keys = made["$defs"]["Trial"]["properties"]
    keys["sites"]["propertyNames"] = {"pattern": rf"^({'|'.join(KINDS)}) \S"}
    probes = [rf"{kind} \S.* ({'|'.join(map(re.escape, statistic_names(kind)))})" for kind in _MEASURED]
    keys["series"]["propertyNames"] = {"pattern": f"^({'|'.join(probes)})$"}
    return made


def _tables(series: Mapping[Probe, Any]) -> tuple[Table, ...]:
    """Lay series of the same length, float64[n] each, side by side."""
    groups: dict[int, list[Probe]] = defaultdict(list)
    for probe, values in series.items():
        groups[len(values)].append(probe)
    return tuple(
        Table(tuple(probes), np.arange(length), np.stack([series[probe] for probe in probes], axis=1))
        for length, probes in groups.items()
    )


def _site(text: str, key: str) -> Site:
    kind, _, name = text.partition(" ")
    if kind not in KINDS:
        raise PartError(f"kind of site {kind!r} is unknown; legal: {', '.join(KINDS)}{nearest(kind, KINDS)}", key)
    if not name.strip():
        raise PartError(f"{key!r} has no name of a site; write it as `{kind} dense`", key)
    return Site(kind, name.strip())


def _probe(key: str) -> Probe:
    text, _, statistic = key.strip().rpartition(" ")
    site = _site(text or statistic, key)
    if site.kind not in _MEASURED:
        raise PartError(f"{site.kind} sites have no series here; write them under {site.kind}s", key)
    try:
        find(site.kind, statistic)
    except ValueError as error:
        raise PartError(str(error), key) from None
    return Probe(site, statistic)


def _check_values(series: Mapping[str, str]) -> None:
    total = 0
    for key, values in series.items():
        try:
            count = len(parse_values(values))
        except ValueError as error:
            raise PartError(str(error), key) from None
        total += count
        if not count:
            raise PartError("has no value", key)
        if total > _MAX_VALUES:  # a short text can stand for many: stop before they fill the memory
            raise PartError(f"with this one there are more than {_MAX_VALUES:,} values in the test", key)
