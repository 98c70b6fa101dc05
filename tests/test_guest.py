"""A guest in someone's training: whatever goes wrong with us, training goes on and nothing of us is left behind."""

import copy
import gc
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import cnn, data, quiet, trained
from tfhealth import HealthCallback, load_run
from tfhealth.capture import patches, probes, reductions, replica, step
from tfhealth.capture.session import HealthWarning
from tfhealth.cli import main


def broken(*_):
    raise RuntimeError("this probe is broken")


def patched():
    """Return what capture patches on Keras's classes while it traces, as it stands now."""
    places = [(keras.Layer, "__call__"), (keras.Model, "compute_loss")]
    places += [(tf.GradientTape, "gradient")]
    places += [(one, "apply") for one in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)]
    return {f"{owner.__name__}.{name}": getattr(owner, name) for owner, name in places}


BEFORE = patched()


def marks(model):
    """Return everything on a model and on Keras's classes that should not be there."""
    found = [name for name in ("train_step", "compute_loss", "fit") if name in vars(model)]
    if model.train_function is not None and "tfhealth" in model.train_function.__module__:
        found.append("train_function")
    return found + [name for name, method in patched().items() if method is not BEFORE[name]]


def test_marks_are_found_where_there_are_some():
    """The search for marks does find the patches while they are installed, and none afterwards."""
    model = cnn()
    model.compile("adam", "mse")
    with patches.installed(model):
        assert sorted(marks(model)) == sorted(BEFORE)
    assert marks(model) == []


def test_a_broken_probe_costs_one_warning_and_a_reason(monkeypatch, tmp_path):
    """A reduction that raises leaves its rows not measured, with the reason; everything else is judged."""
    monkeypatch.setitem(reductions.REDUCTIONS, "square_sum", broken)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.warns(HealthWarning, match="this probe is broken") as caught:
        model, history = trained("dense", [callback])
    assert len([one for one in caught if one.category is HealthWarning]) == 1
    assert len(history["loss"]) == 2
    rows = {row.id: row for row in callback.result.checklist}
    assert rows["grad.vanishing"].verdict == "not_measured"
    assert "this probe is broken" in rows["grad.vanishing"].reason
    assert rows["loss.at-chance"].verdict == "pass", rows["loss.at-chance"]
    assert marks(model) == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (probes.sites, "locate"),
        (replica.Replica, "ring"),
        (step.ProbedStep, "_compiled"),
        (probes.Probes, "drain"),
        (patches.Tap, "layer_called"),
        (patches.Tap, "loss_computed"),
    ],
)
def test_whatever_breaks_training_is_the_same(monkeypatch, tmp_path, owner, name):
    """Each part of capture made to raise: the training ends with the weights that it has without us."""
    plain, _ = trained("dense", [])
    monkeypatch.setattr(owner, name, broken)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.warns(HealthWarning, match="this probe is broken"):
        watched, _ = trained("dense", [callback])
    for one, other in zip(plain.weights, watched.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert any("this probe is broken" in note["why"] for note in callback.result.notes)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_a_failing_probe_op_costs_its_batch_and_no_more(monkeypatch, tmp_path):
    """An op of ours that fails while the step runs is found out by its name; training goes on without probes."""

    def explode(context):
        import tensorflow as tf

        tf.debugging.assert_less(tf.reduce_max(context.x), -1e9, message="our own op")
        return tf.reduce_sum(context.x)

    monkeypatch.setitem(reductions.REDUCTIONS, "sum", explode)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.warns(HealthWarning):
        _, history = trained("dense", [callback])
    assert len(history["loss"]) == 2
    assert any(note["subject"] == "probes" for note in callback.result.notes)


def test_warnings_as_errors_do_not_end_a_training(monkeypatch, tmp_path):
    """A user who turned warnings into errors is not ended by one of ours."""
    monkeypatch.setitem(reductions.REDUCTIONS, "square_sum", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, history = trained("dense", [HealthCallback(**quiet(tmp_path, every=1))])
    assert len(history["loss"]) == 2


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_nothing_is_left_when_fit_raises(hook, tmp_path):
    """Another callback raises, in any hook: the model is as Keras left it, and the run can be closed and read."""

    class Bomb(keras.callbacks.Callback):
        pass

    def explode(self, number, logs=None):
        if number >= 1:
            raise ZeroDivisionError

    setattr(Bomb, hook, explode)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    model = cnn()
    x, y = data("cnn")
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ZeroDivisionError):
        model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[Bomb(), callback])
    assert marks(model) == []
    own = model.train_function
    callback.close()
    assert callback.result.run.status == "interrupted"
    model.fit(x, y, batch_size=16, verbose=0)
    assert model.train_function is own


