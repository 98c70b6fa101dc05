"""A loop written by hand: it trains as it would without us, and is seen, judged and reported as a fit is."""

import doctest

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfhealth
from tests.asking import rules_for
from tests.models import CLASSES, KINDS, data, quiet
from tests.test_guest import BEFORE, broken, marks, patched
from tfhealth import load_run, watch
from tfhealth.capture import loop as loop_module
from tfhealth.capture import probes
from tfhealth.capture.session import HealthWarning
from tfhealth.errors import UsageError
from tfhealth.series import Probe, Site

SEEN = ("input.mean", "activation.std", "label.maximum", "prediction.maximum", "weight.norm", "update.norm")
LOSS = Site("loss", "batch")


class Training:
    """A model, an optimizer, a loss and a metric, and one step that uses them: what a loop is made of."""

    def __init__(self, kind="dense"):
        keras.utils.set_random_seed(1)
        self.model, self.optimizer = KINDS[kind][0](), keras.optimizers.Adam()
        self.loss, self.metric = keras.losses.SparseCategoricalCrossentropy(), keras.metrics.Mean()
        self.data = tf.data.Dataset.from_tensor_slices(data(kind)).batch(16, drop_remainder=True)
        self.seen = []

    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(x, training=True))
            if loss > 100.0:  # a branch that depends on a tensor: only AutoGraph makes a graph of it
                loss = 0.5 * loss
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.metric.update_state(loss)
        return loss

    def run(self, step, epochs=2, epoch_end=lambda logs: None):
        for _ in range(epochs):
            losses = [float(step(x, y=y)) for x, y in self.data]
            epoch_end({"loss": np.mean(losses)})
            self.seen += losses
        return self

    def state(self):
        variables = [*self.model.variables, *self.optimizer.variables, *self.metric.variables]
        return [np.asarray(one) for one in variables] + [np.array(self.seen)]


def watched(training, step, out, **settings):
    """Run the loop watched; return what watched it."""
    with watch(training.model, training.optimizer, **quiet(out, every=1, **settings)) as watching:
        training.run(watching.step(step), epoch_end=watching.epoch_end)
    return watching


COMPILED = {"graph": tf.function, "eager": lambda step: step, "xla": lambda step: tf.function(step, jit_compile=True)}


@pytest.mark.parametrize(
    ("kind", "how", "exact"),
    [
        *(("dense", how, False) for how in ("graph", "eager")),
        *((kind, "graph", False) for kind in ("cnn", "lstm", "subclassed")),
        ("cnn", "xla", True),
    ],
)
def test_a_loop_is_bit_identical(kind, how, exact, tmp_path):
    """Weights, optimizer, metric and every loss are equal, with every step probed; the first is not with exact=True."""
    plain, other = Training(kind), Training(kind)
    plain.run(COMPILED[how](plain.step))
    watching = watched(other, COMPILED[how](other.step), tmp_path, exact=exact)
    assert all(np.array_equal(a, b) for a, b in zip(plain.state(), other.state(), strict=True))
    assert len(other.seen) == 8
    assert watching.result.run.probed_steps == (7 if exact else 8)
    assert marks(other.model) == []


def test_a_difference_would_be_seen():
    """The comparison does fail for a loop that goes on longer."""
    plain, other = Training(), Training()
    plain.run(plain.step)
    other.run(other.step).run(other.step, epochs=1)
    assert len([1 for a, b in zip(plain.state(), other.state(), strict=True) if not np.array_equal(a, b)]) > 4


