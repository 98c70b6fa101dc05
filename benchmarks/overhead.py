"""What watching costs: time of an epoch with the callback over the time of one without.

    python benchmarks/overhead.py [--rounds 22] [--steps 200] [--no-rerun] [MODEL ...]

One fit a model. Its epochs take turns, in an order drawn anew each round: twice without any callback, with the default
schedule, with every step probed, with an eager second pass over every batch (what a callback must do that cannot see
into the compiled step), and, where tensorboard is installed, with Keras's TensorBoard callback and histograms. The
first two rounds, in which everything compiles, do not count. Printed are ratios to the plain epochs of the same fit, of
lower quartiles and of medians: other work on a machine only ever adds time, so the lower quartile says what the code
costs, and the median what a busy machine makes of it. The second plain epoch shows how much of either is noise.
"""

import argparse
import importlib.util
import random
import tempfile
import time
from collections import defaultdict

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfhealth import HealthCallback


def dense():
    model = keras.Sequential(
        [keras.Input((64,)), *[layers.Dense(256, activation="relu") for _ in range(3)], layers.Dense(10)]
    )
    return model, (64,), 64


def cnn():
    blocks = [
        layer
        for filters in (16, 32, 64)
        for layer in (
            layers.Conv2D(filters, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
        )
    ]
    model = keras.Sequential([keras.Input((32, 32, 3)), *blocks, layers.Flatten(), layers.Dense(10)])
    return model, (32, 32, 3), 32


def lstm():
    return keras.Sequential([keras.Input((40, 16)), layers.LSTM(64), layers.Dense(10)]), (40, 16), 32


MODELS = {"dense": dense, "cnn": cnn, "lstm": lstm}


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
    """Hands each epoch to one of several callbacks, and times it."""

    async_safe = True

    def __init__(self, modes, rounds):
        super().__init__()
        self.modes, self.seconds = modes, defaultdict(list)
        # In a fixed order a mode would pay for what the one before it left: flushes, caches, a collection of garbage.
        order = random.Random(0)
        self.turns = [name for _ in range(rounds) for name in order.sample(list(modes), len(modes))]

    def set_model(self, model):
        super().set_model(model)
        self._all("set_model", model)

    def set_params(self, params):
        super().set_params(params)
        self._all("set_params", params)

    def _all(self, hook, *arguments):
        for callback in self.modes.values():
            if callback is not None:
                getattr(callback, hook)(*arguments)

    def _now(self, hook, *arguments):
        if self.active is not None:
            getattr(self.active, hook)(*arguments)

    def on_train_begin(self, logs=None):
        self._all("on_train_begin", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.name = self.turns[epoch]
        self.active = self.modes[self.name]
        self.began = time.perf_counter()
        self._now("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._now("on_train_batch_begin", batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._now("on_epoch_end", epoch, logs)
        self.seconds[self.name].append(time.perf_counter() - self.began)

    def on_train_end(self, logs=None):
        self._all("on_train_end", logs)


def measure(name, rounds, steps, rerun):
    """Return {mode: seconds of its epochs, one a round} for one model, and its batch size."""
    keras.utils.set_random_seed(0)
    model, shape, batch = MODELS[name]()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * batch, *shape)).astype("float32")
    y = rng.integers(0, 10, steps * batch)
    with tempfile.TemporaryDirectory() as out:
        modes = {
            "plain": None,
            "plain again": None,
            "default": HealthCallback(out=out, formats="json", verbose=0),
            "every step": HealthCallback(every=1, out=out, formats="json", verbose=0),
        }
        if rerun:
            modes["eager rerun"] = EagerRerun(x[:batch], y[:batch])
        if importlib.util.find_spec("tensorboard"):
            modes["TensorBoard"] = keras.callbacks.TensorBoard(out, histogram_freq=1, update_freq="epoch")
        turns = TakingTurns(modes, rounds)
        model.fit(x, y, batch_size=batch, epochs=len(turns.turns), verbose=0, callbacks=[turns])
    return {mode: np.array(seconds[2:]) for mode, seconds in turns.seconds.items()}, batch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all by default")
    parser.add_argument("--rounds", type=int, default=22)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--no-rerun", action="store_true", help="leave out the eager pass, which takes the most time")
    arguments = parser.parse_args()
    for name in arguments.models or MODELS:
        seconds, batch = measure(name, arguments.rounds, arguments.steps, not arguments.no_rerun)
        quartile, median = np.quantile(seconds.pop("plain"), [0.25, 0.5])
        print(f"{name}: batch {batch}, {1000 * quartile / arguments.steps:.2f} ms a step", flush=True)
        for mode, one in seconds.items():
            low, middle = np.quantile(one, [0.25, 0.5]) / (quartile, median)
            print(f"  {mode:<12} {low:6.3f} x   (medians {middle:.3f} x)", flush=True)


if __name__ == "__main__":
    main()
