"""A request -> the application, unless it comes by another name, from another site, or with too much in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfhealth.service.problems import answer
from tfhealth.service.settings import Settings

__all__ = ["HERE", "Gate"]

HERE = ("localhost", "127.0.0.1", "::1")
"""Names of this machine for itself."""

_HOST = re.compile(r"(?P<name>[\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?", re.ASCII)
_ANYWHERE = "/healthz"  # whoever watches over a container asks by its address
_SMALL = 1_000_000  # bytes of a form or a request of the API; only a run is put with more


class Gate:
    """What stands before an application.

    - **Names.** A page of another site can have its own name lead to this machine; where no token is needed, only the
      machine's own names are answered, or those that are listed.
    - **Other sites.** A form, script or htmx of another site changes nothing: browsers say where a request comes from
      (Sec-Fetch-Site, else Origin), and every change from elsewhere is refused. So no form needs a token of its own.
    - **Sizes.** What is sent is cut off where it is too long, whatever length it claims.

    Args:
        app: the application.
        settings: how the service runs.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._hosts = settings.hosts or (() if settings.guarded else HERE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._settings.largest_body if scope["method"] == "PUT" else _SMALL
        try:
            self._check(scope, Headers(scope=scope), most)
        except HTTPException as error:
            await answer(Request(scope), error.status_code, error.detail, error.headers)(scope, receive, send)
            return
        await self._app(scope, _limited(receive, most), send)

    def _check(self, scope: Scope, headers: Headers, most: int) -> None:
        host = headers.get("host", "")
        named = _HOST.fullmatch(host)
        if named is None or len(headers.getlist("host")) != 1:
            raise HTTPException(400, "the Host header is no name of a host")
        if self._hosts and named["name"].strip("[]").lower() not in self._hosts and scope["path"] != _ANYWHERE:
            raise HTTPException(400, "the service is not reached by this name; tfhealth serve --allow-host adds one")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._check_site(headers, host)
        length = headers.get("content-length", "")
        if length.isdigit() and (len(length) > 15 or int(length) > most):
            raise too_large(most)

    def _check_site(self, headers: Headers, host: str) -> None:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            elsewhere = site not in ("same-origin", "none")
        elif origin is not None:
            found = urlsplit(origin)
            elsewhere = found.netloc.lower() != host.lower() and found.hostname not in self._settings.hosts
        else:
            return  # no browser
        if elsewhere:
            raise HTTPException(403, "a change must come from a page of this service")


def too_large(most: int) -> HTTPException:
    """Return the error for a body of more than so many bytes."""
    return HTTPException(413, f"at most {most} bytes are taken")


def _limited(receive: Receive, most: int) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise too_large(most)
        return message

    return limited
