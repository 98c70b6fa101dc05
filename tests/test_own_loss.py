"""Train steps that compute their loss by themselves: what is known of it, and which layers answer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.models import quiet
from tfhealth import HealthCallback, load_run
from tfhealth.series import Probe, Site

X = np.random.default_rng(3).normal(size=(32, 4)).astype("float32")
Y = X[:, :1] ** 2
LOSS = Site("loss", "batch")


class OwnStep(keras.Model):
    """Takes the gradients of one or more losses, each a value a sample, of one or more networks."""

    def __init__(self, networks, *losses):
        super().__init__()
        self.networks, self.measures = networks, losses
        self(X[:1])

    def call(self, x):
        return sum(network(x) for network in self.networks)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            values = [measure(y, self(x)) for measure in self.measures]
        for value in values:
            self.optimizer.apply(tape.gradient(value, self.trainable_variables), self.trainable_variables)
        return {"own": tf.reduce_mean(values[0])}


def recorded(model, out):
    """Train one step, and return the run."""
    model.compile(keras.optimizers.SGD(0.001))
    callback = HealthCallback(**quiet(out, every=1))
    model.fit(X, Y, batch_size=len(X), verbose=0, callbacks=[callback])
    return load_run(callback.run_dir)


def fourth_power(y, y_pred):
    return tf.reduce_sum((y - y_pred) ** 4, axis=1)


def distance(y, y_pred):
    return tf.reduce_sum(tf.abs(y - y_pred), axis=1)


def test_loss_is_what_gradients_are_taken_of(tmp_path):
    """It is the mean over the samples."""
    layer = layers.Dense(1)
    model = OwnStep([layer], fourth_power)
    expected = np.mean((Y - X @ np.asarray(layer.kernel)) ** 4)
    assert recorded(model, tmp_path).series(Probe(LOSS, "data")).values[0] == pytest.approx(expected, rel=1e-4)


def test_a_penalty_may_be_part_of_it_or_not(tmp_path):
    """Of the loss of a model with regularization nothing is known but that it is finite."""
    run = recorded(OwnStep([layers.Dense(1, kernel_regularizer="l2")], fourth_power), tmp_path)
    assert run.series(Probe(LOSS, "nonfinite")).values.tolist() == [0]
    assert not run.panel("loss", "data").measured.any()


def test_two_losses_are_no_loss(tmp_path):
    """Neither is the loss of the run, and the run says so."""
    run = recorded(OwnStep([layers.Dense(1)], fourth_power, distance), tmp_path)
    assert LOSS not in run.sites
    assert [note.why for note in run.notes if note.subject == "loss"] == [
        "the train step takes gradients of several losses"
    ]


def test_each_network_has_an_output(tmp_path):
    """A layer that no other reads is one, though a step calls it before the last."""
    networks = [
        keras.Sequential([layers.Dense(6, name=f"hidden_{name}"), layers.Dense(1, name=f"out_{name}")]) for name in "ab"
    ]
    run = recorded(OwnStep(networks, fourth_power), tmp_path)
    kernels = {one.name: about["output"] for one, about in run.sites.items() if one.kind == "gradient"}
    told = {name.split("/")[-2]: output for name, output in kernels.items()}
    assert told == {"hidden_a": False, "out_a": True, "hidden_b": False, "out_b": True}