@pytest.mark.parametrize("how", ["graph", "eager"])
def test_a_loop_is_seen_as_a_fit_is(how, tmp_path):
    """Sites of every kind, the loss of each batch, epoch logs, settings, a verdict and a report."""
    training = Training()
    rules = rules_for(tmp_path, "loss.total", "loss.regularization", *SEEN)
    result = watched(training, COMPILED[how](training.step), tmp_path / "runs", rules=rules).result
    run = load_run(result.run.path)
    kinds = {kind for kind in tfhealth.series.KINDS if not kind.startswith(("validation_", "experiment"))}
    assert {site.kind for site in run.sites} == kinds
    np.testing.assert_allclose(run.series(Probe(LOSS, "total")).values, training.seen, rtol=1e-6)
    assert run.series(Probe(LOSS, "regularization")).values.tolist() == [0.0] * 8
    assert run.sites[LOSS]["chance"] == pytest.approx(np.log(CLASSES))
    (prediction,) = [found for site, found in run.sites.items() if site.kind == "prediction"]
    assert (prediction["loss"], prediction["units"]) == ("sparse_categorical_crossentropy", CLASSES)
    epochs = run.logs[Site("log", "loss")]
    assert (epochs.steps.tolist(), len(epochs.values)) == ([4, 8], 2)
    assert (run.fact("optimizer.class"), run.fact("fit.run_eagerly")) == ("Adam", how == "eager")
    assert (run.meta["status"], run.meta["steps"]) == ("completed", 8)
    assert [note.subject for note in run.notes] == []
    assert (run.path / "result.json").is_file()


class Penalized(Training):
    """Returns a dictionary, and the loss has a part that is not the Keras loss."""

    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(x, training=True)) + 0.25
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"accuracy": tf.constant(0.5), "loss": loss}


class Told(Training):
    """Computes its loss without a Keras loss, and says so."""

    def step(self, x, y):
        with tf.GradientTape() as tape:
            y_pred = self.model(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, y_pred))
            self.watching.loss(loss, y, y_pred)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


@pytest.mark.parametrize("how", ["graph", "eager"])
def test_the_loss_is_what_the_step_says(how, tmp_path):
    """The entry of a dictionary, with its part beside the Keras loss told apart; or what `loss` was told."""
    losses = {}
    for kind in (Penalized, Told):
        training = kind()
        settings = quiet(tmp_path / "runs", every=1, rules=rules_for(tmp_path, "loss.total", "loss.regularization"))
        with watch(training.model, training.optimizer, **settings) as training.watching:
            step = training.watching.step(COMPILED[how](training.step))
            for x, y in training.data:
                step(x, y)
        run = load_run(training.watching.run_dir)
        losses[kind] = run.series(Probe(LOSS, "total")).values
        assert {site.kind for site in run.sites} >= {"label", "prediction", "loss"}
        if kind is Penalized:
            np.testing.assert_allclose(run.series(Probe(LOSS, "regularization")).values, 0.25, atol=1e-6)
    np.testing.assert_allclose(losses[Penalized], losses[Told] + 0.25, rtol=1e-5)


class Adversaries:
    """Two models and two optimizers in one step of a class, compiled for one shape."""

    def __init__(self):
        keras.utils.set_random_seed(2)
        made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu")], name="maker")
        told = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)], name="judge")
        self.models, self.optimizers = (made, told), (keras.optimizers.Adam(1e-3), keras.optimizers.SGD(0.1))
        self.loss = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.float32), tf.TensorSpec((None, 4), tf.float32)])
    def step(self, real, noise):
        (maker, judge), losses = self.models, []
        for model, optimizer, truth in zip(self.models, self.optimizers, (1.0, 0.0), strict=True):
            with tf.GradientTape() as tape:
                verdicts = tf.concat([judge(maker(noise)), judge(real)], 0)
                loss = self.loss(truth * tf.ones_like(verdicts), verdicts)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            losses.append(loss)
        return losses

    def run(self, step):
        rng = np.random.default_rng(0)
        batches = [[rng.normal(size=(8, width)).astype("float32") for width in (6, 4)] for _ in range(6)]
        found = [[float(one) for one in step(*batch)] for batch in batches]
        variables = [one for part in (*self.models, *self.optimizers) for one in part.variables]
        return [np.asarray(one) for one in variables], found


