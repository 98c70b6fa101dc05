"""Tokens over HTTP: which there are, a new one, and the end of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from sqlalchemy.orm import joinedload

from tfhealth.service.access import TheCaller, checked_project
from tfhealth.service.state import TheService
from tfhealth.store import tokens
from tfhealth.store.tables import Token
from tfhealth.wire.accounts import MadeToken, NewToken, TokenSummary

__all__ = ["TokenId", "make_one", "revoke_one", "router", "summary"]

router = APIRouter(prefix="/api/v1", tags=["tokens"])

TokenId = Annotated[int, Path(ge=1, le=2**53, description="number of the token")]


@router.get("/tokens")
def listed(caller: TheCaller, service: TheService) -> list[TokenSummary]:
    """Return the tokens of the caller's project, or of all; this needs scope admin."""
    if caller.scope != "admin":
        raise HTTPException(403, "this needs a token of scope admin")
    with service.database.reading() as session:
        return [summary(one) for one in tokens.listed(session, caller.project)]


@router.post("/tokens", status_code=201)
def make_one(new: NewToken, caller: TheCaller, service: TheService) -> MadeToken:
    """Make a token and return it, for the only time; this needs scope admin, for every project or the one named."""
    if new.project is None and not caller.may("admin", None):
        raise HTTPException(403, "this needs a token of scope admin for every project; name a project")
    with service.database.writing() as session:
        project = None if new.project is None else checked_project(session, caller, new.project, "admin")
        secret, row = tokens.make(session, new.name, new.scope, project, new.days)
        return MadeToken(token=secret, about=summary(row))


@router.delete("/tokens/{token}")
def revoke_one(token: TokenId, caller: TheCaller, service: TheService) -> TokenSummary:
    """End a token now, and whoever is logged in by it; this needs scope admin, for its project."""
    if caller.scope != "admin":
        raise HTTPException(403, "this needs a token of scope admin")
    with service.database.writing() as session:
        found = session.get(Token, token, options=[joinedload(Token.project)])
        if found is None or not caller.may("admin", found.project.slug if found.project else None):
            raise HTTPException(404, "no such token")
        tokens.revoke(session, found)
        return summary(found)


def summary(token: Token) -> TokenSummary:
    """Return what may be told of a token."""
    own = set(TokenSummary.model_fields) - {"project"}
    slug = token.project.slug if token.project else None
    return TokenSummary(project=slug, **{name: getattr(token, name) for name in own})
