"""One fit of a model -> the seconds that its steps take in several ways of watching it, which take turns."""

import random
import tempfile

import keras
import numpy as np
import tensorflow as tf
from models import compiled, data

from tfhealth import HealthCallback, load_run

BLOCK = 20  # steps of one turn


class EagerRerun(keras.callbacks.Callback):
    """Runs one batch again, eagerly, for its gradients: the way of tools that stand outside the compiled step."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = tf.constant(x), tf.constant(y)

    def on_train_batch_begin(self, batch, logs=None):
        with tf.GradientTape() as tape:
            loss = self.model.compute_loss(self.x, self.y, self.model(self.x, training=True))
        gradients = tape.gradient(loss, self.model.trainable_weights)
        for tensor in gradients:
            float(tf.nn.l2_loss(tensor))


class TakingTurns(keras.callbacks.Callback):
    """Hands blocks of steps to one of several callbacks, and times every step. Each sees steps of its own, from 0."""

    async_safe = True

    def __init__(self, modes, rounds, clock):
        super().__init__()
        self.clock = clock
        self.modes, self.seconds = modes, {name: [] for name in modes}
        # In a fixed order a mode would pay for what the one before it left: flushes, caches, a collection of garbage.
        order = random.Random(0)
        self.turns = [name for _ in range(rounds) for name in order.sample(list(modes), len(modes))]

    def _all(self, hook, *arguments):
        for callback in self.modes.values():
            if callback is not None:
                getattr(callback, hook)(*arguments)

    def set_model(self, model):
        super().set_model(model)
        self._all("set_model", model)

    def set_params(self, params):
        super().set_params(params)
        self._all("set_params", params)

    def on_train_begin(self, logs=None):
        self._all("on_train_begin", logs)

    def on_train_batch_begin(self, batch, logs=None):
        self.name = self.turns[batch // BLOCK]
        self.active = self.modes[self.name]
        if self.active is not None and batch % BLOCK == 0:
            self.active.on_epoch_begin(0, logs)  # its clock must not run while the others have their turns
        self.began = self.clock()
        if self.active is not None:
            self.active.on_train_batch_begin(len(self.seconds[self.name]), logs)

    def on_train_batch_end(self, batch, logs=None):
        if self.active is not None:
            self.active.on_train_batch_end(len(self.seconds[self.name]), logs)
        self.seconds[self.name].append(self.clock() - self.began)

    def on_train_end(self, logs=None):
        self._all("on_epoch_end", 0, {})
        self._all("on_train_end", logs)


def measured(name, steps, quick, clock):
    """Return the batch size, {way of watching: seconds of each step, float64[steps]}, and what the default recorded.

    `clock` tells seconds, of any beginning.
    """
    model, batch = compiled(name)
    x, y = data(model, 64 * batch)
    with tempfile.TemporaryDirectory() as out:
        settings = {"out": out, "formats": "json", "verbose": 0}
        modes = {
            "plain": None,
            "plain again": None,
            "default": HealthCallback(**settings),
            "every step": HealthCallback(every=1, **settings),
        }
        if not quick:
            modes["exact"] = HealthCallback(every=1, exact=True, **settings)
            modes["eager rerun"] = EagerRerun(x[:batch], y[:batch])
        turns = TakingTurns(modes, steps // BLOCK, clock)
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).cache().repeat().prefetch(2)
        count = len(turns.turns) * BLOCK
        model.fit(batches, steps_per_epoch=count, epochs=1, shuffle=False, verbose=0, callbacks=[turns])
        tables = load_run(modes["default"].run_dir).tables
    return batch, {mode: np.array(seconds) for mode, seconds in turns.seconds.items()}, tables
