"""What the REST API says of addresses that are told of runs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from tfhealth.wire.model import Model

__all__ = ["LONGEST_URL", "NewWebhook", "Shape", "Told", "WebhookInfo"]

LONGEST_URL = 2000
"""Characters of an address."""

Shape = Literal["json", "slack"]


class NewWebhook(Model):
    """An address that is to be told of a project's runs."""

    url: str = Field(min_length=1, max_length=LONGEST_URL, description="where to; http or https")
    shape: Shape = Field("json", description="how it is told")


class Told(Model):
    """The last thing that an address was, or was to be, told."""

    event: str = Field(description="critical or ended")
    run: str = Field(description="identity of the run")
    attempts: int = Field(description="how often it was tried")
    told: datetime | None = Field(description="when it was taken; null: not yet")
    due: datetime | None = Field(description="when it is tried next; null: taken, or given up")
    trouble: str = Field(description="why it was not taken the last time")


class WebhookInfo(Model):
    """An address that is told of a project's runs."""

    id: int = Field(description="its number")
    url: str = Field(description="where to")
    shape: Shape = Field(description="how it is told")
    created: datetime = Field(description="UTC")
    last: Told | None = Field(description="the last thing that there was to tell")
