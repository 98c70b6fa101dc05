"""A request -> who asks, and whether they may: by a token, by a proxy that is trusted, or because all may."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Path, Request
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tfhealth.service.state import TheService
from tfhealth.store.tables import Project, Token
from tfhealth.store.tables.base import now

__all__ = ["SLUG", "Caller", "Scope", "TheCaller", "checked_project", "new_token", "token_digest"]

Scope = Literal["ingest", "read", "admin"]

SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""What the name of a project looks like."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: of the person or token.
        scope: what they may; admin may all.
        project: the slug of the only project that they may see; None: every project.
    """

    name: str
    scope: Scope
    project: str | None = None

    def may(self, scope: Scope, project: str | None) -> bool:
        """Tell whether they may do something in a project; None: in all of them."""
        return self.scope in (scope, "admin") and self.project in (None, project)


def new_token() -> str:
    """Return a token that nobody can guess."""
    return f"tfh_{secrets.token_urlsafe(32)}"


def token_digest(token: str) -> str:
    """Return what is kept of a token; it is too long to be guessed, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _caller(request: Request, service: TheService) -> Caller:
    if not service.settings.tokens:
        return Caller("", "admin")
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise HTTPException(401, "a token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    with service.database.reading() as session:
        found = _token(session, token)
    if found is None:
        raise HTTPException(401, "this token is not known, has expired or was revoked", {"WWW-Authenticate": "Bearer"})
    return Caller(found.name, found.scope, found.project.slug if found.project else None)  # type: ignore[arg-type]


def _token(session: Session, token: str) -> Token | None:
    query = select(Token).where(Token.digest == token_digest(token)).options(joinedload(Token.project))
    found = session.scalar(query)
    over = found is not None and (found.revoked is not None or (found.expires is not None and found.expires <= now()))
    return None if over else found


TheCaller = Annotated[Caller, Depends(_caller)]
"""A parameter of this type is given who asks; a request that may not be made never gets that far."""

Slug = Annotated[str, Path(pattern=SLUG, description="name of the project")]


def checked_project(session: Session, caller: Caller, slug: str, scope: Scope) -> Project:
    """Return a project in which the caller may do something.

    Raises:
        HTTPException: 403 they may not; 404 there is none, or they may not even know.
    """
    if caller.project not in (None, slug):
        raise HTTPException(404, "no such project")
    if not caller.may(scope, slug):
        raise HTTPException(403, f"this needs a token of scope {scope}")
    found = session.scalar(select(Project).where(Project.slug == slug))
    if found is None:
        raise HTTPException(404, "no such project")
    return found