def test_a_user_step_that_raises_raises_the_same(tmp_path):
    """An error in the user's own train step reaches the user as it is, and the run says failed."""

    class Broken(keras.Model):
        def train_step(self, data):
            raise LookupError("mine")

    inputs = keras.Input((12,))
    model = Broken(inputs, keras.layers.Dense(1)(inputs))
    model.compile("adam", "mse")
    callback = HealthCallback(**quiet(tmp_path, every=1))
    x, _ = data("dense")
    with pytest.raises(LookupError, match="mine"):
        model.fit(x, x[:, :1], verbose=0, callbacks=[callback])
    assert marks(model) == []
    assert (callback.result.run.status, callback.result.run.complete) == ("failed", False)


def test_a_forgotten_callback_closes_its_run(tmp_path):
    """A fit that raised between our hooks is recorded to its end when the callback goes out of use."""

    class Bomb(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError

    callback = HealthCallback(**quiet(tmp_path, every=1))
    with pytest.raises(ZeroDivisionError):
        trained("dense", [Bomb(), callback])
    folder = callback.run_dir
    del callback
    gc.collect()
    assert load_run(folder).meta["status"] == "interrupted"
    assert (folder / "result.json").is_file()


def test_a_model_without_an_optimizer_trains_and_says_what_is_missing(tmp_path):
    """A custom train step that needs no optimizer: gradient and update rows say why they are not measured."""

    class Own(keras.Model):
        def train_step(self, data):
            x, y = data
            loss = self.compute_loss(x, y, self(x, training=True))
            return {"loss": loss}

    inputs = keras.Input((12,))
    model = Own(inputs, keras.layers.Dense(1)(inputs))
    model.compile(optimizer=None, loss="mse")
    x, _ = data("dense")
    callback = HealthCallback(**quiet(tmp_path, every=1))
    model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[callback])
    rows = {row.id: row for row in callback.result.checklist}
    for row in ("grad.exploding", "grad.update-ratio"):
        assert rows[row].verdict == "not_measured"
        assert "hands no variable to an optimizer" in rows[row].reason
    assert rows["data.standardized"].verdict == "pass"


@pytest.mark.parametrize("kind", ["file in the way", "no permission"])
def test_an_unwritable_run_directory_costs_one_warning(kind, tmp_path):
    """Where the run cannot be written, training goes on and the verdict is still given."""
    blocked = tmp_path / "blocked"
    if kind == "file in the way":
        blocked.write_text("")
    elif os.geteuid() == 0:
        blocked = Path("/proc/tfhealth")  # where not even root may make a folder
    else:
        blocked.mkdir(mode=0o500)
    callback = HealthCallback(**quiet(blocked, every=1))
    with pytest.warns(HealthWarning, match="cannot be written") as caught:
        _, history = trained("dense", [callback])
    assert len([one for one in caught if one.category is HealthWarning]) == 1
    assert len(history["loss"]) == 2
    assert callback.result.run.path is None
    assert callback.result.run.probed_steps == 10