def test_two_models_and_two_optimizers(tmp_path):
    """A GAN's step, compiled as a method with a signature: the same training, and the updates of both models."""
    plain, other = Adversaries(), Adversaries()
    state, losses = plain.run(plain.step)
    settings = quiet(tmp_path / "runs", every=2, rules=rules_for(tmp_path, "loss.total", "update.norm"))
    with watch(other.models, other.optimizers, **settings) as watching:
        twin_state, twin_losses = other.run(watching.step(other.step))
    assert losses == twin_losses
    assert all(np.array_equal(a, b) for a, b in zip(state, twin_state, strict=True))
    run = load_run(watching.run_dir)
    assert run.steps.tolist() == [0, 2, 4]
    updates = {site.name.split("/")[0] for site in run.sites if site.kind == "update"}
    assert updates == {"maker", "judge"}
    np.testing.assert_allclose(run.series(Probe(LOSS, "total")).values, [one for one, _ in losses[::2]], rtol=1e-6)


def test_a_broken_probe_leaves_the_loop_as_it_is(monkeypatch, tmp_path):
    """Whatever raises inside of us costs one warning, and the losses are the same."""
    plain, other = Training(), Training()
    plain.run(tf.function(plain.step))
    monkeypatch.setattr(probes.sites, "locate", broken)
    with pytest.warns(HealthWarning, match="this probe is broken"):
        watching = watched(other, tf.function(other.step), tmp_path)
    assert other.seen == plain.seen
    assert any("this probe is broken" in note["why"] for note in watching.result.notes)


@pytest.mark.parametrize(("error", "status"), [(LookupError("mine"), "failed"), (KeyboardInterrupt(), "interrupted")])
@pytest.mark.parametrize("place", ["step", "loop"])
def test_what_ends_a_loop_reaches_the_user(error, status, place, tmp_path):
    """An exception in the step or between steps goes through unchanged, and the run says how it ended."""
    training = Training()

    def step(x, y):
        if place == "step":
            raise error
        return training.step(x, y)

    def end(logs):
        raise error

    with (
        pytest.raises(type(error)) as caught,
        watch(training.model, training.optimizer, **quiet(tmp_path, every=1)) as watching,
    ):
        training.run(watching.step(step), epoch_end=end)
    assert caught.value is error
    assert watching.result.run.status == status
    assert patched() == BEFORE


def test_stop_asks_the_loop_to_end(tmp_path):
    """With on_fail="stop" a critical finding is told to the loop, which ends itself."""
    training = Training()
    broken_data = training.data.map(lambda x, y: (x * float("nan"), y))
    steps = 0
    with watch(training.model, training.optimizer, **quiet(tmp_path, every=1, on_fail="stop")) as watching:
        step = watching.step(tf.function(training.step))
        for x, y in broken_data.repeat(4):
            if watching.stop_training:
                break
            steps += 1
            step(x, y)
        watching.epoch_end()
        assert watching.stop_training
    assert steps == 1
    assert "critical" in {finding.severity for finding in watching.result.findings}


def test_after_the_block_the_step_is_the_users_own(tmp_path):
    """What `step` returned goes on to work, and is not watched."""
    training = Training()
    with watch(training.model, training.optimizer, **quiet(tmp_path, every=1)) as watching:
        step = watching.step(training.step)
        training.run(step, epochs=1)
    training.run(step, epochs=1)
    assert len(training.seen) == 8
    assert load_run(watching.run_dir).meta["steps"] == 4


def test_wrong_uses_are_refused_at_once(tmp_path):
    """A second step, exact=True without a graph, and arguments that HealthCallback refuses."""
    training = Training()
    with watch(training.model, **quiet(tmp_path)) as watching:
        watching.step(training.step)
        with pytest.raises(UsageError, match="One step is watched at a time"):
            watching.step(training.step)
    with (
        watch(training.model, **quiet(tmp_path, exact=True)) as watching,
        pytest.raises(UsageError, match=r"is for a tf\.function"),
    ):
        watching.step(training.step)
    with pytest.raises(UsageError, match="every must be"):
        watch(training.model, every=0)


def test_the_example_runs(tmp_path, monkeypatch):
    """The example of the docstring does what it says."""
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(watch, "watch", loop_module, globs={})
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0
