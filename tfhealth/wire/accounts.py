"""Projects and tokens as they travel: what the REST API takes and gives of them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, field_validator

from tfhealth.wire.model import Model
from tfhealth.wire.scopes import Scope

__all__ = ["SLUG", "MadeToken", "NewProject", "NewToken", "ProjectSummary", "TokenSummary"]

SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""What the name of a project looks like."""


class ProjectSummary(Model):
    """One project."""

    name: str = Field(description="its name, as it stands in addresses")
    runs: int = Field(description="how many runs it has")
    created: datetime = Field(description="UTC")


class NewProject(Model):
    """A project to be made."""

    name: str = Field(
        pattern=SLUG, description="small letters, digits and hyphens, up to 63; it begins with a letter or digit"
    )


class TokenSummary(Model):
    """One token, without itself."""

    id: int = Field(description="its number")
    name: str = Field(description="whose it is, or what for")
    beginning: str = Field(description="its first letters, by which people know it again")
    scope: Scope = Field(description="what it lets do; admin lets do all")
    project: str | None = Field(description="the one project that it is for; null: every project")
    created: datetime = Field(description="UTC")
    expires: datetime | None = Field(description="UTC; null: never")
    revoked: datetime | None = Field(description="UTC; null: it was not")


class NewToken(Model):
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


class MadeToken(Model):
    """A token that was made; this is the only time that it is shown."""

    token: str = Field(description="the token itself")
    about: TokenSummary = Field(description="what is kept of it")
