"""What a service takes on this machine: runs that are sent at once, pages over many runs, and runs judged again.

    python benchmarks/service.py [--database postgresql://…] [--quick] [PART ...]

Everything goes over loopback to a real server in a process of its own, on a new SQLite database or on the PostgreSQL
that is named, whose tables of tfhealth should be empty. Parts:

put     many senders at once, each with one run that grows: probes a second that are accepted, and how long a put takes
pages   lists and runs among many that are stored: how long an answer takes
again   stored runs judged again, with one worker and with two: runs a second, and what the parts of it cost
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import http.client
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from sqlalchemy import func, insert, select, update

from tfhealth import evaluate, load_checklist
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
from tfhealth.service import work
from tfhealth.service.settings import Settings
from tfhealth.store import finding, receiving, runs
from tfhealth.store.database import connected
from tfhealth.store.judging import Judged, curves, judge_name
from tfhealth.store.tables import Base, Chunk, FoundRule, Judgement, StoredRun
from tfhealth.wire.outgoing import Outgoing

LAYERS, ROWS, PUTS = 20, 10, 10
"""Of a run that is sent: its layers, the probed steps in one put, and how many puts."""

STATISTICS = {
    "activation": ("mean", "std", "zero_fraction", "absmax"),
    "gradient": ("norm", "nonfinite", "mean"),
    "weight": ("norm", "std", "mean"),
    "update": ("norm",),
}


def grown(rows):
    """Yield a run's deltas, each of `rows` more probed steps; the last one ends it."""
    recorder = Recorder(None)
    recorder.meta(name="benchmark")
    recorder.site(Site("fact", "model"), {"name": "net", "parameters": 1_000_000})
    probes = []
    for place in range(LAYERS):
        for kind, names in STATISTICS.items():
            site = Site(kind, f"encoder/block_{place}/dense")
            recorder.site(site, {"layer": "Dense", "output": False, "shape": [64, 64]}, place)
            probes += [Probe(site, name) for name in names]
    rng, layout = np.random.default_rng(0), recorder.layout(probes)
    receiver, run, outgoing = connected("sqlite://"), uuid.uuid4().hex, Outgoing()
    Base.metadata.create_all(receiver.engine)
    with receiver.writing() as session:
        owner = finding.project(session, "default")
        held = receiving.held(session, owner, run)
    for number in range(PUTS):
        recorder.append(layout, np.arange(number * rows, (number + 1) * rows), rng.normal(1, 0.1, (rows, len(probes))))
        recorder.epoch(number, number * rows, {"loss": 1 / (number + 1), "val_loss": 1.1 / (number + 1)})
        if number == PUTS - 1:
            recorder.finish("completed")
        with recorder.lent() as connection:
            delta = outgoing.delta(connection, held)
        yield delta
        with receiver.writing() as session:
            held = receiving.receive(session, owner, run, delta)
    recorder.close()
    receiver.close()


def body(delta):
    data = gzip.compress(delta.model_dump_json().encode(), 1, mtime=0)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return data, {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Content-Digest": f"sha-256=:{digest}:",
    }


