"""Every delta of a run, as a receiver that takes them all is sent them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tfhealth.wire.delta import HEADS, Delta, Held, digest
from tfhealth.wire.outgoing import Outgoing


def deltas(connection: sqlite3.Connection, held: Held) -> Iterator[Delta]:
    """Yield what completes a receiver, one part after the other."""
    outgoing = Outgoing()
    while (delta := outgoing.delta(connection, held)) is not None:
        yield delta
        sent = {name: value for name, value in delta.model_dump().items() if name in HEADS and value is not None}
        rows = {stretch.table: stretch.last for stretch in delta.stretches}
        heads = {name: digest(value) for name, value in sent.items()}
        held = Held(revision=held.revision + 1, rows={**held.rows, **rows}, heads={**held.heads, **heads})
