"""A run that is pushed is the run that was recorded, and is judged the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import run_of
from tests.service.conftest import database_url
from tests.service.serving import serving, until
from tests.service.test_migrations import received
from tfhealth import evaluate, load_checklist, load_run
from tfhealth.client import Client, push
from tfhealth.service.settings import Settings
from tfhealth.store.database import Database
from tfhealth.store.receiving import summarize
from tfhealth.store.tables import StoredRun


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    url = database_url(request, tmp_path_factory.mktemp("service"))
    with serving(Settings(database=url, workers=1)) as address, Client(address) as found:
        yield found


def test_a_pushed_run_is_judged_as_its_folder_is(client: Client, tmp_path: Path) -> None:
    """Every finding and every row is the same, whichever way the run went."""
    run_of({("gradient", "dense/kernel", "nonfinite"): [0.0, 1.0, 1.0]}, folder=tmp_path / "run")
    pushed = push(client, tmp_path / "run")
    until(lambda: client.summary("default", pushed.run).verdict)
    there = client.result("default", pushed.run)
    here = evaluate(load_checklist(profile={}), load_run(tmp_path / "run"))
    assert [*here.findings] == there.findings
    assert here.checklist == there.checklist
    assert there.verdict == "fail"


def test_what_is_there_is_not_sent_again(client: Client, tmp_path: Path) -> None:
    """A push of a run that did not change sends nothing."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    assert push(client, tmp_path / "run").deltas == 1
    assert push(client, tmp_path / "run").deltas == 0


def test_steps_that_were_seen_are_not_forgotten_while_a_run_goes_on(database: Database, tmp_path: Path) -> None:
    """A run says how many steps it had at its end; until then its last verdict does."""
    key = received(database, tmp_path / "run")
    with database.writing() as session:
        stored = session.get_one(StoredRun, key)
        stored.steps = 40
        summarize(stored, {"status": "running"}, "")
        assert stored.steps == 40
        summarize(stored, {"status": "completed", "steps": 60}, "")
        assert stored.steps == 60
