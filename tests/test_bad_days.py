"""Days on which something gives way: the training goes on, or ends as it would have, and the run says what it saw."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.asking import rules_for
from tests.models import quiet, trained
from tests.test_guest import marks
from tfhealth import HealthCallback, load_run
from tfhealth.capture import sampling
from tfhealth.capture.session import HealthWarning
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site

ROOT = Path(__file__).parent.parent

TRAINING = """
    import os, resource, signal, sys
    import keras, numpy as np
    from tfhealth import HealthCallback

    class Day(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 10:
                {happens}

    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(1600, 6)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callback = HealthCallback(every=1, out=sys.argv[1], formats="json")
    watching = [callback] if sys.argv[1] != "-" else []
    history = model.fit(x, x[:, :1], batch_size=16, epochs=3, verbose=0, callbacks=[*watching, Day()])
    print(history.history["loss"])
    print(callback.result.run.probed_steps if watching else None)
"""


def script(folder, happens):
    """Run a training in a process of its own, in which this happens after ten steps; with `-` without us."""
    path = folder / "train.py" if isinstance(folder, Path) else Path(folder)
    path.write_text(textwrap.dedent(TRAINING).replace("{happens}", happens))
    return path


def run(path, out):
    words = [sys.executable, str(path), str(out)]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_a_full_disk_costs_one_warning(tmp_path):
    """Files may not grow beyond 60 kB: the training is the same, the run goes on in memory, and is judged whole."""
    path = script(tmp_path, "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))")
    plain, watched = run(path, "-"), run(path, tmp_path / "runs")
    assert watched.returncode == 0, watched.stderr[-3000:]
    assert watched.stderr.count("HealthWarning: tfhealth") == 1
    assert "cannot be written any more" in watched.stderr
    assert watched.stdout.splitlines()[-2] == plain.stdout.splitlines()[-2]
    assert watched.stdout.splitlines()[-1] == "300"
    (folder,) = (tmp_path / "runs").iterdir()
    kept = load_run(folder)
    assert kept.meta["status"] == "running"
    assert 0 < len(kept.steps) < 300


def test_rows_are_kept_once_when_the_disk_gives_way(tmp_path):
    """What the file holds is in memory afterwards, and what follows is added to it."""
    recorder, site = Recorder(tmp_path), Site("loss", "batch")
    recorder.site(site, {})
    layout = recorder.layout([Probe(site, "total")])
    recorder.append(layout, np.array([0, 1]), np.array([[2.0], [1.0]]))
    recorder.keep_in_memory()
    recorder.append(layout, np.array([2]), np.array([[0.5]]))
    series = recorder.snapshot().series(Probe(site, "total"))
    assert (series.steps.tolist(), series.values.tolist()) == ([0, 1, 2], [2.0, 1.0, 0.5])
    assert load_run(tmp_path).steps.tolist() == [0, 1]


def test_ctrl_c_ends_a_training_as_without_us(tmp_path):
    """The process ends by the same signal, and the run is closed and judged on the way out."""
    # A shell has what runs in its background ignore the signal, which the training would inherit from the tests.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    path = script(tmp_path, f"{heard}, os.kill(os.getpid(), signal.SIGINT)")
    plain, watched = run(path, "-"), run(path, tmp_path / "runs")
    assert plain.returncode == watched.returncode == -signal.SIGINT
    assert watched.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1] == "KeyboardInterrupt"
    (folder,) = (tmp_path / "runs").iterdir()
    assert load_run(folder).meta["status"] == "interrupted"
    assert (folder / "result.json").is_file()


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_epoch_end"])
@pytest.mark.parametrize("first", [True, False])
def test_an_exception_in_another_callback_reaches_the_user(hook, first, tmp_path):
    """Whether it stands before or behind ours, and the next fit is watched again."""

    class Bomb(keras.callbacks.Callback):
        pass

    def explode(*_, **__):
        raise ZeroDivisionError

    setattr(Bomb, hook, explode)
    ours = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.raises(ZeroDivisionError):
        trained("dense", [Bomb(), ours] if first else [ours, Bomb()])
    trained("dense", [ours])
    assert ours.result.run.probed_steps == 10
    assert ours.result.run.status == "completed"


def test_many_layers_are_recorded(tmp_path):
    """300 layers: each has its gradient and its activation, and no probe is given up."""
    keras.utils.set_random_seed(0)
    stack = [layers.Dense(2, use_bias=False) for _ in range(300)]
    model = keras.Sequential([keras.Input((2,)), *stack])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    rules = rules_for(tmp_path, "gradient.norm", "activation.std")
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules))
    model.fit(x, x, batch_size=4, verbose=0, callbacks=[callback])
    found = load_run(callback.run_dir)
    assert len(found.panel("gradient", "norm")) == 300
    assert len(found.panel("activation", "std")) == 299  # TensorFlow may fuse the last one with the loss
    assert {note.subject for note in found.notes} <= {"loss.chance"}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_large_embedding_is_sampled(optimizer, monkeypatch, tmp_path):
    """Above a limit, statistics are those of evenly spaced rows, the training is the same, and a note says so."""
    monkeypatch.setattr(sampling, "LARGE", 1000)
    monkeypatch.setattr(sampling, "SAMPLE", 400)
    states = []
    for measures in ((), ("weight.norm", "weight.mean", "update.norm", "gradient.norm")):
        keras.utils.set_random_seed(0)
        stack = [layers.Embedding(500, 4, name="words"), layers.Flatten(), layers.Dense(1, name="out")]
        model = keras.Sequential([keras.Input((3,)), *stack])
        model.compile(optimizer, "mse")
        table = np.asarray(model.get_layer("words").embeddings)
        x = np.random.default_rng(0).permutation(500)[:48].reshape(16, 3)
        callbacks = []
        if measures:
            callbacks = [HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules_for(tmp_path, *measures)))]
        model.fit(x, np.ones(16), batch_size=16, verbose=0, callbacks=callbacks)
        states.append([np.asarray(one) for one in [*model.variables, *model.optimizer.variables]])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    found = load_run(callbacks[0].run_dir)
    rows = np.arange(100) * 5
    after = np.asarray(model.get_layer("words").embeddings)
    expected = {
        ("weight", "norm"): np.linalg.norm(table[rows]),
        ("weight", "mean"): table[rows].mean(),
        ("update", "norm"): np.linalg.norm((after - table)[rows]),
    }
    name = next(site.name for site in found.sites if site.name.endswith("words/embeddings"))
    for (kind, statistic), value in expected.items():
        assert found.series(Probe(Site(kind, name), statistic)).values[0] == pytest.approx(value, rel=1e-4), kind
    if optimizer == "sgd":  # the gradient has the rows that were touched, and is read whole
        gradient = found.series(Probe(Site("gradient", name), "norm")).values[0]
        assert 0.01 * gradient == pytest.approx(np.linalg.norm(after - table), rel=1e-3)
    notes = {note.subject: note.why for note in found.notes if "rows" in note.why}
    sampled = [f"{kind} {name}" for kind in ("weight", "update")]
    assert notes == dict.fromkeys(sampled, "statistics are those of 100 of 500 rows")


def test_small_variables_are_read_whole():
    """Only a variable above the limit is sampled, and a sample has at least one row."""
    assert sampling.sampled_rows((1 << 12, 1 << 12)) is None
    assert len(sampling.sampled_rows((1 << 21, 1 << 4))) == sampling.SAMPLE >> 4
    assert sampling.sampled_rows((2, 1 << 24)).tolist() == [0]


def test_a_folder_that_goes_away_ends_nothing(tmp_path):
    """The run directory is deleted in the middle of a training: it is judged all the same."""

    class Broom(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            shutil.rmtree(callback.run_dir, ignore_errors=True)

    callback = HealthCallback(**quiet(tmp_path, every=1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HealthWarning)
        _, history = trained("dense", [callback, Broom()])
    assert len(history["loss"]) == 2
    assert callback.result.run.probed_steps == 10
    assert len([one for one in caught if one.category is HealthWarning]) <= 1


class Spectrum(layers.Layer):
    """Has a complex output."""

    def call(self, x):
        return tf.signal.fft(tf.cast(x, tf.complex64))


class Mapped(layers.Layer):
    """Calls a layer for each sample, in a loop."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.inner = layers.Dense(4, name="inner")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return tf.map_fn(lambda one: self.inner(one[None])[0], x)


class Untappable(keras.Model):
    """Passes what no probe reads from layer to layer."""

    def __init__(self):
        super().__init__(name="odd")
        ragged = layers.Lambda(tf.RaggedTensor.from_tensor, name="ragged")
        dense = layers.Lambda(lambda x: x.to_tensor(shape=(None, 4)), name="dense")
        self.parts = [Spectrum(name="waves"), layers.Lambda(tf.abs, name="size"), Mapped(name="map"), ragged, dense]
        self.out = layers.Dense(1, name="out")

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return self.out(x)


def test_what_cannot_be_tapped_is_said(tmp_path):
    """A complex output, one that is no tensor and a layer in a loop: each has its note, and the rest is measured."""
    states = []
    callback = HealthCallback(**quiet(tmp_path, every=1))
    for callbacks in ([], [callback]):
        keras.utils.set_random_seed(0)
        model = Untappable()
        model.compile("adam", "mse")
        x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
        model.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=callbacks)
        states.append([np.asarray(one) for one in [*model.variables, *model.optimizer.variables]])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    found = load_run(callback.run_dir)
    notes = {note.subject: note.why for note in found.notes if note.subject.startswith("activation")}
    assert notes == {
        "activation odd/waves": "its output is complex64",
        "activation odd/ragged": "its output is a RaggedTensor",
        "activation odd/map/inner": "it is called in a loop within the step, which no probe reaches",
    }
    assert {site.name for site in found.sites if site.kind == "activation"} == {"odd/size", "odd/map", "odd/dense"}
    built = {site.name: told["parameters"] for site, told in found.sites.items() if site.kind == "layer"}
    assert (built["odd/out"], found.fact("model.parameters")) == (5, 25)  # known since the first batch