def send(address, bodies, began, took, faults):
    """Be one sender: put a run's deltas one after the other."""
    path = f"/api/v1/projects/default/runs/{uuid.uuid4().hex}"
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
    began.wait()
    for data, headers in bodies:
        start = time.perf_counter()
        connection.request("PUT", path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
        took.append(time.perf_counter() - start)
        if answer.status != 200:
            faults.append(f"{answer.status} {text[:200]!r}")
            return


def used(process):
    """Return the CPU seconds that a process took so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def put(address, senders, process):
    """Measure what is accepted of many senders at once."""
    bodies = [body(delta) for delta in grown(ROWS)]
    probes = ROWS * PUTS * LAYERS * sum(len(names) for names in STATISTICS.values())
    began, took, faults = threading.Event(), [], []
    threads = [
        threading.Thread(target=send, args=(urlsplit(address), bodies, began, took, faults)) for _ in range(senders)
    ]
    for one in threads:
        one.start()
    before, start = used(process), time.perf_counter()
    began.set()
    for one in threads:
        one.join()
    seconds = time.perf_counter() - start
    assert not faults, faults[:3]
    cuts = statistics.quantiles(took, n=100)
    size = sum(len(data) for data, _ in bodies)
    print(f"put: {senders} runs at once, {PUTS} puts each, {size / PUTS / 1000:.1f} kB a put, in {seconds:.1f} s")
    print(f"  {senders * probes / seconds:,.0f} probes a second, {senders * PUTS / seconds:,.0f} puts a second")
    print(f"  CPU of the server: {1000 * (used(process) - before) / senders / PUTS:.1f} ms a put")
    print(f"  a put takes {cuts[49] * 1000:.0f} ms, 99 of 100 at most {cuts[98] * 1000:.0f} ms")


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


def pages(address, database, key):
    """Measure answers over the stored runs."""
    with database.reading() as session:
        total = session.scalar(select(func.count()).select_from(StoredRun))
        run = session.get(StoredRun, key + total // 2).id
    shown, api = "/projects/default/runs", "/api/v1/projects/default/runs"
    asked = {
        "list page": shown,
        "list page, one verdict": f"{shown}?verdict=fail",
        "list page, some text": f"{shown}?q=net_3",
        "list, API": f"{api}?most=50",
        "list, API, some text": f"{api}?most=50&text=run+77",
        "list, API, a rule": f"{api}?most=50&rule=GRAD003",
        "run page": f"{shown}/{run}",
        "verdict, API": f"{api}/{run}/result",
    }
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=120)
    print(f"pages: {total:,} stored runs")
    for name, path in asked.items():
        took = []
        for _ in range(15):
            start = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            took.append(1000 * (time.perf_counter() - start))
        print(f"  {name:<24} {statistics.median(took):6.0f} ms, at most {max(took):.0f} ms, status {answer.status}")


def again(database, key, count):
    """Measure how many stored runs are judged again in a second."""
    costs(database, key)
    for workers in (1, 2):
        with database.writing() as session:
            named = StoredRun.key.in_(range(key, key + workers))
            session.execute(update(StoredRun).where(named).values(judged_revision=None))
        process, _ = started(database.url, workers, works=True)
        try:
            while left(database):  # what a process loads once
                time.sleep(0.2)
            start = time.perf_counter()
            with database.writing() as session:
                named = StoredRun.key.in_(range(key, key + count))
                session.execute(update(StoredRun).where(named).values(judged_revision=None))
            while left(database):
                time.sleep(0.2)
            seconds = time.perf_counter() - start
        finally:
            process.terminate()
            process.join()
        print(f"again: {count} runs, {workers} worker{'s' * (workers > 1)}: {count / seconds:.1f} runs a second")


def left(database):
    with database.reading() as session:
        query = select(func.count()).select_from(StoredRun).where(StoredRun.judged_revision.is_(None))
        return session.scalar(query.where(StoredRun.revision > 0))


def costs(database, key):
    """Say what the parts of judging and of a report cost, in CPU time of one process."""
    checklist = load_checklist(profile={})
    with database.reading() as session:
        stored = session.get(StoredRun, key)
        loading = cpu(lambda: runs.load(session, stored), 5)
        run = runs.load(session, stored)
    judging = cpu(lambda: evaluate(checklist, run), 5)
    print(f"CPU of one run: loaded in {loading:.0f} ms, judged in {judging:.0f} ms", end="")
    for format in ("html", "pdf"):
        work.render(database.url, key, "", format)
        print(f", {format} in {cpu(lambda made=format: work.render(database.url, key, '', made), 1):.0f} ms", end="")
    print()


def cpu(act, rounds):
    took = []
    for _ in range(rounds):
        start = time.process_time()
        act()
        took.append(time.process_time() - start)
    return 1000 * min(took)


def serve(url, port, workers, works):
    """Be the server."""
    import uvicorn

    from tfhealth.service.app import create_app

    settings = Settings(database=url, workers=workers, works=works)
    uvicorn.run(create_app(settings), port=port, log_level="warning", access_log=False, backlog=2048)


def started(url, workers=1, works=False):
    """Start a server; return its process and its address."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port, workers, works))
    process.start()
    for _ in itertools.count():
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()
            break
        except OSError:
            assert process.is_alive()
            time.sleep(0.1)
    return process, f"http://127.0.0.1:{port}"


PARTS = ("put", "pages", "again")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help="all by default")
    parser.add_argument("--database", help="a PostgreSQL; a new SQLite file by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, for a machine with other work")
    arguments = parser.parse_args()
    scale, parts = (10 if arguments.quick else 1), arguments.parts or PARTS
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database or f"sqlite:///{Path(folder) / 'service.db'}"
        print(json.dumps({"database": urlsplit(url).scheme, "cores": os.cpu_count(), "load": os.getloadavg()}))
        process, address = started(url)
        database = connected(url)
        try:
            if "put" in parts:
                put(address, 200 // scale, process)
            if {"pages", "again"} & set(parts):
                key = fill(database, 10_000 // scale)
            if "pages" in parts:
                pages(address, database, key)
            process.terminate()
            process.join()
            if "again" in parts:
                again(database, key, 1000 // scale)
        finally:
            process.terminate()
            process.join()
            database.close()


if __name__ == "__main__":
    main()
