"""Addresses that are told of a project's runs, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from fastapi.exceptions import RequestValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.sending import SendingError, checked
from tfhealth.service.state import TheService
from tfhealth.store.tables import Delivery, Project, StoredRun, Webhook
from tfhealth.wire.notices import NewWebhook, Told, WebhookInfo

__all__ = ["WebhookNumber", "enter", "remove", "router", "webhooks"]

router = APIRouter(prefix="/api/v1/projects/{project}/webhooks", tags=["webhooks"])

WebhookNumber = Annotated[int, Path(ge=1, le=2**53, description="number of the webhook")]
_MOST = 20
"""Addresses of one project."""


@router.get("")
def webhooks(project: Slug, caller: TheCaller, service: TheService) -> list[WebhookInfo]:
    """Return the addresses that are told of the project's runs; an address may be a secret in itself."""
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "admin")
        hooks = session.scalars(select(Webhook).where(Webhook.project_id == owner.id).order_by(Webhook.id))
        return [_info(session, hook) for hook in hooks]


@router.post("", status_code=201, responses={409: {"description": f"there are {_MOST} already"}})
def enter(project: Slug, body: NewWebhook, caller: TheCaller, service: TheService) -> WebhookInfo:
    """Enter an address; it is told of runs that end from now on."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        try:
            checked(body.url)
        except SendingError as error:
            raise RequestValidationError([{"loc": ("body", "url"), "msg": str(error), "type": "url"}]) from None
        if _how_many(session, owner) >= _MOST:
            raise HTTPException(409, f"there are {_MOST} webhooks already; remove one first")
        hook = Webhook(project_id=owner.id, url=body.url, shape=body.shape)
        session.add(hook)
        session.flush()
        return _info(session, hook)


@router.delete("/{number}", status_code=204)
def remove(project: Slug, number: WebhookNumber, caller: TheCaller, service: TheService) -> None:
    """Remove an address, with all that it was not told yet."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        hook = session.scalar(select(Webhook).where(Webhook.project_id == owner.id, Webhook.id == number))
        if hook is None:
            raise HTTPException(404, "no such webhook")
        session.delete(hook)


def _how_many(session: Session, owner: Project) -> int:
    return session.scalar(select(func.count()).where(Webhook.project_id == owner.id)) or 0


def _info(session: Session, hook: Webhook) -> WebhookInfo:
    query = select(Delivery, StoredRun.id).join(StoredRun, StoredRun.key == Delivery.run_key)
    row = session.execute(query.where(Delivery.webhook_id == hook.id).order_by(Delivery.id.desc()).limit(1)).first()
    last = None
    if row is not None:
        names = set(Told.model_fields) - {"run"}
        last = Told(run=row[1], **{name: getattr(row[0], name) for name in names})
    return WebhookInfo.model_validate(
        {"id": hook.id, "url": hook.url, "shape": hook.shape, "created": hook.created, "last": last}
    )
