"""An address is told of a first critical finding and of the end, once each, and nobody is led astray by one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests
from sqlalchemy import select

from tests.helpers import run_of
from tests.service.serving import serving, until
from tfhealth.client import Client, push
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
from tfhealth.service.sending import SendingError, checked, send
from tfhealth.service.settings import Settings
from tfhealth.service.tasks.delivering import DELIVER
from tfhealth.service.tasks.task import Means
from tfhealth.store import finding
from tfhealth.store.database import connected
from tfhealth.store.tables import Delivery, Project, StoredRun, Webhook
from tfhealth.store.tables.base import now


class Ear(ThreadingHTTPServer):
    """A small server that hears what is posted to it, and answers by its path."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, object]]] = []
        self.deaf = False
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, body))
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"{self.server.address}/secret")
            self.end_headers()
        elif self.path == "/drips":
            self.drip()
        elif self.path == "/floods":
            self.flood()
        else:
            self.send_response(503 if self.server.deaf else 204)
            self.end_headers()

    def drip(self) -> None:
        """Answer a byte at a time, each well before a socket's own limit."""
        try:
            for byte in b"HTTP/1.1 200 " + b"O" * 1000:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            return

    def flood(self) -> None:
        """Answer without an end."""
        self.send_response(500)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 100_000)
        except OSError:
            return

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear() as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def record(folder: Path) -> Recorder:
    """Begin a run that is sick in its second step."""
    recorder = Recorder(folder)
    recorder.meta(name="<!channel> & co")
    probe = Probe(Site("gradient", "dense/kernel"), "nonfinite")
    recorder.site(probe.site, {}, 0)
    layout = recorder.layout([probe])
    recorder.append(layout, np.arange(2), np.array([[0.0], [1.0]]))
    return recorder


def test_both_events_are_told_once_and_an_address_that_is_deaf_hears_them_later(ear: Ear, tmp_path: Path) -> None:
    """A run that goes on is told as critical, then as ended; not again when it is sent or judged again."""
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'service.db'}", workers=1, private_webhooks=True, address="https://h.example"
    )
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "old")
    recorder = record(tmp_path / "run")
    database = connected(settings.database)
    database.upgrade()
    with database.writing() as session:
        finding.project(session, "default").profile = "gate: {fail_on: error}"
    database.close()
    with serving(settings) as address, Client(address) as client:
        for path, shape in (("/json", "json"), ("/slack", "slack")):
            hook = {"url": ear.address + path, "shape": shape}
            assert requests.post(f"{address}/projects/default/webhooks", hook, timeout=60).status_code == 200
        ear.deaf = True
        run = push(client, tmp_path / "run").run
        until(lambda: len(ear.heard) >= 2)
        ear.deaf = False
        until(lambda: len(ear.heard) >= 4)
        recorder.finish("failed")
        recorder.close()
        push(client, tmp_path / "run")
        until(lambda: len(ear.heard) >= 6)
        old = push(client, tmp_path / "old").run
        until(lambda: client.summary("default", old).verdict)
        page = requests.get(f"{address}/projects/default/webhooks", timeout=60).text
        assert page.count(">ended, <time") + page.count("\nended, <time") == 2
    told = {path: [body for heard, body in ear.heard if heard == path] for path in ("/json", "/slack")}
    assert [body["event"] for body in told["/json"]] == ["critical", "critical", "ended"]
    last = told["/json"][-1]
    assert (last["run"], last["verdict"], last["cause"], last["status"]) == (run, "fail", "GRAD005", "failed")
    assert (last["critical"], last["gate"]) == ("GRAD005", "failed")
    assert last["link"] == f"https://h.example/projects/default/runs/{run}"
    first = str(told["/slack"][0]["text"])
    link = f"<https://h.example/projects/default/runs/{run}|&lt;!channel&gt; &amp; co>"
    assert first.startswith(f"{link} (default): critical: NaN or Inf in the training step. ")
    assert "failed, gate failed. " in str(told["/slack"][-1]["text"])


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("{}/elsewhere", "answered 302: "),
        ("{}/floods", "answered 500: xxx"),
        ("{}/drips", "no answer in 1 s"),
        ("http://127.0.0.1:1/", "ConnectionRefusedError: "),
    ],
)
def test_an_answer_may_lead_nowhere_and_has_an_end(ear: Ear, url: str, what: str) -> None:
    """A redirect is not followed, a flood is not read, and a server that drips is left alone."""
    with pytest.raises(SendingError) as caught:
        send(url.format(ear.address), {"event": "ended"}, private=True, seconds=1)
    assert str(caught.value).startswith(what)
    assert len(str(caught.value)) < 1200
    assert [path for path, _ in ear.heard if path == "/secret"] == []


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "0.0.0.0", "[::]"),
        *("[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f.1", "224.0.0.1", "[2002:7f00:1::]"),
    ],
)
def test_machines_of_private_networks_are_not_spoken_to(ear: Ear, host: str) -> None:
    """However the address is written; the same address is heard where they are allowed."""
    port = ear.server_address[1]
    with pytest.raises(SendingError, match=r"private network|is not known"):
        send(f"http://{host}:{port}/x", {}, private=False, seconds=1)
    assert ear.heard == []