def test_a_slow_disk_is_written_to_seldom(monkeypatch, tmp_path):
    """Writing takes long: rows wait on the device until there is no room, and all of them arrive."""
    times, append = [], Recorder.append

    def slow(*arguments):
        times.append(time.sleep(0.5))
        append(*arguments)

    monkeypatch.setattr(Recorder, "append", slow)
    x = np.random.default_rng(0).normal(size=(4 * 80, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = HealthCallback(**quiet(tmp_path, every=1, rules=rules_for(tmp_path, "activation.std", "gradient.norm")))
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[callback])
    assert len(load_run(callback.run_dir).panel("gradient", "norm").steps) == 80
    assert len(times) <= 6


def two(tmp_path):
    return [HealthCallback(**quiet(tmp_path / name, every=every)) for name, every in (("one", 2), ("other", 1))]


@pytest.mark.parametrize("exact", [False, True])
def test_two_callbacks_watch_one_fit(exact, tmp_path):
    """A step is probed for one of them; both have a run, training is the same, and nothing is left behind."""
    plain, history = trained("cnn", [])
    callbacks = two(tmp_path)
    for callback in callbacks:
        callback.exact = exact
    watched, twin = trained("cnn", callbacks)
    assert history == twin
    for one, other in zip(plain.weights, watched.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    runs = [load_run(callback.run_dir) for callback in callbacks]
    steps = [found.panel("activation", "std").steps.tolist() for found in runs]
    assert steps == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert [len(found.logs) for found in runs] == [4, 4]
    (note,) = [note.why for note in runs[1].notes]
    assert note == "a step is probed for one callback; another one stands before this one"
    assert marks(watched) == []


def test_a_fit_inside_a_fit(tmp_path):
    """A callback fits another model, watched too: both trainings are the same as without us, and each has its run."""

    class Inner(keras.callbacks.Callback):
        def __init__(self, watching):
            super().__init__()
            self.watching, self.other = watching, None

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.other = trained("residual", self.watching, epochs=1)[0]

    states = []
    outer, inner = two(tmp_path)
    for first, second in (([], []), ([outer], [inner])):
        nested = Inner(second)
        model, _ = trained("dense", [*first, nested])
        states.append([np.asarray(one) for one in [*model.variables, *nested.other.variables]])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    runs = [load_run(one.run_dir) for one in (outer, inner)]
    assert [found.meta["status"] for found in runs] == ["completed"] * 2
    steps = [found.panel("activation", "std").steps.tolist() for found in runs]
    assert steps == [[0, 2, 4, 6, 8], [0, 1, 2, 3, 4]]


def test_the_same_callback_inside_of_its_own_fit(tmp_path):
    """It watches one fit at a time: the outer run ends there, as interrupted, and training goes on."""
    callback = HealthCallback(**quiet(tmp_path, every=1))

    class Inner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.first = callback.run_dir
                trained("dense", [callback], epochs=1)

    nested = Inner()
    _, history = trained("residual", [callback, nested])
    assert len(history["loss"]) == 2
    assert load_run(nested.first).meta["status"] == "interrupted"
    assert callback.result.run.status == "completed"


def test_a_pickled_callback_watches_a_fit_of_its_own(tmp_path):
    """Its settings arrive, its run does not; also while it watches."""
    original, copies = HealthCallback(**quiet(tmp_path, every=2)), []

    class Courier(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            copies.append(pickle.loads(pickle.dumps(original)))

    trained("dense", [original, Courier()], epochs=1)
    (twin,) = copies
    assert (twin.run_dir, twin.every, original.result.run.status) == (None, 2, "completed")
    trained("dense", [twin], epochs=1)
    assert load_run(twin.run_dir).panel("activation", "std").steps.tolist() == [0, 2, 4]


class Locked(keras.Model):
    """Lets nobody set its `train_step`."""

    def __setattr__(self, name, value):
        if name in ("train_step", "test_step"):
            raise AttributeError(f"{name} is read-only")
        super().__setattr__(name, value)


def test_a_read_only_model_is_not_probed(tmp_path):
    """No step is probed, one warning says why, and the settings and epoch logs are there."""
    inputs = keras.Input((4,))
    model = Locked(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    x = np.ones((16, 4), "float32")
    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.warns(HealthWarning, match="train_step is read-only") as caught:
        model.fit(x, x[:, :1], verbose=0, callbacks=[callback])
    assert len([one for one in caught if one.category is HealthWarning]) == 1
    found = load_run(callback.run_dir)
    assert (found.fact("optimizer.class"), len(found.logs)) == ("SGD", 1)
    reasons = {row.reason for row in callback.result.checklist if row.id == "grad.exploding"}
    assert "train_step is read-only" in reasons.pop()


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
def test_system_exit_goes_through(hook, tmp_path):
    """`sys.exit` in a callback behind ours ends the fit with its code; the run is interrupted, the model as it was."""

    class Exit(keras.callbacks.Callback):
        pass

    def leave(self, batch, logs=None):
        if batch == 2:
            sys.exit(3)

    setattr(Exit, hook, leave)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.raises(SystemExit) as caught:
        trained("dense", [callback, Exit()])
    assert caught.value.code == 3
    model = callback.model
    callback.close()
    assert callback.result.run.status == "interrupted"
    assert marks(model) == []


def test_a_real_large_embedding(tmp_path):
    """Of 100 million weights in bfloat16 a million are read, and training is the same."""
    states = []
    for measures in ((), ("weight.norm", "update.norm", "gradient.norm")):
        keras.utils.set_random_seed(0)
        words = layers.Embedding(1 << 20, 96, "ones", dtype="bfloat16", name="words")
        model = keras.Sequential([keras.Input((4,)), words, layers.GlobalAveragePooling1D(), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1.0), "mse")
        callbacks = []
        if measures:
            callbacks = [HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules_for(tmp_path, *measures)))]
        x = np.arange(64).reshape(16, 4) * 97  # every 97th word: those in the sample are among them
        model.fit(x, np.zeros(16), batch_size=8, verbose=0, callbacks=callbacks)
        table = model.get_layer("words").embeddings
        states.append([np.asarray(tf.cast(tf.gather(table.value, x), "float32")), np.asarray(model.layers[-1].kernel)])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    found = load_run(callbacks[0].run_dir)
    rows = (1 << 20) // 96
    assert found.panel("weight", "norm").values[:, 0].max() == pytest.approx((rows * 96) ** 0.5, rel=1e-3)
    assert f"statistics are those of {rows} of {1 << 20} rows" in {note.why for note in found.notes}
    assert (found.panel("gradient", "norm").values > 0).all()
