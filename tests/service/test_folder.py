"""A folder of runs is its own list: what lies in it is shown, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from tests.helpers import run_of
from tests.service.serving import serving, until
from tfhealth.client import Client, push
from tfhealth.recorder import Recorder
from tfhealth.service.settings import Settings
from tfhealth.store import finding
from tfhealth.store.database import Database, connected
from tfhealth.store.folders import FolderIndex
from tfhealth.store.tables import StoredRun

LOSS = {("loss", "total", "value"): [2.0, 1.0]}


@pytest.fixture
def database(tmp_path: Path):
    found = connected(f"sqlite:///{tmp_path / 'service.db'}")
    found.upgrade()
    yield found
    found.close()


def listed(database: Database) -> dict[str, StoredRun]:
    with database.reading() as session:
        return {Path(str(run.folder)).name: run for run in session.scalars(select(StoredRun))}


def test_runs_are_found_where_runs_may_lie(database: Database, tmp_path: Path) -> None:
    """At any depth that is bounded; not in hidden folders, behind links, below a run, or in files that are none."""
    root = tmp_path / "root"
    for name in ("a", "team/b", "1/2/3/4/5/deep", "1/2/3/4/5/6/deeper", ".hidden/c", "a/inner"):
        run_of(LOSS, folder=root / name)
    run_of(LOSS, folder=tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "linked").mkdir()
    (root / "linked" / "run.db").symlink_to(tmp_path / "outside" / "run.db")
    (root / "broken").mkdir()
    (root / "broken" / "run.db").write_bytes(b"no run")
    (root / "loop").symlink_to(root, target_is_directory=True)
    index = FolderIndex(database, root)
    assert index.update() == 3
    assert sorted(listed(database)) == ["a", "b", "deep"]
    assert sorted(run.name for run in listed(database).values()) == ["1/2/3/4/5/deep", "a", "team/b"]
    assert index.update() == 0


def test_a_single_run_is_a_folder_too(database: Database, tmp_path: Path) -> None:
    """It has the name that it says."""
    run_of(LOSS, folder=tmp_path / "run")
    assert FolderIndex(database, tmp_path / "run").update() == 1
    assert [run.name for run in listed(database).values()] == ["trial"]


def test_what_changes_and_what_goes_is_seen(database: Database, tmp_path: Path) -> None:
    """A run that grows has a new revision, a copy is no second run, and what vanishes is taken out."""
    root = tmp_path / "root"
    recorder = Recorder(root / "grows")
    recorder.meta(name="grows")
    run_of(LOSS, folder=root / "stays", status="completed")
    index = FolderIndex(database, root)
    assert index.update() == 2
    before = listed(database)
    assert (before["grows"].status, before["stays"].status) == ("running", "completed")
    recorder.finish("failed")
    recorder.close()
    shutil.copytree(root / "grows", root / "z-copy")
    assert index.update() == 1
    after = listed(database)
    assert sorted(after) == ["grows", "stays"]
    assert after["grows"].status == "failed"
    assert after["grows"].revision > before["grows"].revision
    assert after["stays"].revision == before["stays"].revision
    shutil.rmtree(root / "grows")
    assert index.update() == 2  # gone, and its copy is the run now
    assert sorted(listed(database)) == ["stays", "z-copy"]
    root.rename(tmp_path / "away")
    assert index.update() == 0
    assert sorted(listed(database)) == ["stays", "z-copy"]


def test_thousands_of_runs_are_read_once(database: Database, tmp_path: Path) -> None:
    """After they were listed, nothing but the sizes and times of their files is looked at."""
    root = tmp_path / "root"
    run_of(LOSS, folder=root / "0")
    for number in range(1, 300):
        (root / str(number)).mkdir()
        (root / str(number) / "run.db").write_bytes((root / "0" / "run.db").read_bytes())
    index = FolderIndex(database, root)
    index.update()
    for number in range(300):  # a file that were opened now would be found damaged, and its run taken out
        path = root / str(number) / "run.db"
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        path.write_bytes(b"x" * path.stat().st_size)
        os.utime(path, ns=times)
    assert index.update() == 0
    assert list(listed(database)) == ["0"]


def test_a_served_folder_is_judged_and_a_pushed_run_is_no_longer_read_from_it(tmp_path: Path) -> None:
    """Runs in the folder are judged without being pushed; one that is pushed is what was sent."""
    root = tmp_path / "root"
    run_of({("gradient", "dense/kernel", "nonfinite"): [0.0, 1.0]}, folder=root / "one")
    settings = Settings(database=f"sqlite:///{tmp_path / 'service.db'}", folder=root, workers=1)
    with serving(settings) as address, Client(address) as client:
        database = connected(settings.database)
        key = until(lambda: list(listed(database).values()))[0].id
        until(lambda: client.summary("default", key).verdict == "fail")
        assert requests.delete(f"{address}/api/v1/projects/default/runs/{key}", timeout=60).status_code == 409
        assert "Delete" not in requests.get(f"{address}/projects/default/runs/{key}", timeout=60).text
        assert push(client, root / "one").run == key
        shutil.rmtree(root)
        with database.reading() as session:
            owner = finding.project(session, "default")
            stored = finding.by_id(session, owner, key)
            assert stored is not None
            assert stored.folder is None
        until(lambda: client.summary("default", key).verdict == "fail")
        database.close()
