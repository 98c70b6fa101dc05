"""run.db: what a recorder wrote comes back, whatever happened to the writer or to the file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import run_of
from tfhealth.errors import RunError
from tfhealth.loading import DATABASE, SCHEMA_VERSION, load
from tfhealth.recorder import Recorder, run_directory
from tfhealth.run import Note, Run
from tfhealth.series import Attribute, Probe, Series, Site

ROOT = Path(__file__).parent.parent


def seen(run: Run) -> dict[str, object]:
    """Return everything in a run as plain data that can be compared, NaN as text."""
    return {
        "path": run.path,
        "meta": dict(run.meta),
        "sites": [(site, dict(attributes)) for site, attributes in run.sites.items()],
        "tables": [(one.probes, one.steps.tolist(), np.array2string(one.values)) for one in run.tables],
        "logs": {site: (one.steps.tolist(), np.array2string(one.values)) for site, one in run.logs.items()},
        "notes": run.notes,
        "damage": run.damage,
    }


def record(folder: Path | None, steps: int = 300, sites: int = 12) -> Run:
    """Record a run of some size; return it as it stood before the file was closed."""
    recorder = Recorder(folder)
    recorder.meta(name="trial", versions={"keras": "3"})
    names = [Site("weight", f"dense_{number}/kernel") for number in range(sites)]
    for place, site in enumerate(names):
        recorder.site(site, {"layer": "Dense", "units": 64 * place}, place)
    layout = recorder.layout([Probe(site, name) for site in names for name in ("norm", "std")])
    values = np.arange(steps * sites * 2, dtype=np.float64).reshape(steps, -1)
    for start in range(0, steps, 10):
        recorder.append(layout, np.arange(start, start + 10), values[start : start + 10])
        recorder.epoch(start // 10, start + 10, {"loss": 1 / (start + 1)})
    recorder.note("hook", "it failed")
    recorder.finish("completed")
    run = recorder.snapshot()
    recorder.close()
    return run


def test_everything_comes_back(tmp_path: Path):
    """Sites in execution order with their attributes, several layouts, logs with NaN, notes once, meta."""
    recorder = Recorder(tmp_path / "run")
    late, early, loss = Site("weight", "b"), Site("weight", "a"), Site("loss", "batch")
    attributes: dict[str, Attribute] = {"layer": "Dense", "units": 3, "rate": 0.5, "output": True, "activation": None}
    recorder.site(late, {"layer": "old"}, 2)
    recorder.site(early, {}, 1)
    recorder.site(loss, {}, 3)
    recorder.site(late, attributes, 2)
    first = recorder.layout([Probe(late, "norm"), Probe(early, "norm")])
    second = recorder.layout([Probe(loss, "data"), Probe(late, "norm")])
    recorder.append(first, np.array([0, 2]), np.array([[1.0, np.nan], [np.inf, -2.5]]))
    recorder.append(second, np.array([1]), np.array([[0.125, 7.0]]))
    recorder.epoch(0, 2, {"loss": 0.5, "val_loss": float("nan")})
    recorder.epoch(1, 4, {"loss": 0.25})
    for _ in range(2):
        recorder.note("weight.std", "no room")
    recorder.meta(name="trial", count=np.int64(3), versions={"keras": "3.15"}, shape=(1, 2), where=Path("x"))
    recorder.finish("interrupted")
    recorder.close()

    with closing(sqlite3.connect(tmp_path / "run" / DATABASE)) as connection:
        for (logs,) in connection.execute("SELECT logs FROM epoch"):
            json.loads(logs, parse_constant=pytest.fail)  # other readers know no NaN
    run = load(tmp_path / "run")
    assert list(run.sites) == [early, late, loss, Site("log", "loss"), Site("log", "val_loss")]
    assert run.sites[late] == attributes
    assert [type(run.sites[late][name]) for name in attributes] == [str, int, float, bool, type(None)]
    assert [table.probes for table in run.tables] == [(Probe(late, "norm"), Probe(early, "norm")),
                                                      (Probe(loss, "data"), Probe(late, "norm"))]  # fmt: skip
    assert run.steps.tolist() == [0, 1, 2]
    norm = run.series(Probe(late, "norm"))
    assert norm is not None
    assert (norm.steps.tolist(), norm.values.tolist()) == ([0, 1, 2], [1.0, 7.0, np.inf])
    assert run.series(Probe(late, "std")) is None
    logged = run.logs[Site("log", "val_loss")]
    assert logged.steps.tolist() == [2]
    assert np.isnan(logged.values).tolist() == [True]
    assert run.series(Probe(Site("log", "loss"), "value")) is run.logs[Site("log", "loss")]
    assert run.notes == (Note("weight.std", "no room"),)
    expected = {"name": "trial", "count": 3, "versions": {"keras": "3.15"}, "shape": [1, 2], "where": "x"}
    assert {key: run.meta[key] for key in expected} == expected
    assert (run.meta["schema_version"], run.damage, run.path) == (SCHEMA_VERSION, "", tmp_path / "run")


NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())


@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    values=st.lists(st.lists(st.floats(width=32), min_size=4, max_size=4), min_size=1, max_size=5),
)
def test_any_names_and_float32_values_come_back(names: list[str], values: list[list[float]]):
    """Site names in any script, and every float32 there is."""
    run = run_of(
        {("weight", name, "norm"): [row[place] for row in values] for place, name in enumerate(names)},
        {("weight", name): {"layer": name} for name in names},
    )
    found = run.panel("weight", "norm")
    assert [site.name for site in found.sites] == names
    np.testing.assert_array_equal(found.values, np.array(values).T[: len(names)])
    assert [run.sites[site]["layer"] for site in found.sites] == names


def test_panel_is_the_same_from_one_table_and_from_several():
    """Whether rows share a list of probes or not: the values of every site at the steps where it was measured."""
    one = run_of({("weight", "a", "norm"): [1, 2, 3], ("weight", "b", "norm"): [4, 5, 6]})
    apart = Series(np.array([0, 2]), np.array([4.0, 6.0]))
    two = run_of({("weight", "a", "norm"): [1, 2, 3], ("weight", "b", "norm"): apart})
    assert (len(one.tables), len(two.tables)) == (1, 2)
    assert one.panel("weight", "norm").values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert two.panel("weight", "norm").measured.tolist() == [[True, True, True], [True, False, True]]
    assert two.panel("weight", "norm").values[1, [0, 2]].tolist() == [4, 6]
    assert len(two.panel("weight", "std")) == len(two.panel("gradient", "norm")) == 0


def test_logs_are_a_panel_like_any_other():
    """The epoch logs are judged in the same shape."""
    recorder = Recorder(None)
    recorder.epoch(0, 10, {"loss": 0.5})
    recorder.epoch(1, 20, {"loss": 0.25, "val_loss": 1.0})
    panel = recorder.snapshot().panel("log", "value")
    recorder.close()
    assert [site.name for site in panel.sites] == ["loss", "val_loss"]
    assert (panel.steps.tolist(), panel.measured.tolist()) == ([10, 20], [[True, True], [False, True]])


def test_snapshot_equals_what_is_loaded_then_and_later(tmp_path: Path):
    """A reader sees the same run as the writer, while it is open and after."""
    recorder = Recorder(tmp_path / "run")
    site = Site("loss", "batch")
    recorder.site(site, {})
    recorder.append(recorder.layout([Probe(site, "data")]), np.array([0]), np.array([[2.0]]))
    recorder.epoch(0, 1, {"loss": float("inf")})
    while_open = load(tmp_path / "run")
    assert seen(recorder.snapshot()) == seen(while_open)
    recorder.close()
    assert seen(load(tmp_path / "run")) == seen(while_open)
    finished = record(tmp_path / "other")
    assert seen(load(tmp_path / "other")) == seen(finished)


def test_run_in_memory_is_like_one_in_a_file(tmp_path: Path):
    """Only the path, the times and the identities differ."""
    kept, written = seen(record(None)), seen(record(tmp_path / "run"))
    assert kept.pop("path") is None
    assert written.pop("path") == tmp_path / "run"
    for one in (kept, written):
        assert isinstance(one["meta"], dict)
        for key in ("started", "ended"):
            assert one["meta"].pop(key).endswith("+00:00")
    assert kept["meta"].pop("id") != written["meta"].pop("id")
    assert kept == written


@pytest.mark.parametrize(
    ("status", "expected"), [("completed", True), ("interrupted", False), ("failed", False), (None, False)]
)
def test_only_a_training_that_ended_by_itself_is_complete(tmp_path: Path, status: str | None, expected: bool):
    """A run without an end is still running, or was killed."""
    recorder = Recorder(tmp_path)
    if status is not None:
        recorder.finish(status)
    recorder.close()
    run = load(tmp_path)
    assert (run.meta["status"], run.complete) == (status or "running", expected)
    assert ("ended" in run.meta) is (status is not None)


def test_facts_are_read_by_their_path():
    """`optimizer.learning_rate` is an attribute of a fact; what is not known is None."""
    run = run_of({}, {("fact", "optimizer"): {"learning_rate": 0.1}})
    assert [run.fact(name) for name in ("optimizer.learning_rate", "optimizer.name", "fit.x", "optimizer")] == [
        0.1,
        None,
        None,
        None,
    ]


def test_value_beyond_float32_is_inf():
    """The file holds float32; what is larger does not warn in the user's training."""
    run = run_of({("input", "x", "feature_scale"): [1e300, -1e300, 1.0]})
    assert run.panel("input", "feature_scale").values.tolist() == [[np.inf, -np.inf, 1.0]]


