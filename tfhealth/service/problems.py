"""What went wrong -> an answer: a page for whoever looks at pages, else JSON of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from tfhealth.service.pages.rendering import page
from tfhealth.wire.problem import Problem, ProblemFault

__all__ = ["answer", "handle"]

_SHOWN = 20
_TITLES = {403: "This is not for you", 404: "There is no such page", 429: "Wait a little"}
_TITLE = "This did not work"
_NOWHERE = "nothing is at this address"


def handle(app: FastAPI) -> None:
    """Let an application answer all its errors this way."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


def answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    faults: Sequence[ProblemFault] = (),
) -> Response:
    """Return what is answered to a request that is not done; who is not known is led to the login page."""
    looks = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if status == HTTPStatus.UNAUTHORIZED and looks:
        query = f"?{request.url.query}" if request.url.query else ""
        after = f"{request.url.path}{query}" if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={quote(after, safe='')}", 303)
    if looks:
        found: Response = page(request, "error.html.j2", status, title=_TITLES.get(status, _TITLE), detail=detail)
    else:
        found = JSONResponse(Problem(detail=detail, faults=list(faults)).model_dump(), status)
    found.headers.update(headers or {})
    if status == HTTPStatus.UNAUTHORIZED and "hx-request" in request.headers:
        found.headers["HX-Redirect"] = "/login"
    return found


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = _NOWHERE if error.detail == HTTPStatus.NOT_FOUND.phrase else error.detail
    return answer(request, error.status_code, detail, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    # Without what was sent, in which there may be secrets.
    faults = [
        ProblemFault(where=".".join(str(part) for part in one["loc"]), what=one["msg"]) for one in errors[:_SHOWN]
    ]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return answer(request, 422, f"{faults[0].where}: {faults[0].what}{more}", None, faults)
