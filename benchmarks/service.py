"""What a service takes on this machine: runs that are sent at once, pages over many runs, and runs judged again.

    python benchmarks/service.py [--database postgresql://…] [--quick] [PART ...]

Everything goes over loopback to a real server in a process of its own, on a new SQLite database or on the PostgreSQL
that is named, whose tables of tfhealth should be empty. Parts:

put     many senders at once, each with one run that grows: probes a second that are accepted, and how long a put takes
pages   lists and runs among many that are stored: how long an answer takes
again   stored runs judged again, with one worker and with two: runs a second, and what the parts of it cost
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from sent import put
from served import started
from sqlalchemy import func, select, update
from stored import fill

from tfhealth import evaluate, load_checklist
from tfhealth.service import work
from tfhealth.store import runs
from tfhealth.store.database import connected
from tfhealth.store.tables import StoredRun

PARTS = ("put", "pages", "again")


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
