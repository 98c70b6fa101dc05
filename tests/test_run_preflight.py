"""Experiments before the first fit of a script, and of a callback: on its model and data, and training is the same."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.models import state
from tfhealth import HealthCallback, UsageError, load_run
from tfhealth.capture.journal import HealthWarning
from tfhealth.cli import main
from tfhealth.cli.main import build_parser
from tfhealth.series import Site

TRAIN = """
import keras, numpy as np
from pathlib import Path

keras.utils.set_random_seed(1)
x = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
y = (x[:, :1] > 0).astype("float32")
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy")


def batches():
    while True:
        for start in range(0, 96, 16):
            yield x[start : start + 16], y[start : start + 16]


FIT
Path(__file__).with_name("weights.txt").write_text(repr([one.tolist() for one in model.get_weights()]))
"""
GENERATOR = "model.fit(batches(), steps_per_epoch=6, epochs=2, verbose=0, shuffle=False)"
ARRAYS = "model.fit(x, y, 16, 2, 0, validation_split=0.25)\nmodel.fit(x, y, verbose=0)"


def script(folder, fit=ARRAYS, rate=0.01):
    folder.mkdir(exist_ok=True)
    path = folder / "train.py"
    path.write_text(TRAIN.replace("FIT", fit).replace("RATE", str(rate)))
    return path


def run(folder, *arguments):
    """Run the command in this process; return its code, and the results by the names of their runs, in order."""
    code = main(["run", "--out", str(folder / "runs"), "--formats", "json", "--quiet", *map(str, arguments)])
    found = sorted((folder / "runs").glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    return code, [json.loads(path.read_text()) for path in found]


def verdict(result, rule):
    return next(one["verdict"] for one in result["rules"] if one["rule"] == rule)


def test_a_generator_loses_nothing_to_the_preflight(tmp_path):
    """The weights come out bit for bit as without it, though its batches were read."""
    plain, tried = script(tmp_path / "plain", GENERATOR), script(tmp_path / "tried", GENERATOR)
    assert run(tmp_path / "plain", plain)[0] == 0
    code, (before, fit) = run(tmp_path / "tried", "--preflight=test_mode", tried)
    assert (code, verdict(before, "GOLD054")) == (0, "pass")
    assert fit["run"]["steps"] == 12
    assert plain.with_name("weights.txt").read_text() == tried.with_name("weights.txt").read_text()


def test_the_first_fit_is_judged_with_what_was_tried(tmp_path):
    """Its run holds the series of the experiments, whose steps are not its own; the second one has none of them."""
    code, (before, first, second) = run(tmp_path, "--preflight=test_mode", script(tmp_path))
    assert code == 0
    assert [verdict(one, "GOLD054") for one in (before, first, second)] == ["pass", "pass", "not_measured"]
    assert [one["run"]["name"] for one in (before, first, second)] == ["train-preflight", "train", "train"]
    assert first["run"]["steps"] == 10
    tried, fit, last = (load_run(one["run"]["path"]) for one in (before, first, second))
    site = Site("experiment", "test_mode")
    assert tried.sites[site]["seconds"] == fit.sites[site]["seconds"]
    assert (tried.trained, fit.trained, site in last.sites) == (False, True, False)


@pytest.mark.parametrize(("rate", "expected"), [(0.01, 0), (0.0, 1)])
def test_the_gate_is_about_the_preflight_where_the_script_ends_there(rate, expected, tmp_path):
    """A sick model returns 1, a healthy one 0; nothing is trained."""
    arguments = ("--only-preflight", "--preflight=overfit_tiny", "--fail-on", "error")
    code, (result,) = run(tmp_path, *arguments, script(tmp_path, rate=rate))
    assert (code, result["run"]["name"]) == (expected, "train-preflight")
    assert not (tmp_path / "weights.txt").exists()


@pytest.mark.parametrize("fit", ["", "model.fit(x, y[:0], verbose=0)"])
def test_a_preflight_that_could_not_be_is_incomplete(fit, tmp_path, recwarn):
    """A script that meets no fit, or whose data cannot be tried, returns 3; a passed preflight it is not."""
    assert run(tmp_path, "--only-preflight", script(tmp_path, fit)) == (3, [])


def test_a_preflight_that_yielded_nothing_is_incomplete(tmp_path, capsys):
    """What the model says of itself is no trial: 3, and why."""
    code, (result,) = run(tmp_path, "--only-preflight", "--preflight=test_mode", "--budget", "1e-9", script(tmp_path))
    assert (code, result["verdict"]) == (3, "not_measured")
    assert "tfhealth: Nothing could be judged: no experiment yielded anything" in capsys.readouterr().err


def test_fits_inside_of_experiments_are_not_watched(tmp_path):
    """What is trained there is a clone."""
    fit = "from tfhealth.capture.ahead import trying\nwith trying():\n    model.fit(x, y, verbose=0)"
    assert run(tmp_path, script(tmp_path, fit)) == (0, [])


@pytest.mark.parametrize(
    ("words", "preflight", "script", "arguments"),
    [
        (["--preflight", "train.py"], "quick", "train.py", []),
        (["--preflight=full", "--quiet", "train.py", "--preflight"], "full", "train.py", ["--preflight"]),
        (["--out", "--preflight", "--preflight", "a.py", "b"], "quick", "a.py", ["b"]),
        (["train.py", "--preflight", "x"], None, "train.py", ["--preflight", "x"]),
    ],
    ids=str,
)
def test_the_name_of_the_script_is_no_experiment(words, preflight, script, arguments):
    """`--preflight` takes names after = only; what stands behind the script is the script's."""
    if words[0] == "--out":
        words = ["--out", "preflight", *words[2:]]
    parsed = build_parser().parse_args(["run", *words])
    assert (parsed.preflight, parsed.script.name, parsed.arguments) == (preflight, script, arguments)


