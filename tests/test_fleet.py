"""Many runs are judged at once, here or on a Ray cluster; what comes of it are tables that answer questions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import ClassVar

import duckdb
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.helpers import run_of
from tests.test_evaluate import kept
from tfhealth import RunError, UsageError
from tfhealth.cli import main
from tfhealth.fleet import found
from tfhealth.fleet.tables import FINDINGS, RUNS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a healthy run, two sick ones, one that is no database, and something else."""
    folder = tmp_path_factory.mktemp("fleet")
    kept(folder / "healthy", 1.0)
    kept(folder / "sick", 80.0)
    run_of({("gradient", "k", "nonfinite"): [1.0] * 5}, {("fact", "model"): {"name": "net"}}, folder / "sicker")
    (folder / "poison").mkdir()
    (folder / "poison" / "run.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    (folder / "notes").mkdir()
    return folder


def verdicts(table: Path) -> dict[str, str]:
    """Return {name of the folder: verdict, or why there is none}."""
    rows = duckdb.sql(f"SELECT run, coalesce(verdict, 'no: ' || trouble) FROM '{table}'").fetchall()
    return {Path(run).name: said for run, said in rows}


def test_tables_answer_the_obvious_questions(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A poison run costs its own row only; nothing but the two tables is left behind."""
    table = tmp_path / "verdicts.parquet"
    assert main(["evaluate", str(runs), "--output", str(table)]) == 0
    assert capsys.readouterr() == (f"tfhealth: 4 runs: 2 fail, 1 not judged, 1 pass\n  {table}\n", "")
    said = verdicts(table)
    assert said.pop("poison").startswith("no: ")
    assert said == {"healthy": "pass", "sick": "fail", "sicker": "fail"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["verdicts.findings.parquet", "verdicts.parquet"]
    findings = tmp_path / "verdicts.findings.parquet"
    assert duckdb.sql(f"SELECT * FROM '{table}'").columns == [*RUNS]
    assert duckdb.sql(f"SELECT * FROM '{findings}'").columns == [*FINDINGS]
    query = (
        f"SELECT model, rule FROM '{table}' JOIN '{findings}' USING (run) "
        "WHERE place = 0 AND rule = cause AND severity IN ('error', 'critical') ORDER BY model"
    )
    assert [model for model, _ in duckdb.sql(query).fetchall()] == ["", "net"]


def test_queries_of_the_guide_run(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They ask for columns that are there, and name every column."""
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", str(runs), "--output", "verdicts.parquet"]) == 0
    page = (ROOT / "docs/guide/many-runs.md").read_text("utf-8")
    leading, weeks = (duckdb.sql(query).fetchall() for query in re.findall(r"```sql\n(.*?)```", page, re.DOTALL))
    assert sum(count for *_, count in leading) == 2
    assert [(model, count, share) for model, _, count, share in weeks] == [("", 2, 0.5), ("net", 1, 1.0)]
    assert [name for name in {**RUNS, **FINDINGS} if f"`{name}`" not in page] == []


def test_the_gate_is_over_all_runs(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A failing run fails it; without one, a run that could not be judged makes it incomplete."""
    output = ["--output", str(tmp_path / "x.parquet"), "--fail-on", "critical"]
    assert main(["evaluate", str(runs), *output]) == 1
    assert main(["evaluate", str(runs / "healthy"), str(runs / "poison"), *output]) == 3
    assert "poison could not be judged" in capsys.readouterr().err


def test_runs_are_named_by_folders_patterns_and_urls(runs: Path):
    """Each once, however often it is meant."""
    healthy = str(runs / "healthy")
    everything = [str(runs / name) for name in ("healthy", "poison", "sick", "sicker")]
    assert found([healthy, str(runs / "heal*"), healthy]) == [healthy]
    assert found([str(runs)]) == everything
    assert found([f"file://{runs}/"]) == [f"file://{one}" for one in everything]
    assert found([f"file://{runs}/sick*"]) == [f"file://{one}" for one in everything[2:]]
    with pytest.raises(RunError, match="there is none in it"):
        found([str(runs / "notes")])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket/runs/../../secret", "`..` and `::` are not followed"),
        ("s3://zip::https://example.org/a.zip", "`..` and `::` are not followed"),
        ("ssh://host/runs", "a URL begins with one of s3://"),
        ("https://example.org/runs", "a URL begins with one of s3://"),
        ("file:///nowhere/at/all", "there is none in it"),
    ],
)
def test_tricks_with_paths_are_refused(url: str, message: str):
    """A URL names a store and a folder in it, nothing else."""
    with pytest.raises((UsageError, RunError), match=message):
        found([url])


class Bucket(MemoryFileSystem):
    """A store of objects in memory, by the name of another one."""

    protocol = "s3"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    away = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("s3://", "memory://"))

    def glob(self, path: str, **more: object) -> list[str]:
        """Fail as stores do that have no keys: by an error of their own."""
        if self.away:
            raise LookupError("Unable to locate credentials")
        return super().glob(path, **more)


def test_runs_of_a_store_are_judged_and_one_that_is_away_is_told_of(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each run has its URL in the tables; what a store complains of is one line."""
    fsspec.register_implementation("s3", Bucket, clobber=True)
    for name in ("healthy", "sick"):
        Bucket().pipe_file(f"/team/runs/{name}/run.db", (runs / name / "run.db").read_bytes())
    table = tmp_path / "verdicts.parquet"
    assert main(["evaluate", "s3://team/runs", "--output", str(table)]) == 0
    found = duckdb.sql(f"SELECT run, trouble FROM '{table}' ORDER BY run").fetchall()
    assert found == [("s3://team/runs/healthy", None), ("s3://team/runs/sick", None)]
    monkeypatch.setattr(Bucket, "away", True)
    assert main(["evaluate", "s3://team/runs", "--output", str(table)]) == 2
    assert "cannot be read (LookupError: Unable to locate credentials)." in capsys.readouterr().err


def test_what_does_not_fit_tables_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]):
    """In one line each."""
    assert main(["evaluate", str(runs), "--engine", "ray"]) == 2
    assert main(["evaluate", str(runs), "--output", "x.parquet", "--json"]) == 2
    err = capsys.readouterr().err
    assert "give --output a name that ends with .parquet" in err
    assert "are for runs that are judged here" in err


def test_a_cluster_that_cannot_be_meant_is_told_of(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """In one line that says where its address stands."""
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    assert main(["evaluate", str(runs), "--engine", "ray", "--output", str(tmp_path / "x.parquet")]) == 2
    err = capsys.readouterr().err
    assert "nonsense" in err
    assert "RAY_ADDRESS names one; without it, one is started here.\n" in err
    assert list(tmp_path.iterdir()) == []


def test_ray_says_the_same_and_survives_a_process_that_dies(runs: Path, tmp_path: Path):
    """Runs of a URL are copied to where they are judged; a run that kills its process costs its own row."""
    code = textwrap.dedent(
        f"""
        import json, os
        from tfhealth.cli import main
        from tfhealth.fleet import ENGINES, engines, task
        from tfhealth.rules import load_checklist

        code = main(["evaluate", "file://{runs}", "--engine", "ray", "--output", "{tmp_path}/fleet.parquet"])

        def deadly(place, checklist):
            return os._exit(1) if "poison" in place else task.judged(place, checklist)

        engines.judged = deadly
        places = ["{runs}/poison", "{runs}/healthy", "{runs}/sick"]
        found = ENGINES["ray"](places, load_checklist(profile={{}}))
        died = sorted((one.place.rsplit("/")[-1], one.trouble or one.result.verdict) for one in found)
        open("said.json", "w").write(json.dumps([code, died]))
        """
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    exit_code, died = json.loads((tmp_path / "said.json").read_text())
    assert exit_code == 0
    table = tmp_path / "here.parquet"
    main(["evaluate", str(runs), "--output", str(table)])
    here, there = verdicts(table), verdicts(tmp_path / "fleet.parquet")
    assert here.pop("poison").startswith("no: ")
    assert there.pop("poison").startswith("no: ")
    assert here == there
    assert died == [
        ["healthy", "pass"],
        ["poison", "its process died: WorkerCrashedError"],
        ["sick", "fail"],
    ]
