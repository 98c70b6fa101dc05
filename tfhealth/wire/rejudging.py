"""What the REST API says of a profile that is tried on stored runs, and of what it would change."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from tfhealth.wire.model import Model

__all__ = ["LONGEST_PROFILE", "ProfileFault", "ProfileText", "Trial", "TrialRun", "TrialRuns", "TrialVerdicts"]

LONGEST_PROFILE = 200_000
"""Characters of a profile."""


class ProfileText(Model):
    """A profile."""

    profile: str = Field(max_length=LONGEST_PROFILE, description="YAML; empty: the built-in rules as they are")


class ProfileFault(Model):
    """One thing wrong in a profile."""

    line: int = Field(description="from 1")
    column: int = Field(description="from 1")
    path: str = Field(description="the keys that lead there, joined by dots")
    what: str = Field(description="what is wrong, and what is legal")


class TrialVerdicts(Model):
    """How many runs had one verdict, and would have another or the same."""

    before: str = Field(description="verdict in force; empty: never judged")
    verdict: str = Field(description="verdict by the profile that is tried")
    runs: int = Field(description="how many")


class Trial(Model):
    """A profile that is tried on a project's runs."""

    id: int = Field(description="its number")
    state: Literal["running", "done", "adopted", "dropped"] = Field(description="how far it is")
    person: str = Field(description="who tries it")
    created: datetime = Field(description="UTC")
    total: int = Field(description="runs that are judged")
    made: int = Field(description="how many of them were")
    failed: int = Field(description="how many of those could not be judged")
    changed: int = Field(description="how many have another verdict or leading cause, or could not be judged")
    verdicts: list[TrialVerdicts] = Field(description="every pair of verdicts that there is")


class TrialRun(Model):
    """What a profile would change of one run."""

    run: str = Field(description="identity of the run")
    name: str = Field(description="its name")
    verdict_before: str = Field(description="verdict in force; empty: never judged")
    verdict: str = Field(description="verdict by the profile that is tried")
    cause_before: str = Field(description="rule of the leading finding in force; empty: none")
    cause: str = Field(description="the same by the profile that is tried")
    trouble: str = Field(description="why it could not be judged; empty where it could")


class TrialRuns(Model):
    """One page of the runs that a profile would change."""

    runs: list[TrialRun] = Field(description="the runs of this page, the latest first")
    total: int = Field(description="how many there are on all pages")
