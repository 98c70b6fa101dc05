"""What the REST API gives beside deltas: both the server and the client speak by these models."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "SLUG",
    "MadeToken",
    "NewProject",
    "NewToken",
    "Problem",
    "ProblemFault",
    "ProjectSummary",
    "RunPage",
    "RunSummary",
    "Scope",
    "TokenSummary",
    "WhoAmI",
]

Scope = Literal["ingest", "read", "admin"]
"""What a token lets do: send runs, look at them, or all."""

SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""What the name of a project looks like."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhoAmI(_Model):
    """Who asks, as the server sees it."""

    name: str = Field(description="of the token or the person; empty where nobody has to say")
    scope: Scope = Field(description="what they may do")
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


class ProblemFault(_Model):
    """One thing wrong with what was sent."""

    where: str = Field(description="the keys that lead there, joined by dots")
    what: str = Field(description="what is wrong, and what is legal")


class Problem(_Model):
    """The answer to a request that was not done; every error of the API has this shape."""

    detail: str = Field(description="why it was not done, in one sentence")
    faults: list[ProblemFault] = Field(default_factory=list, description="each thing wrong with what was sent")


class ProjectSummary(_Model):
    """One project."""

    name: str = Field(description="its name, as it stands in addresses")
    runs: int = Field(description="how many runs it has")
    created: datetime = Field(description="UTC")


class NewProject(_Model):
    """A project to be made."""

    name: str = Field(
        pattern=SLUG, description="small letters, digits and hyphens, up to 63; it begins with a letter or digit"
    )


class TokenSummary(_Model):
    """One token, without itself."""

    id: int = Field(description="its number")
    name: str = Field(description="whose it is, or what for")
    beginning: str = Field(description="its first letters, by which people know it again")
    scope: Scope = Field(description="what it lets do; admin lets do all")
    project: str | None = Field(description="the one project that it is for; null: every project")
    created: datetime = Field(description="UTC")
    expires: datetime | None = Field(description="UTC; null: never")
    revoked: datetime | None = Field(description="UTC; null: it was not")


class NewToken(_Model):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=200, description="whose it is, or what for")
    scope: Scope = Field(description="what it lets do; admin lets do all")
    project: str | None = Field(None, pattern=SLUG, description="the one project that it is for; null: every project")
    days: int | None = Field(None, ge=1, le=3650, description="until it expires; null: never")

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("must be text that can be printed")
        return name.strip()


class MadeToken(_Model):
    """A token that was made; this is the only time that it is shown."""

    token: str = Field(description="the token itself")
    about: TokenSummary = Field(description="what is kept of it")
