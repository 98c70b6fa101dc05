"""The verdict as data: what `result.json` holds, versioned, with a JSON Schema computed from these models."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tfhealth.conditions import Severity
from tfhealth.series import Attribute

__all__ = ["SCHEMA_FILE", "Breach", "Finding", "Result", "Row", "RuleVerdict", "Verdict", "schema"]

SCHEMA_FILE = "result-1.schema.json"

Verdict = Literal["pass", "warn", "fail", "not_applicable", "not_measured", "error", "suppressed", "guide"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Breach(_Model):
    """One site at which a rule's condition held."""

    kind: str
    name: str
    severity: Severity
    step: int | None = Field(description="step since which the condition held")
    value: float | str | bool | None = Field(description="value at that step; null for NaN and Inf")


class Finding(_Model):
    """One rule's complaint: where it is worst, and everywhere else it holds."""

    rule: str
    title: str
    checklist: str
    verdict: Literal["warn", "fail"]
    severity: Severity
    site: str = Field(description="name of the leading site")
    kind: str
    step: int | None
    value: float | str | bool | None
    limits: dict[str, Attribute] = Field(description="low and high of the rung that was breached")
    limits_set_by: str = Field(description="who set the limits: built-in or the name of a rule folder")
    message: str
    why: str
    advice: str
    references: list[str]
    sites: list[Breach]
    explained_by: list[str] = Field(default_factory=list, description="rules among the findings that cause this one")


class RuleVerdict(_Model):
    """What one rule decided, and on what grounds."""

    rule: str
    title: str
    checklist: str
    verdict: Verdict
    reason: str


class Row(_Model):
    """One row of the checklist with its verdict."""

    id: str
    asks: str
    verdict: Verdict
    reason: str
    rules: list[str]


class RunInfo(_Model):
    """Which training was judged."""

    path: str | None
    name: str
    status: str
    complete: bool
    started: str | None
    ended: str | None
    steps: int = Field(description="optimizer steps seen, up to the last probe or epoch")
    probed_steps: int
    damage: str = ""


class Result(_Model):
    """The verdict on one run: findings with the leading cause first, and every row of the checklist."""

    result_version: Literal["1.0"] = "1.0"
    tfhealth: str
    run: RunInfo
    verdict: Literal["pass", "warn", "fail", "not_measured"]
    sentence: str
    findings: list[Finding]
    checklist: list[Row]
    rules: list[RuleVerdict]
    notes: list[dict[str, str]] = Field(default_factory=list, description="what could not be measured, and why")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `result.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tfhealth result",
        **Result.model_json_schema(),
    }


if __name__ == "__main__":  # python -m tfhealth.result > tfhealth/schemas/result-1.schema.json
    print(json.dumps(schema(), indent=2, sort_keys=True))
