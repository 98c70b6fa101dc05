"""A run that grows -> deltas, and the puts of many senders at once."""

import base64
import gzip
import hashlib
import http.client
import statistics
import threading
import time
import uuid
from urllib.parse import urlsplit

import numpy as np
from served import used

from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
from tfhealth.store import finding, receiving
from tfhealth.store.database import connected
from tfhealth.store.tables import Base
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