def test_an_allowed_private_machine_is_spoken_to(ear: Ear) -> None:
    """Else the test before this one would show nothing."""
    send(f"http://localhost:{ear.server_address[1]}/x?y=1", {"a": 1}, private=True)
    assert ear.heard == [("/x?y=1", {"a": 1})]


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.org/", "file:///etc/passwd", "https://", "http://a b/", "http://u:p@example.org/"),
        *("http://example.org/\r\nX: y", "javascript:alert(1)", "http://example.org:0/", "http://example.org:99999/"),
        *("http://[::1/", "http://exämple.org/", "https://example.org/" + "x" * 2000),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before anything is asked for."""
    with pytest.raises(SendingError):
        checked(url)


def test_a_machine_that_never_answers_is_given_up_after_a_day(tmp_path: Path) -> None:
    """Each attempt comes after a longer pause, and after a day there is none."""
    database = connected(f"sqlite:///{tmp_path / 'service.db'}")
    database.upgrade()
    with database.writing() as session:
        project = Project(slug="default")
        session.add(project)
        session.flush()
        run = StoredRun(project_id=project.id, id="0" * 32)
        hook = Webhook(project_id=project.id, url="http://127.0.0.1:1/")
        session.add_all([run, hook])
        session.flush()
        told = Delivery(webhook_id=hook.id, run_key=run.key, event="ended", body={})
        session.add(told)
        session.flush()
        key = told.id
    means = Means(Settings(database=database.url), database, None)  # type: ignore[arg-type] # a process apart is not needed
    pauses = []
    for _ in range(3):
        DELIVER.perform(means, key)
        with database.writing() as session:
            row = session.get_one(Delivery, key)
            assert row.due is not None
            pauses.append(row.due - now())
    assert pauses == sorted(pauses)
    with database.writing() as session:
        session.get_one(Delivery, key).created = now() - timedelta(days=1)
    DELIVER.perform(means, key)
    with database.reading() as session:
        row = session.get_one(Delivery, key)
        assert (row.due, row.told, row.attempts) == (None, None, 4)
        assert "private network" in row.trouble
        assert session.scalars(DELIVER.due(now() + timedelta(days=9))).all() == []
        assert session.scalars(select(Delivery.id)).all() == [key]
    database.close()


def test_an_address_is_entered_and_removed(tmp_path: Path) -> None:
    """By the page, which says what is wrong with one, and by the API."""
    with serving(Settings(database=f"sqlite:///{tmp_path / 'service.db'}", workers=1)) as address:
        page, api = f"{address}/projects/default/webhooks", f"{address}/api/v1/projects/default/webhooks"
        refused = requests.post(page, {"url": "file:///etc/passwd"}, timeout=60)
        assert refused.status_code == 422
        assert "is no address" in refused.text
        assert requests.post(api, json={"url": "ftp://x"}, timeout=60).status_code == 422
        entered = requests.post(api, json={"url": "https://example.org/x", "shape": "slack"}, timeout=60)
        assert (entered.status_code, entered.json()["shape"]) == (201, "slack")
        assert "https://example.org/x" in requests.get(page, timeout=60).text
        assert requests.post(f"{page}/{entered.json()['id']}/remove", timeout=60).status_code == 200
        assert requests.get(api, timeout=60).json() == []
        assert requests.delete(f"{api}/{entered.json()['id']}", timeout=60).status_code == 404
