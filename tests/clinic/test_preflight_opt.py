"""The optimizer before a training: rates that are far too high or low are found, and those that learn pass."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import tfhealth
from tfhealth import load_run
from tfhealth.experiments.builtin import grid
from tfhealth.series import Probe, Site

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)


def network(optimizer):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(3, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def tried(folder, model, name, y=Y):
    result = tfhealth.preflight(model, X, y, experiments=name, out=folder, formats="json", verbose=0)
    run = load_run(result.run.path)
    rules = {one.rule: (one.verdict, one.reason) for one in result.rules}
    return rules, lambda statistic: run.series(Probe(Site("experiment", name), statistic)).values


@pytest.mark.parametrize(
    ("optimizer", "low", "high"),
    [
        (keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)), "pass", "pass"),
        (keras.optimizers.Adam(1e-5), "fail", "pass"),
        (keras.optimizers.SGD(100.0), "pass", "fail"),
    ],
    ids=["a schedule from 0.1", "Adam 1e-5", "SGD 100"],
)
def test_a_rate_is_judged_beside_the_one_that_a_range_test_suggests(optimizer, low, high, tmp_path):
    """What hardly learns is too low below the suggested rate, and too high above it."""
    rules, series = tried(tmp_path, network(optimizer), "learning_rate_range")
    assert (rules["OPT051"][0], rules["OPT052"][0]) == (low, high)
    assert series("rate").shape == series("loss").shape == (57,)
    assert 1e-3 < series("suggested")[0] < 1
    assert series("ratio")[0] == pytest.approx(series("in_use")[0] / series("suggested")[0], rel=1e-5)


def test_no_rate_is_suggested_where_none_learns(tmp_path):
    """A loss without a gradient leaves nothing to learn at any rate."""
    model = network("adam")
    model.compile("adam", lambda labels, answers: 1.0 + 0.0 * keras.ops.mean(answers, axis=-1))
    rules, _ = tried(tmp_path, model, "learning_rate_range")
    assert rules["OPT051"][0] == "not_applicable"
    assert "the loss does not fall in 100 steps" in rules["OPT051"][1]


def test_the_settings_in_use_are_compared_with_those_around_them(tmp_path):
    """Row opt.hyperparameters: settings around a good rate are no better; around a far too low one some are."""
    rules, series = tried(tmp_path, network(keras.optimizers.Adam(0.02)), "hyperparameters")
    assert rules["OPT053"][0] == "pass"
    expected = [(rate, size) for rate in (0.002, 0.02, 0.2) for size in (16, 32, 64)]
    assert list(zip(series("rate").round(4), series("batch_size"), strict=True)) == expected
    assert np.isfinite(series("loss")).all()
    assert tried(tmp_path, network(keras.optimizers.Adam(1e-4)), "hyperparameters")[0]["OPT053"][0] in ("warn", "fail")


def product_of(rate, size):
    return rate * size


@pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")  # KerasTuner's
def test_the_grid_is_the_same_with_and_without_kerastuner(monkeypatch):
    """Every pair is scored once, in order; whatever ends a score ends the search."""
    tuned = grid.searched([0.1, 1.0], [2, 4], product_of)
    assert tuned == [(0.1, 2, 0.2), (0.1, 4, 0.4), (1.0, 2, 2.0), (1.0, 4, 4.0)]

    def late(rate, size):
        raise TimeoutError("no time is left")

    with pytest.raises(TimeoutError, match="no time is left"):
        grid.searched([0.1], [2], late)
    monkeypatch.setattr(grid, "find_spec", lambda name: None)
    assert grid.searched([0.1, 1.0], [2, 4], product_of) == tuned
