"""Several replicas: training is the same with us, statistics are those of all replicas, and one process writes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfhealth import load_run
from tfhealth.capture.pooling import apart, pooled
from tfhealth.capture.rows import Layout
from tfhealth.series import FROM_HOST, Probe, Site
from tfhealth.statistics import find

ROOT = Path(__file__).parent.parent
PER_PART = {
    *(("input", name) for name in ("feature_scale", "largest_feature_std", "feature_offset", "autocorrelation")),
    *(("label", name) for name in ("imbalance", "classes_seen", "majority_share")),
    *(("label", name) for name in ("class_mixing", "class_shift", "class_order")),
    ("prediction", "top_class_share"),
    *((kind, "std_over_batch") for kind in ("prediction", "label")),
}
"""What replicas find out about their own part of the batch, and no sum makes whole."""


def command(module, *arguments):
    return [sys.executable, "-m", module, *map(str, arguments)]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """What trainings on two logical devices came to, by name; runs are loaded."""
    words = command("tests.mirrored", tmp_path_factory.mktemp("runs"))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["residual", "uneven", "cnn", "exact", "scaled", "selfish"])
def test_training_on_two_replicas_is_bit_identical(name, mirrored):
    """Weights, optimizer, moving statistics of each replica and history are equal, with every step probed."""
    assert mirrored[name]["differences"] == []
    assert load_run(mirrored[name]["folder"]).steps.tolist() == list(range(8))


def test_a_model_of_a_strategy_is_tried_before_its_training(mirrored):
    """On clones that one device holds; the model's own variables are mirrored, and stay as they were."""
    assert mirrored["preflight"] == {"fails": [], "notes": [], "changed": 0}


def values(run, *steps):
    """Return {(kind, name, statistic): values} at these steps of a run, without what the machine took."""
    found = {}
    for table in run.tables:
        taken = table.values[np.isin(table.steps, steps)]
        if len(taken):
            found |= {(one.site.kind, one.site.name, one.statistic): taken[:, i] for i, one in enumerate(table.probes)}
    return {key: one for key, one in found.items() if key[0] not in FROM_HOST}


def test_statistics_are_those_of_the_whole_batch(mirrored):
    """Two replicas and one device, the same batches: every statistic is the same, but for rounding."""
    two, one = (values(load_run(mirrored[name]["folder"]), 0, 1, 2, 3) for name in ("residual", "alone"))
    assert two.keys() == one.keys()
    assert {kind for kind, *_ in two} >= {"input", "activation", "label", "loss", "weight", "gradient", "update"}
    assert differing(two, one, 2e-3) <= PER_PART


def differing(two, one, tolerance):
    """Return (kind, statistic) of what is not the same."""
    close = {key: np.allclose(two[key], one[key], rtol=tolerance, atol=1e-6, equal_nan=True) for key in two}
    return {(kind, statistic) for (kind, _, statistic), same in close.items() if not same}


def test_a_hand_written_loop_over_replicas_is_seen_whole(mirrored):
    """What the step hands to `strategy.run` is probed on each replica: the same numbers as of the same fit."""
    assert mirrored["loop"]["differences"] == []
    loop, fit = (values(load_run(mirrored[name]["folder"]), 0, 1, 2, 3) for name in ("loop", "residual"))
    both = [key for key in loop if key in fit and (key[0], key[2]) not in PER_PART]
    assert len(both) > 30
    for key in both:
        np.testing.assert_allclose(loop[key], fit[key], rtol=1e-4, atol=1e-6, err_msg=str(key))


def test_parts_of_unequal_size_add_up(mirrored):
    """The last batch of 15 is split into 8 and 7: means and spreads are still those of the 15."""
    two, one = (values(load_run(mirrored[name]["folder"]), 3) for name in ("uneven", "uneven alone"))
    found = [key for key in two if key[0] in ("input", "activation") and (key[0], key[2]) not in PER_PART]
    assert len(found) >= 8
    assert differing({key: two[key] for key in found}, one, 2e-3) == set()


def test_replicas_that_drift_apart_are_noticed(mirrored):
    """A layer that writes its kernel from the replica's own part of the batch; elsewhere nothing is said."""
    notes = [note["why"] for note in mirrored["selfish"]["notes"] if note["subject"] == "replicas"]
    assert notes == ["after 0 steps they do not hold the same weights: sequential/selfish/kernel"]
    assert [note for name in ("residual", "cnn") for note in mirrored[name]["notes"]] == []


def test_gradients_that_are_added_up_out_of_sight_are_not_measured(mirrored):
    """Under a loss scale Keras adds the parts up in a branch: no number is better than that of one part."""
    why = "the replicas' parts are added up where this step does not show them"
    assert [note["why"] for note in mirrored["scaled"]["notes"] if note["subject"] == "gradient"] == [why]
    assert not any(one.site.kind == "gradient" for one in load_run(mirrored["scaled"]["folder"]).tables[0].probes)


