"""A request that is refused -> a page that says why, where a person looks; JSON where a program asks."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from tfhealth.service.pages.rendering import page

__all__ = ["install"]

_WORDS = {401: "Who are you?", 403: "This is not for you", 404: "There is no such page"}


def install(app: FastAPI) -> None:
    """Let an application answer so."""
    app.add_exception_handler(HTTPException, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    title = _WORDS.get(error.status_code, "This did not work")
    answer = page(request, "error.html.j2", error.status_code, title=title, detail=error.detail)
    answer.headers.update(error.headers or {})
    return answer
