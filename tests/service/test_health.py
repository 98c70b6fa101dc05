"""How the service says how it does: health, logs, and what several processes count."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.serving import ROOT, answering, sqlite
from tfhealth.service.app import create_app
from tfhealth.service.logs import FORMATS, without_secrets

TOKEN = "tfh_" + "aB3-_" * 9


def test_health_is_of_the_database_and_of_the_work(tmp_path: Path) -> None:
    """Each alone makes it 503, in words, and without what is wrong inside."""
    folder = tmp_path / "data"
    folder.mkdir()
    app = create_app(sqlite(folder))
    with answering(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        well = client.get("/healthz")
        assert (well.status_code, well.json()) == (200, {"database": "ok", "queue": "ok"})
        app.state.service.queue.close()
        assert client.get("/healthz").json() == {"database": "ok", "queue": "stopped"}
        app.state.service.database.close()
        folder.rename(tmp_path / "gone")
        ill = client.get("/healthz")
        assert (ill.status_code, ill.json()) == (503, {"database": "unreachable", "queue": "stopped"})


def test_an_error_of_the_service_is_told_to_its_log_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asked learns that there was one; the answer is as careful as any other."""
    app = create_app(sqlite(tmp_path))
    with answering(app) as address:
        app.state.service = None
        found = httpx.get(f"{address}/api/v1/whoami", timeout=60)
    assert (found.status_code, found.json()) == (
        500,
        {"detail": "an error of the service; its log says which", "faults": []},
    )
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "GET /api/v1/whoami failed" in caplog.text


def record(message: str, **about: str) -> logging.LogRecord:
    found = logging.LogRecord("tfhealth.requests", logging.INFO, "", 1, message, (), None)
    found.about = about
    return found


def test_a_log_line_of_json_is_one_object() -> None:
    """Whatever a path holds."""
    made = FORMATS["json"]().format(record('GET /a"b\n{', path='/a"b\n{'))
    assert "\n" not in made
    assert json.loads(made)["path"] == '/a"b\n{'


def test_a_log_line_of_text_is_one_line() -> None:
    """Nobody writes a second one, or a command to the terminal, by what they ask for."""
    made = FORMATS["text"]().format(record("GET /\r\n2026-01-01 00:00:00 INFO forged\x1b[2J"))
    assert [mark for mark in "\r\n\x1b" if mark in made] == []


@pytest.mark.parametrize("format", FORMATS)
def test_no_token_is_in_any_log(format: str) -> None:
    """Nor a password of a database, however they came there."""
    made = FORMATS[format]().format(record(f"GET /{TOKEN} postgresql://ada:lovelace@db/x", path=f"/{TOKEN}"))
    assert [secret for secret in (TOKEN, "lovelace") if secret in made] == []
    assert without_secrets("GET /static/report.css") == "GET /static/report.css"


def test_several_processes_count_together(tmp_path: Path) -> None:
    """What any of them tells is the sum of all."""
    code = (
        "from tfhealth.service import metrics\n"
        "metrics.rows_received({'row': 3})\n"
        "print(metrics.exposition({'judge': 2}).decode())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ][-1]
    assert 'tfhealth_rows_received_total{table="row"} 6.0\n' in told
    assert 'tfhealth_work_waiting{kind="judge"} 2.0\n' in told
    assert "pid=" not in told
