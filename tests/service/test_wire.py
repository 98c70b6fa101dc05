"""Whatever a recorder can write travels as strict JSON, in parts, and comes back as it was."""

from __future__ import annotations

import json
import sqlite3
import string
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.faults import told
from tfhealth import load_run
from tfhealth.database import DATABASE, opened
from tfhealth.histograms import BINS
from tfhealth.recorder import Recorder
from tfhealth.samples import Samples
from tfhealth.series import Probe, Site
from tfhealth.store import finding, receiving, runs
from tfhealth.store.database import connected
from tfhealth.store.tables import Base
from tfhealth.summaries import Summary
from tfhealth.wire import outgoing
from tfhealth.wire.delta import COLUMNS, TABLES, Delta, Held
from tfhealth.wire.outgoing import Outgoing
from tfhealth.wire.strict import loose, strict

RUN = "0" * 32
NOTHING = Held(revision=0, rows=dict.fromkeys(TABLES, 0))

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)  # no file takes half a surrogate pair
broken_text = st.text(st.sampled_from([*string.ascii_letters, "\ud800", "\udfff", "\0", "é", "😀"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats()
marked = st.sampled_from(["number", "text", "pairs"])


def values(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return what JSON can hold, also mappings that look like what something else travels as."""
    return st.recursive(
        scalars | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | marked, inner, max_size=3),
        max_leaves=8,
    )


@given(values(text | broken_text))
def test_strict_json_says_the_same(value: Any):
    """Also what is no finite number and no Unicode, and what only looks as if it were an escape of ours."""
    sent = json.dumps(strict(value), ensure_ascii=False, allow_nan=False).encode()
    assert json.dumps(loose(json.loads(sent))) == json.dumps(value)


@pytest.mark.parametrize(
    "hostile", [{"number": "x"}, {"text": 1}, {"text": "{"}, {"pairs": 5}, {"pairs": [[{}]]}], ids=str
)
def test_what_was_never_escaped_stays_as_it_is(hostile: dict[str, Any]):
    """A server reads whatever it is sent."""
    assert loose([hostile]) == [hostile]


kinds = st.sampled_from(["activation", "gradient", "weight", "input", "fact"])
sites = st.builds(Site, kinds, text)
series = st.lists(
    st.tuples(
        st.lists(st.tuples(sites, st.sampled_from(["mean", "std"])), min_size=1, max_size=3, unique=True),
        st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=4),
    ),
    max_size=3,
)
samples = st.builds(
    lambda name, step, numbers: Samples(Site("input", name), "numbers", step, np.array(numbers, np.float32), (2,)),
    text,
    st.integers(0, 2**40),
    st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=1, max_size=3),
)
logs = st.dictionaries(text, st.floats(), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    meta=st.dictionaries(text, values(text), max_size=3),
    attributes=st.dictionaries(sites, st.dictionaries(text | marked, values(text), max_size=3), max_size=3),
    tables=series,
    epochs=st.lists(logs, max_size=3),
    notes=st.lists(st.tuples(text, text), max_size=3),
    shown=st.lists(samples, max_size=2),
    counted=st.dictionaries(st.builds(Site, st.just("weight"), text), st.integers(0, 9), max_size=2),
    largest=st.sampled_from([1, 500, outgoing.LARGEST]),
)
def test_any_run_comes_back_as_it_was(meta, attributes, tables, epochs, notes, shown, counted, largest):
    """Series, facts, notes, logs, samples and histograms, in one delta or in many, each of them sent twice."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(outgoing, "LARGEST", largest)
        recorder = Recorder(Path(folder))
        for key, value in meta.items():
            recorder.meta(**{key: value} if key not in ("schema_version", "id") else {})
        for site, told_of in attributes.items():
            recorder.site(site, told_of)
        for place, (probes, rows) in enumerate(tables):
            for site, _ in probes:
                recorder.site(site, attributes.get(site, {}))
            layout = recorder.layout([Probe(site, statistic) for site, statistic in probes])
            steps = np.arange(len(rows), dtype=np.int64) + 10 * place
            recorder.append(layout, steps, np.array(rows, np.float64)[:, : len(probes)])
        for number, one in enumerate(epochs):
            recorder.epoch(number, number, one)
        for subject, why in notes:
            recorder.note(subject, why)
        recorder.samples(shown)
        recorder.histograms(3, {site: np.full(BINS, float(count)) for site, count in counted.items()})
        recorder.finish("completed")
        recorder.close()
        assert told(received(Path(folder))) == told(load_run(folder))


def test_what_is_recorded_anew_replaces_what_was_sent(tmp_path: Path):
    """Samples and summaries change while a run grows: what came last is what the receiver has."""
    x, y = Site("input", "x"), Site("label", "y")
    recorder = Recorder(tmp_path)
    recorder.meta(name="grows")
    for step, count in ((0, 3), (9, 2)):
        recorder.samples([Samples(x, "numbers", step, np.full((count, 2), step, np.float32), (2,))])
        recorder.summaries([Summary(y, "classes", step, np.array([step, 1.0]), 2)])
    recorder.close()
    run = received(tmp_path)
    assert told(run) == told(load_run(tmp_path))
    assert [(one.step, len(one.values)) for one in run.samples] == [(9, 2)]
    assert [one.values.tolist() for one in run.summaries] == [[9.0, 1.0]]


def received(folder: Path) -> Any:
    """Send a run to a database, each delta twice, through JSON; return what is there then."""
    database = connected("sqlite://")
    Base.metadata.create_all(database.engine)
    sending = Outgoing()
    with opened(folder / DATABASE) as connection, database.writing() as session:
        owner, held = finding.project(session, "default"), NOTHING
        while (delta := sending.delta(connection, held)) is not None:
            again = Delta.model_validate_json(delta.model_dump_json())
            before, held = held, receiving.receive(session, owner, RUN, again)
            assert held.revision == before.revision + 1
            assert receiving.receive(session, owner, RUN, again) == held
        stored = finding.by_id(session, owner, RUN)
        found = runs.load(session, stored)
    database.close()
    return found


def test_a_delta_is_of_one_moment_and_leaves_no_lock(tmp_path: Path):
    """What is written while a delta is under way is in the next one, and the writer never waits."""
    recorder = Recorder(tmp_path)
    layout = recorder.layout([])
    recorder.append(layout, np.arange(3), np.zeros((3, 0)))
    sending = Outgoing()
    with closing(sqlite3.connect(f"{(tmp_path / DATABASE).as_uri()}?mode=ro", uri=True)) as connection:
        first = sending.delta(connection, NOTHING)
        assert not connection.in_transaction
        recorder.append(layout, np.arange(3, 5), np.zeros((2, 0)))
        recorder._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert recorder._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        held = NOTHING.model_copy(update={"rows": {**NOTHING.rows, "layout": 1, "row": 3}})
        second = sending.delta(connection, held)
    recorder.close()
    assert [(one.table, one.first, one.last) for one in first.stretches] == [("layout", 1, 1), ("row", 1, 3)]
    assert [(one.table, one.first, one.last) for one in second.stretches] == [("row", 4, 5)]


def test_every_table_that_grows_travels(tmp_path: Path):
    """A table that is added to a run's file must be added to what is sent."""
    recorder = Recorder(tmp_path)
    found = {}
    for (table,) in recorder._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [name for _, name, *_ in recorder._connection.execute(f"PRAGMA table_info({table})")]
        found[table] = [name for name in columns if name != "id"]
    recorder.close()
    whole = {"meta", "site", "sample", "summary"}
    assert found.keys() - whole == COLUMNS.keys()
    assert {table: list(columns) for table, columns in COLUMNS.items()} == {
        table: columns for table, columns in found.items() if table not in whole
    }
