"""One worker of a training by several: `TF_CONFIG=… python -m tests.worker fit|loop OUT [INDEX …]` prints its result.

The workers with these indexes are watched.
"""

import json
import logging
import sys

import keras
import numpy as np
import tensorflow as tf

from tests.models import quiet
from tests.replicated import replicated_step
from tfhealth import HealthCallback, watch


class Workable(keras.Model):
    """What Keras 3.15 needs to `fit` on several workers at all."""

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras reduces a batch over the workers here, which fails; a model that is built has no need of it."""

    def train_step(self, data):
        return {name: keras.ops.reshape(value, (1,)) for name, value in super().train_step(data).items()}


class Change(keras.callbacks.Callback):
    """Measures the norm of the first update of a kernel."""

    def on_train_begin(self, logs=None):
        self.before = kernel(self.model)

    def on_train_batch_end(self, batch, logs=None):
        if not hasattr(self, "norm"):
            self.norm = float(np.linalg.norm(kernel(self.model) - self.before))


def kernel(model):
    return np.asarray(model.get_layer("dense").kernel.value.values[0])


def fitted(model, x, settings):
    """Fit; return the losses, the norm of the first update and the run directory."""
    change, callbacks = Change(), [] if settings is None else [HealthCallback(**settings)]
    fit = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    history = model.fit(x, x[:, :2], callbacks=[*callbacks, change], **fit).history
    return history, change.norm, callbacks[0].run_dir if callbacks else None


def looped(model, x, settings):
    """Train by a loop; return the same."""
    strategy, losses = model.distribute_strategy, keras.losses.MeanSquaredError()
    batches = tf.data.Dataset.from_tensor_slices((x, x[:, :2])).batch(8, drop_remainder=True)

    step = replicated_step(model, losses, strategy)

    def run(step):
        found, before = [], kernel(model)
        for _ in range(2):
            for batch in strategy.experimental_distribute_dataset(batches):
                found.append(float(step(batch)))
                if len(found) == 1:
                    norm = float(np.linalg.norm(kernel(model) - before))
        return found, norm

    if settings is None:
        return *run(step), None
    with watch(model, model.optimizer, **settings) as watched:
        found = run(watched.step(step))
    return *found, watched.run_dir


def main(how, out, watching):
    logging.disable(logging.WARNING)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((4,))
        normalized = keras.layers.BatchNormalization()(inputs)
        model = Workable(inputs, keras.layers.Dense(2, name="dense")(normalized))
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    settings = quiet(out, every=2) if strategy.cluster_resolver.task_id in watching else None
    history, norm, folder = (fitted if how == "fit" else looped)(model, x, settings)
    state = [np.asarray(one.value.values[0]).tolist() for one in [*model.variables, *model.optimizer.variables]]
    found = {"state": state, "history": history, "update": norm, "folder": None if folder is None else str(folder)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(index) for index in sys.argv[3:]])
