"""The page of addresses that are told of a project's runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tfhealth.service.access import Caller, Slug, TheCaller
from tfhealth.service.api import webhooks as api
from tfhealth.service.api.webhooks import WebhookNumber
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import Service, TheService
from tfhealth.wire.notices import LONGEST_URL, NewWebhook, Shape

__all__ = ["router"]

router = APIRouter(prefix="/projects/{project}/webhooks", include_in_schema=False)


@router.get("")
def webhooks(request: Request, project: Slug, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the addresses, with what each was told last, and a form for another one."""
    return _page(request, project, caller, service)


@router.post("", response_model=None)
def enter(
    request: Request,
    project: Slug,
    caller: TheCaller,
    service: TheService,
    url: Annotated[str, Form(min_length=1, max_length=LONGEST_URL)],
    shape: Annotated[Shape, Form()] = "json",
) -> Response:
    """Enter an address, or say why it cannot be one."""
    try:
        api.enter(project, NewWebhook(url=url, shape=shape), caller, service)
    except RequestValidationError as error:
        return _page(request, project, caller, service, 422, error.errors()[0]["msg"])
    return RedirectResponse(f"/projects/{project}/webhooks", 303)


@router.post("/{number}/remove")
def remove(project: Slug, number: WebhookNumber, caller: TheCaller, service: TheService) -> RedirectResponse:
    """Remove an address."""
    api.remove(project, number, caller, service)
    return RedirectResponse(f"/projects/{project}/webhooks", 303)


def _page(
    request: Request, project: str, caller: Caller, service: Service, status: int = 200, fault: str = ""
) -> HTMLResponse:
    hooks = api.webhooks(project, caller, service)
    shown = {"project": project, "hooks": hooks, "fault": fault, "longest": LONGEST_URL}
    return page(request, "webhooks.html.j2", status, **shown)
