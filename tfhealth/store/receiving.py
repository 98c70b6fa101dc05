"""A delta of a run -> rows in the database, whole or not at all, and only what is not there yet."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import LargeBinary, cast, func, update
from sqlalchemy.orm import Session

from tfhealth.store import finding
from tfhealth.store.tables import Chunk, Project, StoredRun
from tfhealth.store.tables.base import now
from tfhealth.wire.delta import HEADS, TABLES, Delta, Held, Stretch, digest

__all__ = ["GapError", "held", "packed", "receive", "summarize", "unpacked", "unpacked_rows"]

_FULL = 64_000
"""Bytes of a chunk that is not made longer."""


class GapError(ValueError):
    """A delta goes on from what was not received; the sender asks what is held and sends from there."""


def held(session: Session, project: Project, run_id: str) -> Held:
    """Return what is held of a run; of one that is not known, nothing."""
    found = finding.by_id(session, project, run_id)
    return Held(revision=0, rows=dict.fromkeys(TABLES, 0)) if found is None else _held(found)


def receive(session: Session, project: Project, run_id: str, delta: Delta, person: str = "") -> Held:
    """Take a delta; one that is sent again changes nothing.

    Args:
        session: one that writes.
        project: whose run it is.
        run_id: the run's identity.
        delta: what is new.
        person: who sends it.

    Returns:
        What is held now.

    Raises:
        GapError: rows between what is held and what is sent are missing.
    """
    run = finding.by_id(session, project, run_id, lock=True)
    if run is None:
        run = StoredRun(project_id=project.id, id=run_id, person=person, held={}, digests={}, revision=0)
        session.add(run)
        session.flush()
    if run.folder is not None:  # from now on it is what is sent, and no longer what lies in a folder here
        run.folder, run.held = None, {}
    taken = [_take(session, run, stretch) for stretch in delta.stretches]
    # What travels whole is replaced: by who knew what is there, and not by a delta that came late.
    heads = delta.after == run.revision and _take_head(run, delta)
    if any(taken) or heads:
        run.revision += 1
        run.changed = now()
    session.flush()
    return _held(run)


def _held(run: StoredRun) -> Held:
    rows = {table: int(run.held.get(table, 0)) for table in TABLES}
    return Held(revision=run.revision, rows=rows, heads=run.digests)


def _take(session: Session, run: StoredRun, stretch: Stretch) -> bool:
    """Keep the rows of a stretch that are not held; return whether there were any."""
    have = int(run.held.get(stretch.table, 0))
    if stretch.first > have + 1:
        raise GapError(f"rows {have + 1} to {stretch.first - 1} of {stretch.table} are missing")
    new = stretch.rows[have + 1 - stretch.first :]
    if not new:
        return False
    data = packed(new)
    # A run that is sent while it goes on comes in thousands of small parts, which would all be rows of their own.
    longer = cast(Chunk.data.op("||")(data), LargeBinary)
    grown = session.execute(
        update(Chunk)
        .where(
            Chunk.run_key == run.key, Chunk.kind == stretch.table, Chunk.last == have, func.length(Chunk.data) < _FULL
        )
        .values(last=stretch.last, data=longer)
        .execution_options(synchronize_session=False)
    )
    if not grown.rowcount:  # type: ignore[attr-defined] # SQLAlchemy's types do not know that this is an UPDATE
        session.add(Chunk(run_key=run.key, kind=stretch.table, first=have + 1, last=stretch.last, data=data))
    run.held = {**run.held, stretch.table: stretch.last}
    return True


def _take_head(run: StoredRun, delta: Delta) -> bool:
    """Keep what is sent whole and is other than what is held; return whether there was anything."""
    sent = {name: value for name, value in delta.model_dump(include=set[str](HEADS)).items() if value is not None}
    digests = {name: digest(value) for name, value in sent.items()}
    if digests.items() <= run.digests.items():
        return False
    head = {**(unpacked(run.head) if run.head else {}), **sent}
    run.head, run.digests = packed(head), {**run.digests, **digests}
    sites = (one for one in head.get("sites", ()) if (one["kind"], one["name"]) == ("fact", "model"))
    model = next((one["attributes"].get("name") for one in sites), "")
    summarize(run, head.get("meta", {}), model)
    return True


def summarize(run: StoredRun, meta: Mapping[str, Any], model: object) -> None:
    """Copy what lists show of a run out of what it says of itself; `model` is what it says its model is called."""
    run.name, run.model = _short(meta.get("name"), 200), _short(model, 200)
    run.status = _short(meta.get("status"), 20) or "running"
    run.started = _time(meta.get("started")) or run.started or now()
    run.ended = _time(meta.get("ended"))
    steps = meta.get("steps")
    # While a run goes on it says nothing of it, and what was judged of it knows better.
    run.steps = max(run.steps or 0, steps if isinstance(steps, int) and 0 <= steps < 2**53 else 0)


def _short(value: object, most: int) -> str:
    return value.replace("\0", "")[:most] if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def packed(value: object) -> bytes:
    """Return something in JSON's shape, compressed."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def unpacked(data: bytes) -> Any:
    """Return what was packed."""
    return json.loads(zlib.decompress(data))


def unpacked_rows(data: bytes) -> list[Any]:
    """Return the rows of a chunk, which is packed lists of rows one after the other."""
    found: list[Any] = []
    while data:
        unpacker = zlib.decompressobj()
        found += json.loads(unpacker.decompress(data))
        data = unpacker.unused_data
    return found
