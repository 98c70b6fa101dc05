"""Sound programs whose structure is out of the ordinary: a teacher, a step with its own loss, batches of one sample."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from tests.clinic.healthy import DIGITS, PIXELS, compiled, relu, sequential, softmax, standard
from tests.clinic.pair import Program

WINE = datasets.load_wine()


def normalized_after_each_block() -> Program:
    """The embedding is small, and the first normalization brings it to size."""
    tokens = keras.Input((16,))
    x = layers.Embedding(17, 16)(tokens)
    for _ in range(3):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(16)(relu(32)(x)))
    model = keras.Model(tokens, softmax()(layers.Flatten()(x)))
    coarse = DIGITS.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    return compiled(model, np.round(coarse).astype(int), DIGITS.target, keras.optimizers.Adam(2e-3))


class Taught(keras.Model):
    """Learns what a larger network, which was trained before, answers."""

    def __init__(self, student: keras.Model, teacher: keras.Model):
        super().__init__()
        self.student, self.teacher = student, teacher

    def call(self, x):
        return self.student(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        told = ops.softmax(self.teacher(x, training=False) / 4)
        return ops.mean(ops.categorical_crossentropy(told, y_pred / 4, from_logits=True)) * 16


def taught_by_a_larger_network() -> Program:
    teacher = sequential((64,), *[relu(256) for _ in range(3)], layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(teacher, PIXELS, DIGITS.target, loss=loss)
    teacher.fit(PIXELS, DIGITS.target, epochs=12, verbose=0)
    teacher.trainable = False
    model = Taught(sequential((64,), relu(32), relu(32), layers.Dense(10)), teacher)
    model.compile("adam", metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model, PIXELS, DIGITS.target, {"epochs": 8}


def wide_answers_of_three_dropouts() -> Program:
    """Each dropout widens the first answers; of these labels only a third can be known, and that is learned slowly."""
    rng = np.random.default_rng(4)
    labels = np.where(rng.random(len(DIGITS.target)) < 0.3, DIGITS.target, rng.integers(0, 10, len(DIGITS.target)))
    hidden = [layer for _ in range(3) for layer in (relu(128, kernel_initializer="he_normal"), layers.Dropout(0.5))]
    return compiled(sequential((64,), *hidden, softmax()), standard(DIGITS.data), labels, epochs=14)


class Variational(keras.Model):
    """A variational autoencoder whose train step adds up its loss by itself."""

    def __init__(self, columns: int):
        super().__init__()
        self.hidden, self.mean, self.spread = relu(16), layers.Dense(2), layers.Dense(2)
        self.back, self.out = relu(16), layers.Dense(columns)
        self.noise, self.told = keras.random.SeedGenerator(1), keras.metrics.Mean(name="loss")
        self(np.zeros((1, columns), "float32"))

    def call(self, x):
        hidden = self.hidden(x)
        return self.out(self.back(self.mean(hidden) + 0 * self.spread(hidden)))

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            hidden = self.hidden(x)
            mean, spread = self.mean(hidden), self.spread(hidden)
            code = mean + ops.exp(spread / 2) * keras.random.normal(ops.shape(mean), seed=self.noise)
            wrong = ops.sum(ops.square(x - self.out(self.back(code))), axis=1)
            loss = ops.mean(wrong - 0.5 * ops.sum(1 + spread - ops.square(mean) - ops.exp(spread), axis=1))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.told.update_state(loss)
        return {"loss": self.told.result()}


def variational_autoencoder() -> Program:
    model = Variational(WINE.data.shape[1])
    model.compile(keras.optimizers.Adam(5e-3))
    data = tf.data.Dataset.from_tensor_slices(standard(WINE.data)).shuffle(200, seed=0).batch(16)
    return model, data, None, {"epochs": 40, "shuffle": False}


def line_through_points_one_at_a_time() -> Program:
    """The loss of the first point may be next to nothing, and that of the next ones many times as high."""
    noise = np.random.default_rng(0)
    x = noise.uniform(-2, 2, (40, 1)).astype("float32")
    y = 1 - 3 * x + noise.normal(0, 0.3, x.shape)
    rate = keras.optimizers.SGD(0.01)
    return compiled(sequential((1,), layers.Dense(1)), x, y, rate, "mse", batch_size=1, epochs=25)


HEALTHY: tuple[Callable[[], Program], ...] = (
    line_through_points_one_at_a_time,
    normalized_after_each_block,
    taught_by_a_larger_network,
    wide_answers_of_three_dropouts,
    variational_autoencoder,
)
