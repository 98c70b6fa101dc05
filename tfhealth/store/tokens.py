"""Tokens and the logins that they give: made, found again by their digests, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session, joinedload

from tfhealth.store.tables import Login, Project, Token
from tfhealth.store.tables.base import now

__all__ = [
    "Shown",
    "digest_of",
    "has_admin",
    "holding",
    "listed",
    "log_in",
    "log_out",
    "logged_in",
    "make",
    "revoke",
    "valid",
]

_LOGIN = timedelta(days=7)  # unless the token ends before
_SHOWN = 12  # letters of a token by which people know it again; more than enough of the others are left


def digest_of(secret: str) -> str:
    """Return what is kept of a token or cookie; it is too long to be guessed, so no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def make(session: Session, name: str, scope: str, project: Project | None, days: int | None) -> tuple[str, Token]:
    """Keep a new token; return it, for the only time, and its row.

    Args:
        session: one that writes.
        name: whose it is, or what for.
        scope: ingest, read or admin.
        project: the one that it is for; None: every one.
        days: until it expires; None: never.
    """
    secret = f"tfh_{secrets.token_urlsafe(32)}"
    row = Token(
        project_id=project.id if project else None,
        name=name,
        digest=digest_of(secret),
        beginning=secret[:_SHOWN],
        scope=scope,
        expires=None if days is None else now() + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    return secret, row


def valid(session: Session, digest: str) -> Token | None:
    """Return the token that has a digest, unless it has expired or was revoked."""
    return session.scalar(select(Token).where(Token.digest == digest, _holds()).options(joinedload(Token.project)))


def _holds() -> ColumnElement[bool]:
    return and_(Token.revoked.is_(None), or_(Token.expires.is_(None), Token.expires > now()))


class Shown(NamedTuple):
    """By what somebody was let in: the number of a token, and that of their login, where they came by one."""

    token: int
    login: int | None = None


def holding(session: Session, shown: Collection[Shown]) -> set[Shown]:
    """Return what still lets in: the token has neither expired nor was revoked, and nobody has logged out."""
    tokens, logins = {one.token for one in shown}, {one.login for one in shown}
    hold = set(session.scalars(select(Token.id).where(Token.id.in_(tokens), _holds())))
    last = {None, *session.scalars(select(Login.id).where(Login.id.in_(logins - {None}), Login.expires > now()))}
    return {one for one in shown if one.token in hold and one.login in last}


def has_admin(session: Session) -> bool:
    """Tell whether somebody may do all in every project."""
    query = select(Token.id).where(Token.scope == "admin", Token.project_id.is_(None), _holds())
    return session.scalar(query.limit(1)) is not None


def listed(session: Session, project: str | None) -> Sequence[Token]:
    """Return the tokens of a project, or with None every token, the latest first."""
    query = select(Token).outerjoin(Token.project).options(joinedload(Token.project)).order_by(Token.id.desc())
    return session.scalars(query if project is None else query.where(Project.slug == project)).all()


def revoke(session: Session, token: Token) -> None:
    """End a token, and whoever is logged in by it."""
    token.revoked = token.revoked or now()
    session.execute(delete(Login).where(Login.token_id == token.id))


def log_in(session: Session, token: Token) -> tuple[str, datetime]:
    """Keep a new login by a token; return the cookie and when it ends. Old logins are cleared away."""
    session.execute(delete(Login).where(Login.expires <= now()))
    secret, ends = secrets.token_urlsafe(32), now() + _LOGIN
    if token.expires is not None:
        ends = min(ends, token.expires)
    session.add(Login(token_id=token.id, digest=digest_of(secret), expires=ends))
    return secret, ends


def logged_in(session: Session, cookie: str) -> Login | None:
    """Return the login that a cookie was given for, with its token, while both hold."""
    query = select(Login).join(Login.token).where(Login.digest == digest_of(cookie), Login.expires > now(), _holds())
    return session.scalar(query.options(joinedload(Login.token).joinedload(Token.project)))


def log_out(session: Session, cookie: str) -> None:
    """End a login."""
    session.execute(delete(Login).where(Login.digest == digest_of(cookie)))
