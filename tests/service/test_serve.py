"""`tfhealth serve` and `tfhealth push`, as processes: how they begin, what they refuse, and how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.helpers import run_of
from tests.service.postgres import Cluster
from tests.service.serving import ROOT, serving, until
from tfhealth.cli import main
from tfhealth.cli.main import build_parser
from tfhealth.client import Client, push
from tfhealth.destination import SERVER, TOKEN
from tfhealth.service.logs import FORMATS
from tfhealth.service.settings import Settings

TOKENS = re.compile(r"tfh_[\w-]{30,}")


def environment(folder: Path) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TFHEALTH_")}
    return {**bare, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


@contextmanager
def process(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run Python with these words, its output in a terminal; yield it, and the file of what it prints to either."""
    terminal, inner = pty.openpty()
    log = folder / "log"
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment(folder), stdout=inner, stderr=errors
        )
    os.close(inner)
    try:
        shown = folder / "shown"
        shown.write_bytes(b"")

        def address() -> bool:
            with shown.open("ab") as file:
                file.write(os.read(terminal, 10_000))
            return b"http://" in shown.read_bytes()

        until(address)
        yield running, folder
    finally:
        running.kill()
        running.wait()
        os.close(terminal)


def address(folder: Path) -> str:
    """Return where a process answers, once it does."""
    found = re.search(r"http://[\d.:]+", (folder / "shown").read_text())
    assert found is not None

    def answers() -> bool:
        try:
            return httpx.get(f"{found[0]}/healthz", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    until(answers)
    return found[0]


def ended(running: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that is told to end."""
    running.send_signal(signal.SIGTERM)
    return running.wait(60)


def test_a_folder_is_served_without_any_set_up(tmp_path: Path) -> None:
    """The pages are there; at SIGTERM it ends with 0, and its temporary database is gone."""
    (tmp_path / "runs").mkdir()
    with process(tmp_path, "-m", "tfhealth", "serve", "runs", "--port", "0", "--log", "json") as (running, folder):
        where = address(folder)
        assert httpx.get(f"{where}/projects/default/runs").status_code == 200
        assert [path.name for path in tmp_path.glob("tfhealth-*/*.db")] == ["service.db"]
        assert ended(running) == 0
    assert list(tmp_path.glob("tfhealth-*")) == []
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (page,) = (line for line in lines if line.get("path") == "/projects/default/runs")
    assert {"time", "level", "logger", "message", "method", "status", "seconds", "address"} <= page.keys()
    assert page["status"] == 200


def test_the_first_token_is_on_a_terminal_and_in_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lets in; a second start shows none; a run is pushed by a token of the command line."""
    database = f"sqlite:///{tmp_path / 'service.db'}"
    words = ("-m", "tfhealth", "serve", "--database", database, "--tokens", "--port", "0")
    with process(tmp_path, *words) as (running, folder):
        where = address(folder)
        (first,) = TOKENS.findall((folder / "shown").read_text())
        known = {"Authorization": f"Bearer {first}"}
        assert httpx.get(f"{where}/api/v1/whoami", headers=known).json()["scope"] == "admin"
        assert main(["serve", "--database", database, "--new-token", "ci", "--project", "default", "--days", "9"]) == 0
        token = capsys.readouterr().out.strip()
        run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
        push = ["push", str(tmp_path / "run"), "--server", where, "--token", token]
        assert main(push) == 0
        assert re.fullmatch(
            rf"tfhealth: \S+/run: sent: {where}/projects/default/runs/\w{{32}}\n", capsys.readouterr().out
        )
        assert main(push) == 0
        assert ": was there: " in capsys.readouterr().out
        httpx.get(f"{where}/{first}?token={first}", headers=known)
        counted = httpx.get(f"{where}/metrics", headers=known).text
        assert "tfhealth_deltas_received_total 1.0\n" in counted
        assert 'tfhealth_rows_received_total{table="row"} 2.0\n' in counted
        assert ended(running) == 0
    assert "tfh_" not in (tmp_path / "log").read_text()
    with process(tmp_path, *words) as (_, folder):
        address(folder)
        assert TOKENS.findall((folder / "shown").read_text()) == []


ENDLESS = """
import sys
from ipaddress import ip_network
import anyio
from fastapi import APIRouter
from sse_starlette import EventSourceResponse
from tfhealth.service import app, running
from tfhealth.service.settings import Settings

router = APIRouter()

@router.get("/endless")
async def endless():
    async def events():
        while True:
            yield {"data": "x"}
            await anyio.sleep(1)
    return EventSourceResponse(events())

if __name__ == "__main__":
    app.ROUTERS = (*app.ROUTERS, router)
    running.run(running.Running(Settings(database=sys.argv[1], workers=1), port=0))
"""


def test_a_stop_ends_streams_and_finishes_what_is_sent(tmp_path: Path) -> None:
    """A stream without end does not hold it up, and a run that is half sent is taken whole."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    with process(tmp_path, "endless.py", f"sqlite:///{tmp_path / 'service.db'}") as (running, folder):
        where = address(folder)
        host, port = where.removeprefix("http://").split(":")
        with (
            httpx.stream("GET", f"{where}/endless", timeout=60) as stream,
            socket.create_connection((host, int(port)), 60) as sender,
        ):
            events = stream.iter_text()
            assert "data: x" in next(events)
            body = b'{"after": 0, "meta": {"name": "late"}}'
            path = f"/api/v1/projects/default/runs/{'0' * 32}"
            head = f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
            sender.sendall(head.encode() + body[:10])
            next(events)
            running.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.RemoteProtocolError):  # it is cut off: a browser comes back by itself
                for _ in events:
                    pass
            sender.sendall(body[10:])
            assert sender.recv(1000).startswith(b"HTTP/1.1 200")
        assert running.wait(60) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "add --tokens"),
        (["--host", "::"], "add --tokens"),
        (["--host", "no.such.host.invalid"], "is no host of this machine"),
        (["--user-header", "X-User"], "with --proxy ADDRESS"),
        (["--servers", "2"], "several processes need PostgreSQL"),
        (["--proxy", "1.2.3"], "'1.2.3'"),
        (["--database", "mysql://x"], "is not supported"),
        (["--new-token", "x", "--project", "none"], "there is no project 'none'"),
        (["missing"], "no such folder"),
        (["--serve-only", "."], "name one with --database URL"),
    ],
)
def test_what_would_be_no_good_idea_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """In one line that says what to do, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *words]) == 2
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert said in found