def test_options_that_cannot_be_meant_are_refused_before_the_script_runs(tmp_path, capsys):
    """The message names what is legal."""
    path = script(tmp_path, "")
    for arguments, expected in (
        (["--preflight=overfit_tny"], "did you mean 'overfit_tiny'"),
        (["--preflight", "--budget", "0"], "budget must be a number of seconds above 0, received 0.0"),
    ):
        assert run(tmp_path, *arguments, path) == (2, [])
        assert expected in capsys.readouterr().err
    assert not (tmp_path / "weights.txt").exists()


def network():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(40, 4)).astype("float32"), rng.integers(0, 3, 40)


def test_a_callback_tries_first_and_trains_the_same(tmp_path):
    """One result has both; a second fit is not preceded by it, and the order of a shuffled data set is as it was."""
    states, rows = [], []
    for settings in ({}, {"preflight": {"experiments": ["test_mode"], "budget": 30}}):
        model, x, y = network()
        data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(40, seed=5).batch(10)
        callback = HealthCallback(out=tmp_path, formats="json", verbose=0, data=data, **settings)
        for _ in range(2):
            model.fit(data, epochs=2, verbose=0, shuffle=False, callbacks=[callback])
            rows.append(next(row.verdict for row in callback.result.rules if row.rule == "GOLD054"))
        states.append(list(state(model).values()))
    assert rows == ["not_measured", "not_measured", "pass", "not_measured"]
    assert all(np.array_equal(one, other) for one, other in zip(*states, strict=True))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"preflight": "quick"}, r"preflight needs data=x or data=\(x, y\): a callback does not see what fit is given"),
        ({"preflight": "quick", "data": iter([1])}, "preflight cannot read data from a list_iterator"),
        ({"preflight": "overfit_tny", "data": np.zeros(3)}, "did you mean 'overfit_tiny'"),
        ({"preflight": {"budgt": 3}, "data": np.zeros(3)}, "preflight: 'budgt' is unknown; .* did you mean 'budget'"),
        ({"preflight": 3, "data": np.zeros(3)}, 'experiments must be "quick", "full" or names, received 3'),
    ],
    ids=["no data", "an iterator", "a name", "a key", "a type"],
)
def test_a_callback_refuses_what_cannot_be_meant(settings, expected):
    """When it is made."""
    with pytest.raises(UsageError, match=expected):
        HealthCallback(**settings)


def test_data_that_cannot_be_tried_do_not_end_a_training(tmp_path):
    """There is a warning that says why, and the fit is watched."""
    model, x, y = network()
    callback = HealthCallback(out=tmp_path, formats="json", verbose=0, preflight="smoke", data=x[:0])
    with pytest.warns(HealthWarning, match="nothing was tried before this fit: x holds no samples"):
        model.fit(x, y, verbose=0, callbacks=[callback])
    assert callback.result.run.complete


def test_remedies_of_the_first_fit_are_tried_after_it(tmp_path):
    """What its findings advise, on clones: the result and its file say what it did."""
    sick = script(tmp_path, "model.fit(10000 * x, y, verbose=0)")
    profile = tmp_path / "profile.yaml"
    profile.write_text("select: [DATA041, GOLD054]\n")  # one finding, one remedy
    code, (before, fit) = run(tmp_path, "--preflight=test_mode", "--try-remedies", "--profile", profile, sick)
    assert (code, before["remedies"]) == (0, [])
    assert [one["rule"] for one in fit["remedies"]] == ["DATA041"]
    assert fit["remedies"][0]["sentence"].startswith("tried: ")
