"""The one shape of every error of the REST API."""

from __future__ import annotations

from pydantic import Field

from tfhealth.wire.model import Model

__all__ = ["Problem", "ProblemFault"]


class ProblemFault(Model):
    """One thing wrong with what was sent."""

    where: str = Field(description="the keys that lead there, joined by dots")
    what: str = Field(description="what is wrong, and what is legal")


class Problem(Model):
    """The answer to a request that was not done; every error of the API has this shape."""

    detail: str = Field(description="why it was not done, in one sentence")
    faults: list[ProblemFault] = Field(default_factory=list, description="each thing wrong with what was sent")
