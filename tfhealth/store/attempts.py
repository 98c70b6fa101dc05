"""Tokens that were refused -> how long an address has to wait before it may show another one."""

from __future__ import annotations

import ipaddress
import math
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tfhealth.store.tables import Attempt
from tfhealth.store.tables.base import now

__all__ = ["refused", "wait"]

_WINDOW = timedelta(minutes=1)


def wait(session: Session, address: str, most: int) -> int:
    """Return for how many seconds an address shows no token; 0: it may.

    Args:
        session: to read.
        address: whose attempts count.
        most: different tokens that may be refused in a minute.
    """
    since = now() - _WINDOW
    query = select(func.count(Attempt.digest.distinct()), func.min(Attempt.at))
    count, first = session.execute(query.where(Attempt.address == _counted(address), Attempt.at > since)).one()
    return max(1, math.ceil((first - since).total_seconds())) if count >= most else 0


def refused(session: Session, address: str, digest: str) -> None:
    """Count a token that was refused; those of long ago are cleared away.

    The same one counts once, so that a job with a stale token locks nobody out who shares its address.
    """
    counted = _counted(address)
    session.execute(delete(Attempt).where(Attempt.at <= now() - _WINDOW))
    known = select(Attempt.id).where(Attempt.address == counted, Attempt.digest == digest).limit(1)
    if session.scalar(known) is None:
        session.add(Attempt(address=counted, digest=digest))


def _counted(address: str) -> str:
    """Return the address, or of IPv6 the network of a subscriber, which has as many addresses as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False).network_address)
