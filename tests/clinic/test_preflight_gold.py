"""Golden tests: each row fails for a model that is sick in that way, and passes for the same model made healthy."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from keras import layers

import tfhealth
from tfhealth import load_run
from tfhealth.series import Probe, Site

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)


def network(*hidden, optimizer="adam", loss="sparse_categorical_crossentropy", out=None):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8,)), *hidden, out or layers.Dense(3, "softmax")])
    model.compile(optimizer if not isinstance(optimizer, float) else keras.optimizers.Adam(optimizer), loss)
    return model


def said(folder, model, name, row, x=X, y=Y):
    """Return what a row says, and the result, after one experiment."""
    result = tfhealth.preflight(model, x, y, experiments=name, out=folder, formats="json", verbose=0)
    return next(one.verdict for one in result.checklist if one.id == row), result


CLOSED = {"bias_initializer": keras.initializers.Constant(-50.0)}


@pytest.mark.parametrize(
    ("settings", "expected"), [({"kernel_regularizer": "l2"}, "pass"), (CLOSED, "fail")], ids=["open", "closed"]
)
def test_fifty_samples_are_learned_by_an_open_model_only(settings, expected, tmp_path):
    """The loss of a healthy one goes, dropout and regularization or not; one bottleneck of nothing keeps it."""
    model = network(layers.Dense(64, "relu", **settings), layers.Dropout(0.5), optimizer=0.01)
    result = said(tmp_path, model, "overfit_fifty", "gold.overfit-tiny")[1]
    assert next(one.verdict for one in result.rules if one.rule == "GOLD051") == expected


def test_fifty_samples_take_fifty(tmp_path):
    """With fewer the experiment does not apply."""
    verdict, result = said(tmp_path, network(), "overfit_fifty", "gold.overfit-tiny", X[:20], Y[:20])
    assert verdict == "not_measured"
    reasons = {one.rule: (one.verdict, one.reason) for one in result.rules}
    assert reasons["GOLD051"] == ("not_applicable", "there are 20 samples, and it takes 50")


def test_labels_of_others_are_not_learned_as_well(tmp_path):
    """Real labels are far ahead; where they already belong to others, nothing is."""
    model = network(layers.Dense(32, "relu"), optimizer=0.01)
    verdict, result = said(tmp_path, model, "shuffled_labels", "gold.shuffled-labels")
    assert verdict == "pass"
    run = load_run(result.run.path)
    real, shuffled = (
        run.series(Probe(Site("experiment", "shuffled_labels"), one)).values for one in ("real", "shuffled")
    )
    assert real[-50:].mean() < shuffled[-50:].mean()
    dealt = np.random.default_rng(5).permutation(Y)
    assert said(tmp_path, model, "shuffled_labels", "gold.shuffled-labels", y=dealt)[0] in ("warn", "fail")


class Forgetful(layers.Layer):
    """Scales by a number that is no variable, so that it is not saved."""

    def build(self, shape):
        self.scale = float(np.random.default_rng().uniform(2, 3))

    def call(self, inputs):
        return inputs * self.scale


class Unloadable(layers.Layer):
    """Has an argument that its configuration does not name."""

    def __init__(self, units):
        super().__init__()
        self.inner = layers.Dense(units)

    def call(self, inputs):
        return self.inner(inputs)


def test_every_stage_runs(tmp_path):
    """A sound model passes."""
    verdict, result = said(tmp_path, network(layers.Dense(8, "relu")), "smoke", "gold.smoke")
    assert (verdict, result.notes) == ("pass", [])


class Unsavable(Unloadable):
    """Keeps a function as its argument, and has no configuration."""

    def build(self, shape):
        self.inner.build(shape)

    def save_own_variables(self, store):
        raise ValueError("nothing can be kept")


@pytest.mark.parametrize(
    ("layer", "why", "stages"),
    [
        (Forgetful(), "load: .*predicts something else", 4),
        (Unloadable(4), "load: TypeError", 4),
        (Unsavable(4), "save: .*nothing can be kept", 3),
    ],
)
def test_a_stage_that_fails_is_told(layer, why, stages, tmp_path):
    """The note has the stage and the error, and those before it are counted."""
    verdict, result = said(tmp_path, network(layer), "smoke", "gold.smoke")
    assert verdict == "fail"
    (note,) = [one["why"] for one in result.notes if one["subject"] == "experiment smoke"]
    assert re.match(why, note)
    assert result.findings[0].value == stages


INNER = {"dropout": lambda: layers.Dropout(0.5), "normalization": layers.BatchNormalization}


class Forced(layers.Layer):
    """Keeps a layer in training mode for good."""

    def __init__(self, kind):
        super().__init__()
        self.inner = INNER[kind]()

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs, training=True)


@pytest.mark.parametrize(("kind", "rule"), [("dropout", "GOLD054"), ("normalization", "GOLD055")])
def test_a_layer_that_stays_in_training_mode_is_found(kind, rule, tmp_path):
    """Dropout makes answers random, batch normalization makes them depend on the batch."""
    verdict, result = said(
        tmp_path, network(layers.Dense(16, "relu"), Forced(kind)), "test_mode", "gold.train-test-mode"
    )
    assert (verdict, result.findings[0].rule) == ("fail", rule)
    well = network(layers.Dense(16, "relu"), INNER[kind]())
    result = said(tmp_path, well, "test_mode", "gold.train-test-mode")[1]
    assert {one.verdict for one in result.rules if one.rule in ("GOLD054", "GOLD055")} == {"pass"}
