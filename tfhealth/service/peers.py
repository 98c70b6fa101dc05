"""A connection and its headers -> from where a request comes, as far as who says so is believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from tfhealth.service.settings import Settings

__all__ = ["Peer", "peer"]

_NAME = 200


@dataclass(frozen=True)
class Peer:
    """Who sent a request.

    Attributes:
        address: where it comes from; behind proxies that are trusted, from where they say.
        secure: whether it came by https.
        user: who it is, as a trusted proxy says; empty: none does.
    """

    address: str
    secure: bool
    user: str = ""


def peer(scope: Scope, settings: Settings) -> Peer:
    """Return who sent a request; headers of anybody but a listed proxy say nothing."""
    client = scope.get("client")
    address = client[0] if client else ""
    secure = scope.get("scheme") in ("https", "wss")
    if not _listed(address, settings):
        return Peer(address, secure)
    headers = Headers(scope=scope)
    said = headers.get("x-forwarded-proto", "").split(",")[-1].strip().lower()
    users = headers.getlist(settings.user_header) if settings.user_header else []
    # Twice the header: one of them came from outside, and which one nobody knows.
    user = users[0].strip() if len(users) == 1 else ""
    return Peer(
        _origin(address, headers.getlist("x-forwarded-for"), settings),
        said == "https" if said else secure,
        user if user.isprintable() and len(user) <= _NAME else "",
    )


def _origin(address: str, forwarded: Iterable[str], settings: Settings) -> str:
    """Return the last address on the way that is no proxy of ours; what stands before it anybody may have written."""
    for one in reversed(",".join(forwarded).split(",")):
        if not _listed(address, settings) or not _parsed(one.strip()):
            break
        address = one.strip()
    return address


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _listed(address: str, settings: Settings) -> bool:
    found = _parsed(address)
    return found is not None and any(found in network for network in settings.proxies)