def test_run_directory_is_safe_and_new(tmp_path: Path):
    """Any name makes one folder below the given one, each time another, and nothing is created."""
    for name in ("mnist", "../../etc/passwd", "", "…", "a" * 300, "naïve bayes.py", ".hidden"):
        first, second = run_directory(tmp_path, name), run_directory(tmp_path, name)
        assert first != second
        assert first.parent == tmp_path
        assert not first.name.startswith(".")
        assert len(first.name) < 100
    assert list(tmp_path.iterdir()) == []


def test_newer_schema_is_refused(tmp_path: Path):
    """A run from the future is not read half."""
    recorder = Recorder(tmp_path)
    recorder.meta(schema_version=SCHEMA_VERSION + 1)
    recorder.close()
    with pytest.raises(RunError) as caught:
        load(tmp_path)
    reads = f"run schema {SCHEMA_VERSION + 1}, this one reads up to {SCHEMA_VERSION}"
    assert str(caught.value) == f"{tmp_path}: written by a newer tfhealth ({reads})."


def test_what_is_no_run_directory_is_told_apart(tmp_path: Path):
    """A folder without run.db, no folder at all, and a file that holds something else."""
    hint = "`tfhealth run` and HealthCallback print its path."
    for path, what in ((tmp_path, "has no run.db"), (tmp_path / "missing", "does not exist")):
        with pytest.raises(RunError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: not a run directory, it {what}. {hint}"


@pytest.mark.parametrize("content", [b"", b"x", b"garbage" * 1000, b"SQLite format 3\0" + b"\0" * 84, b"\0" * 8192])
def test_garbage_is_no_run(tmp_path: Path, content: bytes):
    """Bytes that are no database, or an empty one."""
    (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises(RunError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / DATABASE}: damaged, nothing in it can be read (")


def test_database_of_something_else_is_no_run(tmp_path: Path):
    """An SQLite file with other tables, or with meta data that are not ours."""
    for statement in ("CREATE TABLE a (b)", "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('a', 'b')"):
        (tmp_path / DATABASE).unlink(missing_ok=True)
        with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
            connection.executescript(statement)
        with pytest.raises(RunError, match="damaged, nothing in it can be read"):
            load(tmp_path)


def rows_of(run: Run) -> int:
    return sum(len(table.steps) for table in run.tables)


def loaded(folder: Path) -> Run | RunError:
    """Return the run, or why it cannot be read; any other exception is a fault."""
    try:
        return load(folder)
    except RunError as error:
        return error


def test_file_cut_anywhere_is_an_error_or_a_damaged_run(tmp_path: Path):
    """At every sixteenth of its size and around page borders: a clear error, or what is left and what is wrong."""
    whole = record(tmp_path / "run")
    data = (tmp_path / "run" / DATABASE).read_bytes()
    left: dict[int, int] = {}
    cuts = [len(data) * part // 16 for part in range(17)] + [part * 4096 + 1 for part in range(len(data) // 4096)]
    for cut in sorted(set(cuts)):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / DATABASE).write_bytes(data[:cut])
        run = loaded(folder)
        if isinstance(run, RunError):
            assert str(run).startswith(f"{folder / DATABASE}: damaged, nothing in it can be read (")
            continue
        assert bool(run.damage) == (cut < len(data))
        assert not (run.damage and run.complete)
        left[cut] = rows_of(run)
        for table in run.tables:
            assert len(table.probes) == table.values.shape[1]
            np.testing.assert_array_equal(table.values[:, 0] / 24, table.steps)
    assert left[len(data)] == rows_of(whole) == 300
    assert left[len(data) * 15 // 16] >= 200
    assert left[len(data) * 12 // 16] >= 100


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_are_an_error_or_a_run(tmp_path: Path, seed: int):
    """Random damage inside of the file: never another exception than RunError, and what is left can be judged."""
    from tfhealth.diagnosis import evaluate
    from tfhealth.rules import load_checklist

    record(tmp_path, steps=60)
    rng = np.random.default_rng(seed)
    data = np.frombuffer((tmp_path / DATABASE).read_bytes(), np.uint8).copy()
    places = rng.integers(100, len(data), 1 + 40 * (seed % 3))
    data[places] = rng.integers(0, 256, len(places))
    (tmp_path / DATABASE).write_bytes(data.tobytes())
    run = loaded(tmp_path)
    if isinstance(run, RunError):
        assert str(tmp_path) in str(run)
        return
    assert evaluate(load_checklist(), run).run.complete is run.complete


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE site SET attributes = '{' WHERE id = 1", "site"),
        ("UPDATE site SET attributes = '[1]' WHERE id = 1", "site"),
        ("UPDATE layout SET probes = '[[1]]'", "layout"),
        ("UPDATE layout SET probes = 'x'", "layout"),
        ("UPDATE layout SET probes = '3'", "layout"),
        ("UPDATE row SET data = 7 WHERE id = 1", "row"),
        ("UPDATE row SET step = 'x' WHERE id = 1", "row"),
        ("UPDATE row SET data = x'00' WHERE id = 1", "row"),
        ("UPDATE epoch SET logs = 'x' WHERE id = 1", "epoch"),
        ('UPDATE epoch SET logs = \'{"loss": "x"}\' WHERE id = 1', "epoch"),
        ("DROP TABLE note", "note"),
        ("DROP TABLE epoch", "epoch"),
        ("DELETE FROM site WHERE id = 1", "row"),
    ],
)
def test_contents_that_make_no_sense_are_left_out_and_told(tmp_path: Path, statement: str, expected: str):
    """A sound file with a wrong entry: all the rest is read, and `damage` names the table."""
    record(tmp_path, steps=20)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute(statement)
        connection.commit()
    run = load(tmp_path)
    assert expected in run.damage
    assert run.meta["name"] == "trial"
    assert not run.complete


WRITER = """
import os, signal, sys
import numpy as np
from pathlib import Path
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
recorder = Recorder(Path(sys.argv[1]))
site = Site("loss", "batch")
recorder.site(site, {})
layout = recorder.layout([Probe(site, "data")])
for step in range(500):
    recorder.append(layout, np.array([step]), np.array([[float(step)]]))
recorder.epoch(0, 500, {"loss": 1.0})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run whose writer killed itself."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", WRITER, str(folder)], env=environment, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    return folder


def test_everything_is_there_after_sigkill(killed: Path, tmp_path: Path):
    """The journal that a killed writer leaves behind is read: no row is lost."""
    folder = shutil.copytree(killed, tmp_path / "run")
    assert (folder / f"{DATABASE}-wal").stat().st_size > 0
    run = load(folder)
    assert (rows_of(run), run.damage, run.meta["status"], run.complete) == (500, "", "running", False)
    assert run.logs[Site("log", "loss")].values.tolist() == [1.0]


READER = """
import os, sys
from tfhealth.errors import RunError
from tfhealth.loading import load
if os.getuid() == 0:  # root may read and write anywhere: go on as nobody
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    run = load(sys.argv[1])
except RunError as error:
    print(error)
else:
    print(sum(len(table.steps) for table in run.tables), repr(run.damage))
"""


@pytest.fixture
def archive() -> Iterator[Path]:
    """Return a new folder that every user may enter, which `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


@pytest.mark.parametrize("parts", [("", "-wal", "-shm"), ("", "-wal")], ids=["as left", "without shared memory"])
def test_killed_run_in_a_folder_that_may_not_be_written_is_read(killed: Path, archive: Path, parts: tuple[str, ...]):
    """An archive on a read-only disk: the journal counts there as well, and the folder stays as it is."""
    assert _read_only(killed, archive, parts) == "500 ''\n"


def test_finished_run_in_a_folder_that_may_not_be_written_is_read(tmp_path: Path, archive: Path):
    """One file and no journal."""
    record(tmp_path / "original", steps=40)
    assert _read_only(tmp_path / "original", archive, ("",)) == "40 ''\n"


def test_file_that_may_not_be_read_is_an_error(tmp_path: Path, archive: Path):
    """What is not ours to read is not called damaged."""
    record(tmp_path / "original", steps=40)
    expected = f"{archive / DATABASE}: cannot be read (Permission denied).\n"
    assert _read_only(tmp_path / "original", archive, ("",), 0o000) == expected


def _read_only(folder: Path, archive: Path, parts: tuple[str, ...], mode: int = 0o444) -> str:
    """Return what a process without the right to write into a copy of `folder` reads there."""
    for part in parts:
        shutil.copy(folder / f"{DATABASE}{part}", archive)
        (archive / f"{DATABASE}{part}").chmod(mode)
    archive.chmod(0o555)
    before = sorted(path.name for path in archive.iterdir())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READER, str(archive)]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert sorted(path.name for path in archive.iterdir()) == before
    assert done.returncode == 0, done.stderr
    return done.stdout


INTERRUPTED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=TRUNCATE")
connection.execute("PRAGMA cache_size=2")
connection.execute("BEGIN")
connection.execute("UPDATE row SET data = zeroblob(96)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_write_that_was_killed_without_a_write_ahead_log_is_undone(tmp_path: Path):
    """On a network file system: pages were half overwritten, and the journal beside the file has the old ones."""
    whole = record(tmp_path)
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / DATABASE)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / f"{DATABASE}-journal").stat().st_size > 0
    run = load(tmp_path)
    np.testing.assert_array_equal(run.tables[0].values, whole.tables[0].values)
    assert run.damage == ""


def test_reading_leaves_nothing_beside_a_finished_run(tmp_path: Path):
    """No journal and no shared memory."""
    record(tmp_path)
    before = (tmp_path / DATABASE).stat().st_mtime_ns
    load(tmp_path)
    assert [(path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()] == [(DATABASE, before)]


def recording(folder: Path) -> tuple[Recorder, int]:
    """Return a recorder of a run, and the layout of its rows: a loss."""
    recorder, site = Recorder(folder), Site("loss", "batch")
    recorder.site(site, {})
    return recorder, recorder.layout([Probe(site, "data")])


def test_two_readers_and_a_writer_at_once(tmp_path: Path):
    """Reading neither waits for the writer nor disturbs it."""
    recorder, layout = recording(tmp_path)
    for step in range(5):
        recorder.append(layout, np.array([step]), np.array([[1.0]]))
        assert [rows_of(load(tmp_path)) for _ in range(2)] == [step + 1, step + 1]
    recorder.close()
    assert json.dumps(load(tmp_path).meta["status"]) == '"running"'


LOOKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(*connection.execute("SELECT count(*) FROM row").fetchone())
connection.close()
"""


def test_whoever_records_keeps_its_locks_while_the_same_process_reads(tmp_path: Path):
    """Another process that may write looks in after that: it throws away no journal that is still written to."""
    recorder, layout = recording(tmp_path)
    for step in range(2):
        recorder.append(layout, np.array([step]), np.array([[1.0]]))
        load(tmp_path)
        command = [sys.executable, "-c", LOOKER, str(tmp_path / DATABASE)]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert (int(seen.stdout), rows_of(load(tmp_path))) == (step + 1, step + 1)
    recorder.close()
