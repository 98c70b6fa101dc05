"""A server, a project and a token, by a user or the environment -> where to send to, without the token in a pickle."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tfhealth.errors import UsageError

__all__ = ["SERVER", "TOKEN", "Destination", "asked_to_send", "destination"]

SERVER, TOKEN = "TFHEALTH_SERVER", "TFHEALTH_TOKEN"
"""Environment variables that say where the server is, and with which token."""

_LETTERS = set(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class Destination:
    """Where runs are sent.

    What is pickled of it has no token: where it is unpickled, the environment must have one.

    Attributes:
        server: the address, without a `/` at its end.
        project: name of the project; None: the one that the token is for.
        token: None: there is none.
    """

    server: str
    project: str | None = None
    token: str | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return destination, (self.server, None, self.project)

    def __deepcopy__(self, memo: dict[int, Any]) -> Destination:
        return self


def destination(server: str | None = None, token: str | None = None, project: str | None = None) -> Destination:
    """Return where to send to.

    Args:
        server: its address, e.g. `https://health.example.org`; None: `TFHEALTH_SERVER` of the environment.
        token: None: `TFHEALTH_TOKEN` of the environment, or none.
        project: None: the one that the token is for.

    Raises:
        UsageError: no address, or what cannot be an address or a token; no message holds a token.
    """
    server = server or os.environ.get(SERVER)
    if not server:
        raise UsageError(f"no server: give its address, or set {SERVER}.")
    try:
        parts = urlsplit(server)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"{_shown(server)} is no address of a server; it begins with https:// or http://.")
    if "@" in parts.netloc:
        raise UsageError("the address of a server has no name or password in it; a token says who you are.")
    token = token or os.environ.get(TOKEN) or None
    if token is not None and not _LETTERS.issuperset(token):
        raise UsageError("the token has blanks or letters in it that no token has; it is not shown here.")
    return Destination(server.rstrip("/"), project, token)


def asked_to_send(server: str | None) -> bool:
    """Tell whether somebody wants runs to be sent: `server`, or where it is None, the environment."""
    return bool(os.environ.get(SERVER) if server is None else server)


def _shown(server: str) -> str:
    return "what was given" if server.startswith("tfh_") else repr(server)
