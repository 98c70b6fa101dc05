"""Who asks, and runs in lists, as the REST API says it: both the server and the client speak by these models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from tfhealth.wire.model import Model
from tfhealth.wire.scopes import Scope

__all__ = ["RunFilter", "RunPage", "RunSummary", "Status", "Verdict", "WhoAmI"]

Verdict = Literal["fail", "warn", "not_measured", "pass"]
"""On a run, the worst first."""

Status = Literal["running", "completed", "interrupted", "failed"]
"""How a run goes, or how it ended."""


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is at the very edge of the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class WhoAmI(Model):
    """Who asks, as the server sees it."""

    name: str = Field(description="of the token or the person; empty where nobody has to say")
    scope: Scope = Field(description="what they may do")
    project: str = Field(description="the project that is meant where none is named")


class RunSummary(Model):
    """One run in a list."""

    project: str = Field(description="name of its project")
    id: str = Field(description="its identity")
    name: str = Field(description="its name")
    model: str = Field(description="name of the model")
    person: str = Field(description="who sent it")
    status: str = Field(description="running, completed, interrupted or failed")
    started: datetime = Field(description="UTC")
    ended: datetime | None = Field(description="UTC")
    steps: int = Field(description="optimizer steps")
    verdict: str = Field(description="pass, warn, fail or not_measured; empty before it was judged")
    cause: str = Field(description="rule of the leading finding; empty where there is none")
    cause_title: str = Field(description="its title")
    trouble: str = Field(description="why it could not be judged the last time; empty where it could")


class RunFilter(Model):
    """Which runs of a project are meant; what is left out does not matter."""

    verdict: Verdict | None = Field(None, description="the verdict")
    status: Status | None = Field(None, description="how it ended")
    cause: Text | None = Field(None, description="rule of the leading finding")
    rule: Text | None = Field(None, description="a rule that found something, leading or not")
    model: Text | None = Field(None, description="name of the model")
    person: Text | None = Field(None, description="who sent it")
    text: Text | None = Field(
        None, description="words that all stand somewhere in its name, id, model, person or cause"
    )
    since: Moment | None = Field(None, description="began then or later")
    until: Moment | None = Field(None, description="began earlier")


class RunPage(Model):
    """One page of a list of runs."""

    runs: list[RunSummary] = Field(description="the runs of this page, the latest first")
    total: int = Field(description="how many there are on all pages")
    next: str | None = Field(None, description="what to ask the next page by; null: this is the last one")