def test_wrong_arguments_are_refused_at_once(tmp_path):
    """What cannot be meant is said when the callback is made, not at the end of a training."""
    for arguments, text in (
        ({"every": 0}, "every must be"),
        ({"overhead": 3}, "overhead is a share"),
        ({"formats": "htm"}, "did you mean 'html'"),
        ({"on_fail": "explode"}, "on_fail must be"),
        ({"rules": tmp_path / "none"}, "not a folder of rules"),
    ):
        with pytest.raises(Exception, match=text):
            HealthCallback(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_copies_watch_runs_of_their_own(tmp_path):
    """Tuners copy callbacks deeply: each copy has the settings and makes a run directory of its own."""
    original = HealthCallback(**quiet(tmp_path, every=3, name="trial"))
    copies = [copy.deepcopy(original) for _ in range(2)]
    for one in copies:
        trained("dense", [one])
    folders = {one.run_dir for one in copies}
    assert len(folders) == 2
    assert all(folder.name.startswith("trial-") and load_run(folder).meta["every"] == 3 for folder in folders)
    assert original.run_dir is None


def test_one_callback_used_twice_makes_two_runs(tmp_path):
    """A second fit with the same callback is a run of its own that knows where the first one ended."""
    callback = HealthCallback(**quiet(tmp_path, every=1))
    model, _ = trained("dense", [callback])
    before = callback.run_dir
    x, y = data("dense")
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback])
    assert callback.run_dir != before
    run = load_run(callback.run_dir)
    assert run.fact("fit.initial_step") == 10
    assert run.steps.tolist() == [10, 11, 12, 13, 14]
    rules = {rule.rule: rule for rule in callback.result.rules}
    assert rules["LOSS001"].verdict == "not_applicable"


def test_stop_ends_a_training_at_its_first_critical_finding(tmp_path):
    """With on_fail='stop' a NaN ends the fit; with 'report' it goes on to the end."""
    x, y = data("dense")
    x[40] = np.nan
    lengths = {}
    for on_fail in ("stop", "report"):
        model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(5)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        callback = HealthCallback(**quiet(tmp_path, every=1, on_fail=on_fail))
        history = model.fit(x, y, batch_size=16, epochs=4, verbose=0, shuffle=False, callbacks=[callback])
        lengths[on_fail] = len(history.epoch)
        lead = callback.result.findings[0]
        assert (lead.rule, lead.verdict) == ("DATA006", "fail")
        assert callback.result.findings[1].checklist == "grad.nonfinite"
        assert callback.result.findings[1].step == 2
    assert lengths == {"stop": 1, "report": 4}


def test_a_killed_run_is_reported_up_to_its_last_probe(tmp_path):
    """SIGKILL in the middle of an epoch: the file is readable, and the report says that the run is unfinished."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            import keras, numpy as np
            from tfhealth import HealthCallback

            class Slow(keras.callbacks.Callback):
                def on_train_batch_end(self, batch, logs=None):
                    time.sleep(0.6)  # longer than rows wait until they are written
                    if batch == 6:
                        os.kill(os.getpid(), signal.SIGKILL)

            x = np.random.default_rng(0).normal(size=(320, 6)).astype("float32")
            model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
            model.compile("adam", "mse")
            model.fit(x, x[:, :1], verbose=0, callbacks=[HealthCallback(every=1, out=sys.argv[1]), Slow()])
            """
        )
    )
    killed = subprocess.run([sys.executable, str(script), str(tmp_path / "runs")], cwd=Path(__file__).parent.parent)
    assert killed.returncode == -signal.SIGKILL
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".db") == ["run.db"]
    run = load_run(folder)
    assert run.meta["status"] == "running"
    assert run.steps.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert main(["report", str(folder), "--formats", "json,html"]) == 0
    page = (folder / "report.html").read_text()
    assert "running" in page or "not finished" in page
    assert main(["evaluate", str(folder), "--fail-on", "critical"]) == 3