def test_several_processes_answer_and_leave_judging_to_others(tmp_path: Path, postgres: Cluster) -> None:
    """Each begins once, however long that takes; a run that they receive waits for a process that judges."""
    url = postgres.new()
    words = ("-m", "tfhealth", "serve", "--database", url, "--servers", "2", "--serve-only", "--port", "0")
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    with process(tmp_path, *words) as (running, folder), Client(address(folder)) as client:
        until(lambda: (folder / "log").read_text().count("startup complete") == 2)
        run = push(client, tmp_path / "run").run
        assert (folder / "log").read_text().count("died") == 0
        with serving(Settings(database=url, workers=1)):
            until(lambda: client.summary("default", run).verdict)
        assert ended(running) == 0
    assert "kind='judge'" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", FORMATS)
def test_every_look_of_the_log_can_be_chosen(name: str) -> None:
    """The command line loads nothing of the service, and so has names of its own."""
    words = ["serve", "--log", name]
    assert build_parser(words).parse_args(words).log == name


def test_a_port_that_is_taken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And which option names another one."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "--port names another one" in capsys.readouterr().err


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment(Path("/")), capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("words", "missing"), [(["serve", "."], "fastapi"), (["push", "run"], "requests")])
def test_a_missing_extra_is_told(words: list[str], missing: str) -> None:
    """By the line that installs it."""
    found = python(
        f"import sys; sys.modules[{missing!r}] = None; from tfhealth.cli import main; sys.exit(main({words!r}))"
    )
    expected = f"tfhealth: {words[0]} needs {missing}: pip install 'tfhealth[service]'\n"
    assert (found.returncode, found.stderr) == (2, expected)


def test_help_loads_nothing_of_the_service() -> None:
    """Neither that of all commands nor that of these two."""
    watched = [
        "fastapi",
        "sqlalchemy",
        "uvicorn",
        "requests",
        "prometheus_client",
        "tfhealth.service",
        "tfhealth.store",
    ]
    code = "import sys; from tfhealth.cli.main import build_parser; build_parser()"
    assert python(f"{code}; print({{*{watched}}} & {{*sys.modules}})").stdout == "set()\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--server", "http://127.0.0.1:9", "--patience", "0"], 3, "cannot be reached"),
        ([], 2, f"give its address, or set {SERVER}"),
        (["--server", "ftp://x"], 2, "is no address of a server"),
    ],
)
def test_a_push_that_fails_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    """With 3 where a run could not be sent, and 2 where that could not be meant."""
    for name in (SERVER, TOKEN):
        monkeypatch.delenv(name, raising=False)
    run_of({("loss", "total", "value"): [1.0]}, folder=tmp_path / "run")
    assert main(["push", str(tmp_path / "run"), *words]) == code
    assert said in capsys.readouterr().err
