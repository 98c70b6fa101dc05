"""The learning rate in force at each probed step: whoever sets it, it is recorded as the optimizer used it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.asking import asking, values, watched
from tests.helpers import rule
from tests.models import quiet
from tfhealth import load_run, watch
from tfhealth.decide import decide
from tfhealth.series import Probe, Site

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1]
RATE = "optimizer.learning_rate"


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of somebody's own, which reads a variable as well."""

    def __init__(self, target):
        self.target = tf.Variable(target, dtype=tf.float32)

    def __call__(self, step):
        return self.target * (keras.ops.cast(step, "float32") + 1.0) / 10.0

    def get_config(self):
        return {"target": float(self.target)}


class Printing(Warmup):
    """A schedule that does more than compute."""

    def __call__(self, step):
        tf.print("asked for step", step, output_stream="file:///dev/null")
        return super().__call__(step)


def sgd(rate):
    return keras.optimizers.SGD(rate, name="sgd")


def compiled(optimizer, policy="float32", **settings):
    """Return a model of one layer, the same at each call."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype=policy)])
    model.compile(optimizer, "mse", **settings)
    return model


def weights_without_us(optimizer, **settings):
    model = compiled(optimizer, **settings)
    model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    return model.get_weights()


SCHEDULE = (lambda: keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5), [0.5, 0.25, 0.125, 0.0625])


@pytest.mark.parametrize(
    ("given", "expected", "settings"),
    [
        (lambda: 0.25, [0.25] * 4, {}),
        (*SCHEDULE, {}),
        (*SCHEDULE, {"steps_per_execution": 4}),
        (*SCHEDULE, {"jit_compile": True}),
        (lambda: Warmup(0.5), [0.05, 0.1, 0.15, 0.2], {}),
        (lambda: Warmup(0.5), [0.05, 0.1, 0.15, 0.2], {"run_eagerly": True}),
    ],
)
def test_the_rate_is_what_the_step_used(given, expected, settings, tmp_path):
    """A constant, a schedule of Keras and one of somebody's own; the weights are those without us, bit for bit."""
    model = compiled(sgd(given()), **settings)
    run = watched(tmp_path, model, X, Y, RATE, batch_size=16)
    np.testing.assert_allclose(values(run, "optimizer", "sgd", "learning_rate"), expected, rtol=1e-6)
    for one, other in zip(model.get_weights(), weights_without_us(sgd(given()), **settings), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's own callback
def test_what_a_callback_sets_is_followed(tmp_path):
    """ReduceLROnPlateau lowers the rate between epochs, and the series has it from the next step on."""
    callback = asking(tmp_path, RATE)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=1e9)
    compiled(sgd(0.5)).fit(X, Y, batch_size=32, epochs=3, verbose=0, callbacks=[plateau, callback])
    found = values(load_run(callback.run_dir), "optimizer", "sgd", "learning_rate")
    assert found.tolist() == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_optimizer_within_a_loss_scale_is_meant(tmp_path):
    """The site bears the name of the optimizer that has the rate."""
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.25, name="adam"))
    run = watched(tmp_path, compiled(scaled, "mixed_float16"), X, Y, RATE, batch_size=16)
    (site,) = [one for one in run.sites if one.kind == "optimizer"]
    assert site.name == "adam"
    assert run.sites[site] == {"class": "Adam", "schedule": None, "scaled": True, "position": 0}
    assert values(run, "optimizer", "adam", "learning_rate").tolist() == [0.25] * 4


def test_it_is_recorded_though_no_rule_reads_it(tmp_path):
    """Every report tells it, so it does not wait for a rule."""
    run = watched(tmp_path, compiled(sgd(0.5)), X, Y, "loss.total")
    assert values(run, "optimizer", "sgd", "learning_rate").tolist() == [0.5, 0.5]


@pytest.mark.parametrize("given", [lambda: Printing(0.5), lambda: lambda: 0.5], ids=["effects", "function"])
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`", "ignore:tfhealth")
def test_what_may_not_be_asked_twice_is_not_measured(given, tmp_path):
    """A schedule with effects, and a plain function: the report says why, and training is the same."""
    model = compiled(sgd(given()))
    run = watched(tmp_path, model, X, Y, RATE, "loss.total", batch_size=16)
    assert not len(run.panel("optimizer", "learning_rate"))
    whys = [note.why for note in run.notes if note.subject.startswith("optimizer")]
    assert len(whys) == 1
    assert "does more than compute" in whys[0] or "only the optimizer may call" in whys[0]
    for one, other in zip(model.get_weights(), weights_without_us(sgd(given())), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_optimizer_of_a_loop_has_its_rate(tmp_path):
    """A hand-written step with two optimizers of one name: two sites, each with its own rate."""
    models = [keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]) for _ in range(2)]
    optimizers = [sgd(rate) for rate in (0.5, Warmup(1.0))]

    @tf.function
    def step(x, y):
        for model, optimizer in zip(models, optimizers, strict=True):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    with watch(models, optimizers, **quiet(tmp_path, every=1)) as watching:
        own = watching.step(step)
        for _ in range(3):
            own(X, Y)
    run = load_run(watching.run_dir)
    found = {site.name: one.values.round(6).tolist() for site, one in run.panel("optimizer", "learning_rate").series()}
    assert found == {"sgd": [0.5] * 3, "sgd#2": [0.1, 0.2, 0.3]}


def test_a_rule_can_read_it(tmp_path):
    """A limit on `optimizer.learning_rate`, as on any statistic."""
    run = watched(tmp_path, compiled(sgd(0.5)), X, Y, RATE)
    limit = rule(measure={"expr": RATE}, condition={"error": {"above": 0.1}})
    ((_, seen, _),) = decide(limit, run).breaches
    assert (seen.step, seen.value) == (0, 0.5)
    assert run.series(Probe(Site("optimizer", "sgd"), "learning_rate")) is not None
