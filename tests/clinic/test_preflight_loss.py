"""The loss before a training: each row complains of a model that is sick in that way, and passes for a healthy one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tfhealth
from tfhealth import load_run
from tfhealth.experiments.confidence import half_width, interval
from tfhealth.series import Probe, Site

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)


def compiled(model, loss="sparse_categorical_crossentropy", optimizer=None):
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss)
    return model


def network(regularizer=None, dropout=0.0, out="softmax", loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(3)
    stack = [layers.Dense(16, "relu", kernel_regularizer=regularizer), layers.Dropout(dropout), layers.Dense(3, out)]
    return compiled(keras.Sequential([keras.Input((8,)), *stack]), loss)


def tried(folder, model, experiments, x=X, y=Y):
    """Return {row: verdict}, {rule: (verdict, reason)}, and a function that reads a series of the first experiment."""
    result = tfhealth.preflight(model, x, y, experiments=experiments, out=folder, formats="json", verbose=0)
    run = load_run(result.run.path)
    name = experiments.split(",")[0]
    rows = {one.id: one.verdict for one in result.checklist}
    rules = {one.rule: (one.verdict, one.reason) for one in result.rules}
    return rows, rules, lambda statistic: run.series(Probe(Site("experiment", name), statistic)).values


def test_the_first_loss_is_that_of_a_guess(tmp_path):
    """Eight batches give an interval around 1; inputs that are a hundred times too large lie above it for certain."""
    _, rules, series = tried(tmp_path, network(), "first_loss")
    assert (rules["LOSS051"][0], rules["LOSS052"][0]) == ("pass", "pass")
    assert series("loss").shape == (8,)
    assert series("chance")[0] == pytest.approx(np.log(3), rel=1e-6)
    assert series("low")[0] < series("ratio")[0] < series("high")[0]
    rows, rules, _ = tried(tmp_path, network(), "first_loss", 100 * X)
    assert (rows["loss.at-chance"], rules["LOSS051"][0], rules["LOSS052"][0]) == ("fail", "fail", "pass")


def test_a_first_loss_below_a_guess_is_found(tmp_path):
    """The label lies among the inputs, and the weights read it; dropout and penalties do not count."""
    given = np.eye(3, dtype="float32")[Y] * 10
    model = compiled(keras.Sequential([keras.Input((3,)), layers.Dense(3, "softmax", kernel_initializer="identity")]))
    assert tried(tmp_path, model, "first_loss", given)[0]["loss.at-chance"] == "warn"
    assert tried(tmp_path, network("l2", 0.9), "first_loss")[1]["LOSS052"][0] == "pass"


def test_a_loss_without_a_known_guess_does_not_apply(tmp_path):
    """Regression, and a first loss that is no number, are told apart."""
    _, rules, _ = tried(tmp_path, network(out=None, loss="mse"), "first_loss", y=Y.astype("float32")[:, None])
    assert rules["LOSS051"] == (
        "not_applicable",
        "only the plain cross-entropy of one output has a known value for a guess",
    )
    model = compiled(keras.Sequential([keras.Input((8,)), layers.Dense(3, "softmax")]))
    _, rules, _ = tried(tmp_path, model, "first_loss", X * np.float32(np.nan))
    assert rules["LOSS051"] == (
        "not_measured",
        "not measured: ValueError: the loss is NaN or infinite before the first step",
    )


class Forgetful(keras.Model):
    """Minimizes the loss of the data alone."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(16, "relu", kernel_regularizer="l2")
        self.out = layers.Dense(3, "softmax")

    def call(self, inputs):
        return self.out(self.hidden(inputs))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, self(x, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


def reward(weights):
    return -0.01 * keras.ops.sum(weights**2)


def test_stronger_regularization_raises_the_first_loss(tmp_path):
    """At 0, 1 and 10 times its strength the loss rises by the penalty, with dropout beside it too."""
    rows, rules, series = tried(tmp_path, network("l2", 0.5), "regularization_effect,gradient_shares")
    assert (rows["loss.regularization-effect"], rules["LOSS055"][0]) == ("pass", "pass")
    none, one, ten = series("loss")
    assert ten - none == pytest.approx(10 * (one - none), rel=1e-3)
    assert series("arrives")[0] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "rule"), [(lambda: compiled(Forgetful()), "LOSS053"), (lambda: network(reward), "LOSS054")]
)
def test_regularization_that_does_not_raise_the_loss_is_found(model, rule, tmp_path):
    """A train step that forgets the penalties, and a penalty with the wrong sign."""
    rows, rules, _ = tried(tmp_path, model(), "regularization_effect")
    assert (rows["loss.regularization-effect"], rules[rule][0]) == ("fail", "fail")


@pytest.mark.parametrize(
    ("strength", "rate", "expected"), [(3.0, 0.8, {"warn", "fail"}), (1e-3, 0.2, {"pass"})], ids=["strong", "mild"]
)
def test_a_penalty_with_most_of_the_gradient_keeps_the_model_from_fitting(strength, rate, expected, tmp_path):
    """Both rules say so; with a thousandth of it both pass."""
    model = network(keras.regularizers.L2(strength), rate)
    _, rules, series = tried(tmp_path, model, "gradient_shares,regularization_cost")
    assert {rules["LOSS055"][0], rules["LOSS056"][0]} <= expected
    assert (series("ratio").shape, series("left")[0]) == ((5,), 1.0)


def test_without_regularization_nothing_of_it_applies(tmp_path):
    """Each rule says why."""
    _, rules, _ = tried(tmp_path, network(), "regularization_effect,gradient_shares,regularization_cost")
    why = "the model has no weight or activity regularizer"
    assert [rules[rule] for rule in ("LOSS053", "LOSS054", "LOSS055")] == [("not_applicable", why)] * 3
    assert rules["LOSS056"][0] == "not_applicable"


def test_an_interval_holds_the_mean_as_often_as_it_says():
    """Of many intervals from five normal numbers 95 % hold the mean; a single number says nothing."""
    draws = np.random.default_rng(1).normal(size=(2000, 5))
    held = np.mean([low < 0 < high for low, high in map(interval, draws)])
    assert held == pytest.approx(0.95, abs=0.015)
    assert half_width([3.0]) == np.inf
    wide = np.random.default_rng(2).normal(size=(2000, 30))
    assert np.mean([low < 0 < high for low, high in map(interval, wide)]) == pytest.approx(0.95, abs=0.015)
