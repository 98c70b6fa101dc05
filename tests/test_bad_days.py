"""Days on which something gives way: the training goes on, or ends as it would have, and the run says what it saw."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tests.asking import rules_for
from tests.models import quiet, trained
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
    path = script(tmp_path, "os.kill(os.getpid(), signal.SIGINT)")
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
