"""A project whose profile takes a pack in: its reports look as the pack wants, on the page as in the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from tests.helpers import run_of
from tests.service.serving import ROOT, serving, sqlite, until
from tests.test_packs import install
from tfhealth.client import Client, push
from tfhealth.store import finding
from tfhealth.store.database import connected

ACME = ROOT / "examples" / "acme-rules" / "acme_rules"


def test_the_page_of_a_report_has_the_look_of_the_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Title, logo and footer stand around the report, the style sheet is in force, and the run is named once."""
    without = shutil.ignore_patterns("ACME008*")  # measures what a module of the pack computes
    shutil.copytree(ACME, tmp_path / "site" / ACME.name, ignore=without)
    install(tmp_path / "site", f"acme-rules = {ACME.name}", "acme-rules")
    monkeypatch.syspath_prepend(tmp_path / "site")
    settings = sqlite(tmp_path)
    database = connected(settings.database)
    database.upgrade()
    with database.writing() as session:
        finding.project(session, "default").profile = "extends: [built-in, acme-rules]\n"
    database.close()
    run_of({("loss", "total", "value"): [2.0, 1.5, 1.0]}, folder=tmp_path / "run")
    with serving(settings) as address, Client(address) as client:
        run = push(client, tmp_path / "run").run
        until(lambda: client.summary("default", run).verdict)
        page = httpx.get(f"{address}/projects/default/runs/{run}/report", timeout=120).text
        assert 'alt="Logo of Acme Training Standards"' in page
        assert '<p class="brand">Acme Training Standards <span>' in page
        assert page.count("was judged by the Acme Training Standards") == 1
        assert "Release form" in page
        assert page.count("<h1>") == 1
        assert '<link rel="stylesheet" href="/projects/default/look.css">' in page
        style = httpx.get(f"{address}/projects/default/look.css", timeout=60)
        assert style.headers["content-type"].startswith("text/css")
        assert ".brand { color: #8b1e3f; }" in style.text
