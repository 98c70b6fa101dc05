"""What the REST API gives beside deltas: both the server and the client speak by these models."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RunPage", "RunSummary", "WhoAmI"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhoAmI(_Model):
    """Who asks, as the server sees it."""

    name: str = Field(description="of the token or the person; empty where nobody has to say")
    scope: Literal["ingest", "read", "admin"] = Field(description="what they may do")
    project: str = Field(description="the project that is meant where none is named")


class RunSummary(_Model):
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


class RunPage(_Model):
    """One page of a list of runs."""

    runs: list[RunSummary] = Field(description="the runs of this page")
    total: int = Field(description="how many there are on all pages")
