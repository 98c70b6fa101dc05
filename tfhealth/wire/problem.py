"""The one shape of every error of the REST API."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Problem", "ProblemFault"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemFault(_Model):
    """One thing wrong with what was sent."""

    where: str = Field(description="the keys that lead there, joined by dots")
    what: str = Field(description="what is wrong, and what is legal")


class Problem(_Model):
    """The answer to a request that was not done; every error of the API has this shape."""

    detail: str = Field(description="why it was not done, in one sentence")
    faults: list[ProblemFault] = Field(default_factory=list, description="each thing wrong with what was sent")
