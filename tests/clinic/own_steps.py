"""Programs whose train step somebody wrote by hand, with a fault in it, each beside a sound one."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn import datasets

from tests.clinic.healthy import standard
from tests.clinic.pair import Pair, Program

WINE, DIABETES = datasets.load_wine(), datasets.load_diabetes()


class TwoParts(keras.Model):
    """An encoder and a head; its step trains the parts that it is told, and lets a copy of the encoder follow it."""

    def __init__(self, *trained: str):
        super().__init__()
        self.encoder, self.follower = layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu")
        self.head = layers.Dense(3, activation="softmax")
        self.trained = trained

    def call(self, x):
        return self.head(self.encoder(x) + 0.0 * tf.stop_gradient(self.follower(x)))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        variables = [one for part in self.trained for one in getattr(self, part).trainable_variables]
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for mine, other in zip(self.follower.variables, self.encoder.variables, strict=True):
            mine.assign(0.9 * mine + 0.1 * other)
        return {"loss": loss}


def of_two_parts(*trained: str) -> Program:
    model = TwoParts(*trained)
    model.compile("adam", "sparse_categorical_crossentropy")
    mixed = np.random.default_rng(0).permutation(len(WINE.target))
    return model, standard(WINE.data)[mixed], WINE.target[mixed], {"epochs": 40, "batch_size": 16}


def encoder_given_to_nobody() -> Program:
    return of_two_parts("head")


def both_parts_trained() -> Program:
    """The copy that follows is changed by hand, and is nothing that was forgotten."""
    return of_two_parts("encoder", "head")


class OwnDifference(keras.Model):
    """A regression whose step takes the difference by itself."""

    def __init__(self, squeezes: bool):
        super().__init__()
        self.hidden, self.out = layers.Dense(16, activation="relu"), layers.Dense(1)
        self.squeezes, self.told = squeezes, keras.metrics.Mean(name="loss")

    def call(self, x):
        return self.out(self.hidden(x))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            answers = self(x, training=True)
            loss = tf.reduce_mean(tf.square(y - (tf.squeeze(answers, -1) if self.squeezes else answers)))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.told.update_state(loss)
        return {"loss": self.told.result()}

    @property
    def metrics(self):
        return [self.told]


def by_own_difference(squeezes: bool) -> Program:
    model = OwnDifference(squeezes)
    model.compile(keras.optimizers.Adam(0.01))
    x, y = standard(DIABETES.data), standard(DIABETES.target[:, None])[:, 0]
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0).batch(32)
    return model, data, None, {"epochs": 20, "shuffle": False}


def columns_against_rows() -> Program:
    return by_own_difference(squeezes=False)


def rows_against_rows() -> Program:
    return by_own_difference(squeezes=True)


class Signed(keras.Model):
    """A model whose step multiplies its gradients by something before it hands them over."""

    factor = 1.0

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        variables = self.trainable_variables
        gradients = [self.factor * one for one in tape.gradient(loss, variables)]
        self.optimizer.apply(gradients, variables)
        return {"loss": loss}


def multiplied_by(factor: float) -> Program:
    inputs = keras.Input((13,))
    hidden = layers.Dense(24, activation="relu")(inputs)
    model = Signed(inputs, layers.Dense(3, activation="softmax")(hidden))
    model.factor = factor
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    mixed = np.random.default_rng(0).permutation(len(WINE.target))
    return model, standard(WINE.data)[mixed], WINE.target[mixed], {"epochs": 12, "batch_size": 16}


def up_the_loss() -> Program:
    return multiplied_by(-1.0)


def down_the_loss() -> Program:
    return multiplied_by(0.5)


PAIRS = [
    Pair("arch.gradient-check", up_the_loss, down_the_loss),
    Pair("arch.frozen", encoder_given_to_nobody, both_parts_trained),
    Pair("loss.fits-task", columns_against_rows, rows_against_rows),
]
