"""Page of a project's settings: its gate, its tokens, and where its profile and webhooks are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from tfhealth.gating import in_words
from tfhealth.service import work
from tfhealth.service.access import Caller, Slug, TheCaller, checked_project
from tfhealth.service.api import tokens as api
from tfhealth.service.api.tokens import TokenId
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import Service, TheService
from tfhealth.store import tokens
from tfhealth.store.tables.base import now
from tfhealth.wire.accounts import MadeToken, NewToken
from tfhealth.wire.scopes import SCOPES

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/projects/{project}/settings")
def settings(request: Request, project: Slug, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the settings of a project."""
    return _page(request, service, caller, project)


@router.post("/projects/{project}/tokens")
def make_token(
    request: Request,
    project: Slug,
    caller: TheCaller,
    service: TheService,
    name: Annotated[str, Form(max_length=500)] = "",
    scope: Annotated[str, Form(max_length=20)] = "",
    days: Annotated[str, Form(max_length=20)] = "",
) -> HTMLResponse:
    """Make a token for a project and show it, for the only time."""
    try:
        asked = {"name": name, "scope": scope, "project": project, "days": days.strip() or None}
        new = NewToken.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        return _page(request, service, caller, project, trouble=f"{first['loc'][0]}: {first['msg']}", status=422)
    made = api.make_one(new, caller, service)
    return _page(request, service, caller, project, made=made, status=201)


@router.post("/projects/{project}/tokens/{token}/revoke")
def revoke_token(project: Slug, token: TokenId, caller: TheCaller, service: TheService) -> RedirectResponse:
    """End a token of a project."""
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "admin")
        if token not in [one.id for one in tokens.listed(session, owner.slug)]:
            raise HTTPException(404, "no such token")
    api.revoke_one(token, caller, service)
    return RedirectResponse(f"/projects/{project}/settings", 303)


def _page(
    request: Request,
    service: Service,
    caller: Caller,
    project: str,
    *,
    made: MadeToken | None = None,
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "admin")
        found = [api.summary(one) for one in tokens.listed(session, owner.slug)]
    gate = work.gate(owner.profile)
    return page(
        request,
        "settings.html.j2",
        status,
        project=project,
        guarded=service.settings.guarded,
        gate=in_words(gate) if gate is not None else (),
        tokens=found,
        scopes=SCOPES,
        now=now(),
        made=made,
        trouble=trouble,
    )
