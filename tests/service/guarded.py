"""A service where everybody needs a token, with two projects, tokens of all kinds, and this machine as its proxy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx

from tests.service.serving import serving
from tfhealth.service.settings import Settings
from tfhealth.store import finding, tokens
from tfhealth.store.database import Database, connected

WRONG = 4
"""Tokens that may be refused in a minute."""

_ADDRESSES = (f"203.0.113.{number}" for number in itertools.count(1))


@dataclass(frozen=True)
class Place:
    """A running service and {what a token may: the token}."""

    address: str
    database: Database
    tokens: dict[str, str]

    def ask(self, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        """Send one request, from an address of its own, as the proxy says; no redirect is followed."""
        headers = {"X-Forwarded-For": next(_ADDRESSES)} | more.pop("headers", {})
        if token:
            headers |= {"Authorization": f"Bearer {self.tokens.get(token, token)}"}
        return httpx.request(method, f"{self.address}{path}", headers=headers, timeout=60, **more)


@contextmanager
def guarded(folder: Path) -> Iterator[Place]:
    """Run such a service with a database in a folder."""
    settings = Settings(
        database=f"sqlite:///{folder / 'service.db'}",
        workers=1,
        tokens=True,
        wrong_tokens=WRONG,
        user_header="X-User",
        admins=("ada",),
        proxies=(ip_network("127.0.0.1/32"),),
        largest_body=2_000_000,
    )
    database = connected(settings.database)
    database.upgrade()
    with database.writing() as session:
        default, other = finding.project(session, "default"), finding.project(session, "other")
        made = {
            "admin": tokens.make(session, "all", "admin", None, None),
            "reader": tokens.make(session, "looks", "read", None, 1),
            "ingest": tokens.make(session, "sends", "ingest", default, None),
            "read": tokens.make(session, "looks here", "read", default, None),
            "own": tokens.make(session, "runs it", "admin", default, None),
            "other": tokens.make(session, "runs the other", "admin", other, None),
            "expired": tokens.make(session, "old", "admin", None, -1),
            "revoked": tokens.make(session, "gone", "admin", None, None),
        }
        tokens.revoke(session, made["revoked"][1])
    with serving(settings) as address:
        yield Place(address, database, {name: secret for name, (secret, _) in made.items()})
    database.close()