def test_what_keras_cannot_train_fails_the_same_with_us(mirrored):
    """Keras does not run several steps an execution on several replicas; we do not change what it says."""
    plain, watched = mirrored["ends"]
    assert plain == watched != "none"


def layout(*columns):
    """Return a layout with (kind, sum) columns."""
    return Layout(tuple((Site(kind, "x"), name) for kind, name in columns), {}, ())


def test_pooled_spread_is_about_the_common_mean():
    """Sums of squares about each replica's mean become that about the mean of all elements."""
    parts = [np.array([1.0, 2.0, 4.0]), np.array([7.0, 9.0])]
    rows = np.array([[[len(p), p.sum(), ((p - p.mean()) ** 2).sum()]] for p in parts])
    whole = np.concatenate(parts)
    expected = [[5, whole.sum(), ((whole - whole.mean()) ** 2).sum()]]
    columns = layout(("input", "count"), ("input", "sum"), ("input", "centered_square_sum"))
    np.testing.assert_allclose(pooled(columns, rows), expected)


def test_rows_are_pooled_as_each_sum_says():
    """Sums add up, extremes stay extreme, losses are averaged, and NaN of one replica is NaN of all."""
    columns = layout(("input", "sum"), ("input", "minimum"), ("input", "maximum"), ("loss", "total"), ("weight", "sum"))
    rows = np.array([[[1.0, -1, 5, 2, 7]], [[2.0, -3, 4, 4, 7]]])
    assert pooled(columns, rows).tolist() == [[3, -3, 5, 3, 7]]
    rows[0, 0, 1:4] = np.nan
    assert np.isnan(pooled(columns, rows)[0]).tolist() == [False, True, True, True, False]


def test_a_statistic_of_a_package_is_pooled_as_it_says():
    """A sum that is not built in brings its own way to be combined."""
    import dataclasses

    from tfhealth.statistics import Sum

    statistic = dataclasses.replace(find("input", "maximum"), own=Sum("package.near_zero", "max"))
    columns = ((Site("input", "x"), "package.near_zero"),)
    one = Layout(columns, {}, ((Probe(Site("input", "x"), "near_zero"), statistic),))
    assert pooled(one, np.array([[[1.0]], [[3.0]]])).tolist() == [[3.0]]


def test_weights_are_apart_beyond_rounding():
    """The last digits of a float32 sum are no difference, and neither is NaN on both."""
    columns = layout(("weight", "square_sum"), ("activation", "square_sum"))
    rows = np.array([[[1.0, 1], [1, 1], [np.nan, 1]], [[1 + 1e-7, 9], [1.01, 9], [np.nan, 9]]])
    assert apart(columns, rows).tolist() == [[False, False], [True, False], [False, False]]


def free_ports(count):
    """Return ports that nothing listens on."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def workers(how, out, watching):
    """Train on two workers, two processes of this machine; return what each printed."""
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    running = []
    for index in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        words = command("tests.worker", how, out, *watching)
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(words, cwd=ROOT, env=environment, **pipes))
    found = []
    for one in running:
        stdout, stderr = one.communicate(timeout=200)
        assert one.returncode == 0, stderr[-3000:]
        found.append(json.loads(stdout.splitlines()[-1]))
    return found


@pytest.mark.parametrize(
    ("how", "watching"), [("fit", (0, 1)), ("loop", (0,))], ids=["both watch", "the chief watches"]
)
def test_of_two_workers_the_chief_writes(how, watching, tmp_path):
    """Each worker trains as without us; the chief records the gradient of all and its own part of the batch."""
    plain = workers(how, tmp_path / "none", [])
    watched = workers(how, tmp_path / "runs", watching)
    assert [one["state"] for one in plain] == [one["state"] for one in watched]
    assert [one["history"] for one in plain] == [one["history"] for one in watched]
    assert watched[1]["folder"] is None
    (folder,) = (tmp_path / "runs").iterdir()
    assert str(folder) == watched[0]["folder"]
    run = load_run(folder)
    assert run.steps.tolist() == [0, 2, 4, 6]
    assert "this worker's part of each batch, 1 of 2" in next(n.why for n in run.notes if n.subject == "replicas")
    (update,), (gradient,) = (values(run, 0)[kind, "dense/kernel", "norm"] for kind in ("update", "gradient"))
    assert update == pytest.approx(watched[0]["update"], rel=1e-4)
    assert 0.5 * gradient == pytest.approx(update, rel=1e-4)  # plain SGD: the learning rate times the gradient of all
