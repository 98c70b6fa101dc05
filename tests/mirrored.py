"""Trainings under MirroredStrategy on two logical CPU devices: `python -m tests.mirrored OUT` prints what came out.

Logical devices can be set only before TensorFlow starts, so this runs in a process of its own.
"""

import contextlib
import json
import logging
import sys

import keras
import numpy as np
import tensorflow as tf

import tfhealth
from tests.models import KINDS, data, quiet
from tests.replicated import replicated_step
from tfhealth import HealthCallback, watch


class Selfish(keras.layers.Dense):
    """A layer whose replicas each pull the kernel towards their own part of the batch."""

    def call(self, inputs):
        self.kernel.assign(self.kernel + 1e-3 * keras.ops.mean(inputs))
        return super().call(inputs)


def selfish():
    return keras.Sequential([keras.Input((12,)), Selfish(8, name="selfish"), keras.layers.Dense(5, "softmax")])


def trained(make, strategy, out, *, policy="float32", exact=None, samples=64, executions=1):
    """Return a trained model, its history and the notes and folder of its run; exact=None trains without us."""
    keras.backend.clear_session()  # the same names in every training
    keras.mixed_precision.set_global_policy(policy)
    keras.utils.set_random_seed(1)
    x, y = (array[:samples] for array in data(make if make in KINDS else "dense"))
    with strategy.scope() if strategy is not None else contextlib.nullcontext():
        model = KINDS[make][0]() if make in KINDS else selfish()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=executions)
    watching = [] if exact is None else [HealthCallback(**quiet(out, every=1, exact=exact))]
    settings = {"batch_size": 16, "epochs": 2, "shuffle": False, "verbose": 0, "callbacks": watching}
    history = model.fit(x, y, validation_data=(x[:20], y[:20]), **settings).history
    found = {"folder": str(watching[0].run_dir), "notes": watching[0].result.notes} if watching else {}
    return model, history, found


def differences(strategy, one, other):
    """Return the names of what differs between two trainings, on any replica."""
    pairs = zip(*([*model.variables, *model.optimizer.variables] for model in (one[0], other[0])), strict=True)
    found = [] if one[1] == other[1] else ["history"]
    for variable, twin in pairs:
        values = [strategy.experimental_local_results(each.value) for each in (variable, twin)]
        assert len(values[0]) == len(values[1])
        if not all(np.array_equal(a, b) for a, b in zip(*values, strict=True)):
            found.append(variable.path)
    return found


def compared(make, strategy, out, **settings):
    """Train without us and with us; return what differs and the run."""
    exact = settings.pop("exact", False)
    plain = trained(make, strategy, out, **settings)
    watched = trained(make, strategy, out, exact=exact, **settings)
    return {"differences": differences(strategy, plain, watched), **watched[2]}


def looped(strategy, out, watching):
    """Train by a hand-written loop; return the model, its losses and the notes and folder of its run."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    losses = keras.losses.SparseCategoricalCrossentropy()
    with strategy.scope():
        model = KINDS["residual"][0]()
        model.optimizer = keras.optimizers.Adam()
        model.optimizer.build(model.trainable_variables)

    step = replicated_step(model, losses, strategy)

    dataset = tf.data.Dataset.from_tensor_slices(tuple(array[:64] for array in data("residual")))
    batches = strategy.experimental_distribute_dataset(dataset.batch(16, drop_remainder=True))
    if not watching:
        return model, [float(step(batch)) for batch in batches], {}
    with watch(model, model.optimizer, **quiet(out, every=1)) as watched:
        called = watched.step(step)
        history = [float(called(batch)) for batch in batches]
    return model, history, {"folder": str(watched.run_dir), "notes": watched.result.notes}


def compared_loops(strategy, out):
    """Train by a loop without us and with us; return what differs and the run."""
    plain, watched = (looped(strategy, out, watching) for watching in (False, True))
    return {"differences": differences(strategy, plain, watched), **watched[2]}


def tried_before(strategy, out):
    """Return which rules of a quick preflight fail, its notes, and what it changed in a model of a strategy."""
    with strategy.scope():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")])
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(96, 8)).astype("float32")
    before = [one.numpy() for one in model.variables]
    names = "smoke,test_mode,first_loss,learning_rate_range"
    result = tfhealth.preflight(model, x, x[:, :3].argmax(1), names, out=out, formats="json", budget=600, verbose=0)
    return {
        "fails": [one.rule for one in result.findings if one.verdict == "fail"],
        "notes": [one["why"] for one in result.notes if one["subject"].startswith("experiment")],
        "changed": sum(not np.array_equal(one, two.numpy()) for one, two in zip(before, model.variables, strict=True)),
    }


def outcome(*arguments, **settings):
    """Return the name of the exception that a training ends with."""
    try:
        trained(*arguments, **settings)
    except Exception as error:
        return type(error).__name__
    return "none"


def main(out):
    logging.disable(logging.WARNING)
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {
        "residual": compared("residual", two, out),
        "uneven": compared("residual", two, out, samples=63),
        "cnn": compared("cnn", two, out),
        "exact": compared("cnn", two, out, exact=True),
        "scaled": compared("residual", two, out, policy="mixed_float16"),
        "selfish": compared("selfish", two, out),
        "alone": trained("residual", None, out, exact=False)[2],
        "uneven alone": trained("residual", None, out, exact=False, samples=63)[2],
        "loop": compared_loops(two, out),
        "preflight": tried_before(two, out),
        "ends": [outcome("residual", two, out, executions=2, exact=exact) for exact in (None, False)],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
