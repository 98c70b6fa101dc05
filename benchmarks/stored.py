"""One run, judged -> many that are stored."""

import uuid
from datetime import UTC, datetime, timedelta

from sent import ROWS, grown
from sqlalchemy import insert, select

from tfhealth import evaluate, load_checklist
from tfhealth.store import finding, receiving, runs
from tfhealth.store.judging import Judged, curves, judge_name
from tfhealth.store.tables import Chunk, FoundRule, Judgement, StoredRun


def fill(database, count):
    """Store many judged runs, all with the rows and the verdict of one; return the first key."""
    checklist = load_checklist(profile={})
    with database.writing() as session:
        owner = finding.project(session, "default")
        first = uuid.uuid4().hex
        for delta in grown(ROWS):
            receiving.receive(session, owner, first, delta)
        pattern = finding.by_id(session, owner, first)
        run = runs.load(session, pattern)
        judged = Judged(pattern.revision, judge_name(""), evaluate(checklist, run), curves(run))
        chunks = session.scalars(select(Chunk).where(Chunk.run_key == pattern.key)).all()
        copied = {one.name: getattr(pattern, one.name) for one in StoredRun.__table__.columns if one.name != "key"}
        begins, base = datetime.now(UTC) - timedelta(days=365), pattern.key
        same = [{"kind": one.kind, "first": one.first, "last": one.last, "data": one.data} for one in chunks]
    for lowest in range(0, count, 500):
        keys = range(base + 1 + lowest, base + 1 + min(lowest + 500, count))
        with database.writing() as session:
            session.execute(insert(StoredRun), [row(key, copied, judged, begins, base) for key in keys])
            session.execute(insert(Judgement), [verdict(key, judged) for key in keys])
            session.execute(insert(FoundRule), [one for key in keys for one in found(key, judged)])
            session.execute(insert(Chunk), [one | {"run_key": key} for key in keys for one in same])
    size = sum(len(one.data) for one in chunks)
    print(
        f"a stored run: {size / 1000:.0f} kB of rows in {len(chunks)} chunks, {len(pattern.head) / 1000:.1f} kB of "
        f"names and facts, {len(packed(judged)[0]) / 1000:.0f} kB of verdict"
    )
    return base + 1


def row(key, copied, judged, begins, base):
    verdicts, number = ("pass", "warn", "fail"), key - base
    return copied | {
        "key": key,
        "id": uuid.uuid4().hex,
        "name": f"run {number}",
        "model": f"net_{number % 7}",
        "person": f"person {number % 11}",
        "started": begins + timedelta(minutes=number),
        "judged_revision": judged.revision,
        "judged_by": judged.by,
        "verdict": verdicts[number % 3],
        "cause": f"GRAD{number % 12:03}",
        "cause_title": "Gradients vanish on their way to the first layers",
    }


def packed(judged):
    return receiving.packed(judged.result.model_dump(mode="json")), receiving.packed(judged.curves)


def verdict(key, judged):
    result, drawn = packed(judged)
    return {"run_key": key, "result": result, "curves": drawn, "made": datetime.now(UTC)}


def found(key, judged):
    for place in range(4):
        rule = f"GRAD{(key + place) % 12:03}"
        yield {"run_key": key, "rule": rule, "title": rule, "leading": place == 0}
