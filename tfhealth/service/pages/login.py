"""A token that is shown once -> a cookie by which a browser is known, until it logs out or the token ends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from tfhealth.service.access import cookie_name, shown_token
from tfhealth.service.pages.rendering import page
from tfhealth.service.peers import Peer, peer
from tfhealth.service.state import TheService
from tfhealth.store import tokens
from tfhealth.store.tables.base import now

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_LONGEST = 2000  # characters of an address that is led to


@router.get("/login")
def login_page(
    request: Request, service: TheService, next: Annotated[str, Query(max_length=_LONGEST)] = "/"
) -> Response:
    """Ask for a token."""
    if not service.settings.guarded or _known(request, service):
        return RedirectResponse(_inside(next), 303)
    # The cookie does not come along with a link from another site; with the same link from our own page it does.
    again = request.headers.get("sec-fetch-site") == "cross-site"
    return page(request, "login.html.j2", next=_inside(next), trouble="", again=again)


@router.post("/login")
def log_in(
    request: Request,
    service: TheService,
    token: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str, Form(max_length=_LONGEST)] = "/",
) -> Response:
    """Let in whoever shows a token that holds."""
    who = peer(request.scope, service.settings)
    try:
        found = shown_token(service, who, token.strip())
    except HTTPException as error:
        shown = {"next": _inside(next), "trouble": str(error.detail), "again": False}
        answer = page(request, "login.html.j2", error.status_code, **shown)
        answer.headers.update(error.headers or {})
        return answer
    with service.database.writing() as session:
        cookie, ends = tokens.log_in(session, found)
    done = RedirectResponse(_inside(next), 303)
    _set(done, who, cookie, int((ends - now()).total_seconds()))
    return done


@router.post("/logout")
def log_out(request: Request, service: TheService) -> Response:
    """End the login of this browser."""
    who = peer(request.scope, service.settings)
    with service.database.writing() as session:
        tokens.log_out(session, request.cookies.get(cookie_name(who), ""))
    done = RedirectResponse("/login", 303)
    _set(done, who, "", 0)
    return done


def _known(request: Request, service: TheService) -> bool:
    who = peer(request.scope, service.settings)
    with service.database.reading() as session:
        cookie = request.cookies.get(cookie_name(who), "")
        return bool(who.user) or tokens.logged_in(session, cookie) is not None


def _set(answer: Response, who: Peer, cookie: str, seconds: int) -> None:
    answer.set_cookie(cookie_name(who), cookie, seconds, path="/", secure=who.secure, httponly=True, samesite="strict")


def _inside(address: str) -> str:
    """Return an address of this service; where it is any other, the first page."""
    plain = address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"
