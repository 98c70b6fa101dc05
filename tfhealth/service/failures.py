"""A database that fails -> an answer after which the same request may succeed later, instead of a mere 500."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tfhealth.service import problems

__all__ = ["install"]

_LOG = logging.getLogger(__name__)
_FULL = ("database or disk is full", "No space left on device", "could not extend file")
_AFTER = {"Retry-After": "2"}


def install(app: FastAPI) -> None:
    """Let the application answer so: 507 where the disk is full, 503 where the database is away or too busy."""
    for error in (OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(error, _answer)


def _answer(request: Request, error: Exception) -> Response:
    cause = error.orig if isinstance(error, DBAPIError) else error
    _LOG.error("%s %s: the database failed: %s", request.method, request.url.path, cause)
    if any(words in str(cause) for words in _FULL):
        return problems.answer(request, 507, "no space is left for the database", _AFTER)
    return problems.answer(request, 503, "the database is away or too busy; try again", _AFTER)
