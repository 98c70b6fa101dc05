"""The verdict as data: what `result.json` holds, versioned, with a JSON Schema computed from these models."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tfhealth.conditions import Severity
from tfhealth.series import Attribute

__all__ = [
    "SCHEMA_FILE",
    "Breach",
    "Finding",
    "Pack",
    "Result",
    "Row",
    "RuleVerdict",
    "RunInfo",
    "Suppressed",
    "Tried",
    "Verdict",
    "schema",
]

SCHEMA_FILE = "result-1.schema.json"

Verdict = Literal["pass", "warn", "fail", "not_applicable", "not_measured", "error", "suppressed", "guide"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Breach(_Model):
    """One site at which a rule's condition held."""

    kind: str = Field(description="kind of site")
    name: str = Field(description="name of the site")
    severity: Severity = Field(description="the rung that was breached there, at most that of the finding")
    step: int | None = Field(description="step since which the condition held")
    value: float | str | bool | None = Field(description="value at that step; null for NaN and Inf")


class Finding(_Model):
    """One rule's complaint: where it is worst, and everywhere else it holds."""

    rule: str = Field(description="id of the rule")
    title: str = Field(description="its title")
    checklist: str = Field(description="the row that it decides")
    verdict: Literal["warn", "fail"] = Field(description="warn or fail")
    severity: Severity = Field(description="the rung that was breached")
    site: str = Field(description="name of the leading site")
    kind: str = Field(description="kind of the leading site")
    step: int | None = Field(description="step since which the condition held there")
    value: float | str | bool | None = Field(description="value at that step; null for NaN and Inf")
    limits: dict[str, Attribute] = Field(description="low and high of the rung that was breached")
    limits_set_by: str = Field(description="who set the limits: built-in, or the name of a pack or a profile")
    limits_before: dict[str, Attribute] | None = Field(
        None, description="low and high as the rule's pack wrote them, where a profile changed the rule"
    )
    pack: str = Field("built-in", description="the pack that the rule comes from")
    message: str = Field(description="the rule's message, filled in")
    why: str = Field(description="the rule's text, Markdown")
    advice: str = Field(description="the rule's advice, filled in, Markdown")
    references: list[str] = Field(description="where the rule comes from")
    sites: list[Breach] = Field(description="every site at which the condition held, the worst first")
    explained_by: list[str] = Field(default_factory=list, description="rules among the findings that cause this one")


class Suppressed(_Model):
    """A finding, or the part of one at some sites, that somebody accepted; it does not count for the verdict."""

    finding: Finding = Field(description="the finding, at the accepted sites only")
    how: Literal["suppression", "baseline"] = Field(description="by a suppression of the profile or by a baseline")
    reason: str = Field(description="why, in a person's words; of a baseline: since when")
    expires: str | None = Field(description="the last day on which it is accepted, ISO 8601; null: for ever")
    set_by: str = Field(description="the profile or the file that says so")


class Pack(_Model):
    """A pack that rules of this verdict come from."""

    name: str = Field(description="name of the pack")
    version: str = Field(description="its version; empty for a folder that says none")


class RuleVerdict(_Model):
    """What one rule decided, and on what grounds."""

    rule: str = Field(description="id of the rule")
    title: str = Field(description="its title")
    checklist: str = Field(description="the row that it decides")
    verdict: Verdict = Field(description="what it decided")
    reason: str = Field(description="on what grounds")


class Row(_Model):
    """One row of the checklist with its verdict."""

    id: str = Field(description="id of the row")
    asks: str = Field(description="its question")
    verdict: Verdict = Field(description="the worst of its rules; guide or not_measured where it has none")
    reason: str = Field(description="on what grounds")
    rules: list[str] = Field(description="ids of the rules that decide it")


class Tried(_Model):
    """What a change that a finding advises did to a short training of clones, beside the same training without it."""

    rule: str = Field(description="id of the rule whose finding advises it")
    remedy: str = Field(description="name of the remedy")
    change: str = Field(description="what was changed, Markdown; empty where nothing was tried")
    verdict: Literal["helps", "no_clear_effect", "harms", "not_tried"] = Field(
        description="whether the loss is lower with it in every repeat; where losses are of two kinds, the score"
    )
    sentence: str = Field(
        description="what it did, or why it was not tried, in one sentence without a full stop, Markdown"
    )
    steps: int = Field(description="steps of each training")
    repeats: int = Field(description="trainings with and without it, each pair on other batches")
    loss_without: float | None = Field(None, description="mean loss of the data after them; null for NaN and Inf")
    loss_with: float | None = Field(None, description="the same with the change")
    loss_error: float | None = Field(None, description="half the 95 % interval of the difference")
    score: str | None = Field(None, description="what else was compared, e.g. share of right answers; null: nothing")
    score_without: float | None = Field(None, description="its mean without the change")
    score_with: float | None = Field(None, description="the same with the change")
    score_error: float | None = Field(None, description="half the 95 % interval of the difference")


class RunInfo(_Model):
    """Which training was judged."""

    path: str | None = Field(description="run directory; null for a run kept in memory")
    name: str = Field(description="name of the run")
    status: str = Field(description="running, completed, interrupted or failed")
    complete: bool = Field(description="whether the training ended by itself and its file is sound")
    started: str | None = Field(description="UTC, ISO 8601")
    ended: str | None = Field(description="UTC, ISO 8601; null while it runs and after a kill")
    steps: int = Field(description="optimizer steps seen, up to the last probe or epoch")
    probed_steps: int = Field(description="how many steps were probed")
    damage: str = Field("", description="what was wrong with the file; empty for a sound one")


class Result(_Model):
    """The verdict on one run: findings with the leading cause first, and every row of the checklist."""

    result_version: Literal["1.1"] = Field("1.1", description="version of this format")
    tfhealth: str = Field(description="version of tfhealth that judged")
    run: RunInfo = Field(description="which training was judged")
    verdict: Literal["pass", "warn", "fail", "not_measured"] = Field(
        description="the worst of all; not_measured where no row could be judged"
    )
    sentence: str = Field(description="the verdict in one sentence")
    findings: list[Finding] = Field(description="the leading cause first")
    checklist: list[Row] = Field(description="every row, in order")
    rules: list[RuleVerdict] = Field(description="every rule, in the order of the rows")
    notes: list[dict[str, str]] = Field(default_factory=list, description="what could not be measured, and why")
    suppressed: list[Suppressed] = Field(default_factory=list, description="findings that somebody accepted")
    warnings: list[str] = Field(default_factory=list, description="expired and unused suppressions, stale baselines")
    profile: str | None = Field(None, description="the profile in force; null: none")
    remedies: list[Tried] = Field(
        default_factory=list, description="what was tried of what the findings advise, where that was asked for"
    )
    packs: list[Pack] = Field(default_factory=list, description="packs in force, the built-in one left out")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `result.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tfhealth result",
        **Result.model_json_schema(),
    }


if __name__ == "__main__":  # python -m tfhealth.result > tfhealth/schemas/result-1.schema.json
    print(json.dumps(schema(), indent=2, sort_keys=True))
