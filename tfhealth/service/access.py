"""A request -> who asks, and whether they may: by a token, a login, a proxy that is trusted, or because all may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, HTTPException, Path, Request
from sqlalchemy.orm import Session, joinedload

from tfhealth.service.peers import Peer, peer
from tfhealth.service.state import Service, TheService
from tfhealth.store import attempts, finding, tokens
from tfhealth.store.tables import Project, StoredRun, Token
from tfhealth.store.tokens import Shown
from tfhealth.wire.accounts import SLUG
from tfhealth.wire.delta import IDENTITY
from tfhealth.wire.scopes import Scope

__all__ = ["Caller", "RunId", "Slug", "TheCaller", "checked_project", "checked_run", "cookie_name", "shown_token"]


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: of the person or token.
        scope: what they may; admin may all.
        project: the slug of the only project that they may see; None: every project.
        shown: their token, and their login, by which they can log out; None: they came without one.
    """

    name: str
    scope: Scope
    project: str | None = None
    shown: Shown | None = None

    @property
    def logged_in(self) -> bool:
        """Whether they came by a cookie, and can log out."""
        return self.shown is not None and self.shown.login is not None

    def may(self, scope: Scope, project: str | None) -> bool:
        """Tell whether they may do something in a project; None: in all of them."""
        return self.scope in (scope, "admin") and self.project in (None, project)


def _caller(request: Request, service: TheService) -> Caller:
    request.state.caller = found = _known(request, service)  # for the head of the page
    return found


def _known(request: Request, service: Service) -> Caller:
    settings, who = service.settings, peer(request.scope, service.settings)
    if not settings.guarded:
        return Caller("", "admin")
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return _of(shown_token(service, who, token.strip()))
    if who.user:
        _check_origin(request)
        return Caller(who.user, "admin" if who.user in settings.admins else settings.user_scope)
    cookie = request.cookies.get(cookie_name(who))
    if cookie:
        with service.database.reading() as session:
            found = tokens.logged_in(session, cookie)
        if found is not None:
            _check_origin(request)
            return _of(found.token, found.id)
    raise HTTPException(401, "a token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})


def cookie_name(who: Peer) -> str:
    """Return the name of the cookie; by https one that no other name of the same domain can set."""
    return "__Host-tfhealth" if who.secure else "tfhealth"


def shown_token(service: Service, who: Peer, token: str) -> Token:
    """Return a token that holds; one that does not is counted.

    Raises:
        HTTPException: 401 it does not hold; 429 the address has shown too many of those.
    """
    digest = tokens.digest_of(token)
    with service.database.reading() as session:
        wait = attempts.wait(session, who.address, service.settings.wrong_tokens)
        found = None if wait else tokens.valid(session, digest)
    if wait:
        raise HTTPException(429, "too many tokens were refused; wait a little", {"Retry-After": str(wait)})
    if found is None:
        with service.database.writing() as session:
            attempts.refused(session, who.address, digest)
        raise HTTPException(401, "this token is not known, has expired or was revoked", {"WWW-Authenticate": "Bearer"})
    return found


def _of(token: Token, login: int | None = None) -> Caller:
    project = token.project.slug if token.project else None
    return Caller(token.name, cast(Scope, token.scope), project, Shown(token.id, login))


def _check_origin(request: Request) -> None:
    """Refuse a change that a browser may have been led to: whoever is known by what a browser sends by itself.

    That a request comes from another site is refused earlier and of everybody; here it must be said that it does not.
    """
    said = "sec-fetch-site" in request.headers or "origin" in request.headers
    if request.method not in ("GET", "HEAD", "OPTIONS") and not said:
        raise HTTPException(403, "a change must say that it comes from a page of this service: Origin is missing")


TheCaller = Annotated[Caller, Depends(_caller)]
"""A parameter of this type is given who asks; a request that may not be made never gets that far."""

Slug = Annotated[str, Path(pattern=SLUG, description="name of the project")]
RunId = Annotated[str, Path(pattern=f"^{IDENTITY.pattern}$", description="identity of the run")]


def checked_project(session: Session, caller: Caller, slug: str, scope: Scope) -> Project:
    """Return a project in which the caller may do something.

    Raises:
        HTTPException: 403 they may not; 404 there is none, or they may not even know.
    """
    if caller.project not in (None, slug):
        raise HTTPException(404, "no such project")
    if not caller.may(scope, slug):
        raise HTTPException(403, f"this needs a token of scope {scope}")
    found = finding.existing(session, slug)
    if found is None:
        raise HTTPException(404, "no such project")
    return found


def checked_run(session: Session, caller: Caller, slug: str, run: str) -> StoredRun:
    """Return a run that the caller may read, with its project.

    Raises:
        HTTPException: there is none that they may read.
    """
    owner = checked_project(session, caller, slug, "read")
    found = finding.by_id(session, owner, run, joinedload(StoredRun.project))
    if found is None:
        raise HTTPException(404, "no such run")
    return found
