"""Every answer -> the same with headers that keep browsers careful, measured and logged; faults stay inside."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfhealth.service import metrics
from tfhealth.service.peers import peer
from tfhealth.service.problems import answer
from tfhealth.service.settings import Settings

__all__ = ["ALWAYS", "Answers"]

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would take the Origin from the forms of our own pages too, and they could not be told from others.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every answer."""

_UNLESS_SAID = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # pages say what they need
    "Cache-Control": "no-store",
}
_PUBLIC = "/static/"
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")  # whoever asks may make up others
_LOG = logging.getLogger("tfhealth.requests")


class Answers:
    """What every answer goes through.

    Args:
        app: the application.
        settings: how the service runs.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), scope["path"])
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        except Exception:
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                await answer(Request(scope), 500, "an error of the service; its log says which")(
                    scope, receive, dressed
                )
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        metrics.request_answered(scope["method"] if scope["method"] in _METHODS else "other", route, status, seconds)
        about = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 4),
            "address": peer(scope, self._settings).address,
        }
        _LOG.info("%s %s %d", scope["method"], scope["path"], status, extra={"about": about})


def _dress(headers: MutableHeaders, path: str) -> None:
    headers.update(ALWAYS)
    for name, value in _UNLESS_SAID.items():
        if name != "Cache-Control" or not path.startswith(_PUBLIC):
            headers.setdefault(name, value)
