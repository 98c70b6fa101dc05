"""Every set-up that the docs name: training is the same with us, and what there is to see is seen."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from tests.asking import rules_for
from tests.models import quiet
from tests.setups import SETUPS, arrays, plain, scaled
from tfhealth import HealthCallback, load_run
from tfhealth.series import Probe, Site

ROOT = Path(__file__).parent.parent
LOSS = Site("loss", "batch")
PLAIN = {"input": {"hidden"}, "activation": {"hidden", "out"}, "update": {"kernel", "bias"}, "loss": {"batch"}}
SEEN = {
    "several inputs and outputs by name": {"input": {"wide", "narrow"}, "loss": {"batch", "kind", "size"}},
    "several inputs and outputs by place": {"prediction": {"one", "two"}, "label": {"one", "two"}},
    "nested model": {"input": {"in/deep"}, "activation": {"in/deep", "out"}},
    "masking, bidirectional and stacked recurrent layers": {
        "activation": {"words", "both", "last", "out"},
        "update": {"embeddings", "recurrent_kernel", "kernel", "bias"},
    },
    "missing input": {"input": {"first"}, "activation": {"first", "out"}},
    "sequences of unequal length": {"activation": {"words", "units"}},
    "ragged input": {"activation": {"words", "out"}},
    "own compute_loss": {"activation": {"code"}, "prediction": {"decoded"}, "loss": {"batch"}},
    "GAN with two optimizers": {"activation": {"made", "told", "told#2"}, "update": {"made/kernel", "told/kernel"}},
    "frozen layer": {"update": {"out/kernel", "out/bias"}, "weight": {"hidden/kernel", "out/kernel"}},
}
"""By set-up and kind, the ends of names of sites; all others are of the plain model."""
ignored = pytest.mark.filterwarnings(  # what Keras says of such trainings without us too
    "ignore:Your input ran out of data:UserWarning", "ignore:`build..` was called on layer:UserWarning"
)
TWO_PASSES = (
    *("missing input", "ragged input", "own train_step", "GAN with two optimizers", "gradient accumulation"),
    *("mixed_float16 that overflows", "tf.data of unknown length", "PyDataset"),
)


def trained(name, callbacks=()):
    """Return every variable of a trained model and of all its optimizers, and the history."""
    keras.utils.set_random_seed(1)
    model, data = SETUPS[name]()
    history = model.fit(**data, epochs=2, verbose=0, callbacks=list(callbacks)).history
    optimizers = [one for one in vars(model).values() if isinstance(one, keras.optimizers.Optimizer)]
    variables = [*model.variables, *(one for optimizer in optimizers for one in optimizer.variables)]
    return [np.asarray(one) for one in variables], history


@functools.cache
def alone(name):
    return trained(name)


def same(one, other):
    (state, history), (twin, twin_history) = one, other
    return (
        len(state) == len(twin) > 4
        and all(np.array_equal(a, b) for a, b in zip(state, twin, strict=True))
        and history == twin_history
    )


@ignored
@pytest.mark.parametrize("name", SETUPS)
def test_training_is_the_same_and_seen(name, tmp_path):
    """Variables, optimizers and history are equal, every step is probed, and every site is there."""
    callback = HealthCallback(**quiet(tmp_path, every=1))
    assert same(alone(name), trained(name, [callback]))
    run = load_run(callback.run_dir)
    steps = 8 if name == "validation_split" else 10
    assert (run.steps.tolist(), run.meta["steps"]) == (list(range(steps)), steps)
    for kind, ends in SEEN.get(name, PLAIN).items():
        names = [site.name for site in run.sites if site.kind == kind]
        assert [end for end in ends if not any(one.endswith(end) for one in names)] == [], kind
    assert {note.subject for note in run.notes} <= {"loss.chance", *(["loss"] if "GAN" in name else [])}


@ignored
@pytest.mark.parametrize("name", TWO_PASSES)
def test_two_passes_are_the_same(name, tmp_path):
    """With exact=True too; where a step makes its variables, probing begins with the one after it."""
    callback = HealthCallback(**quiet(tmp_path, every=1, exact=True))
    assert same(alone(name), trained(name, [callback]))
    late = name in ("missing input", "ragged input", "GAN with two optimizers")
    assert load_run(callback.run_dir).steps.tolist() == list(range(1 if late else 0, 10))


def test_a_difference_would_be_seen():
    """The comparison does fail between two trainings of the same kind that differ a little."""
    assert same(alone("clipnorm"), alone("clipnorm"))
    assert not same(alone("clipnorm"), alone("clipvalue"))
    assert not same(alone("GAN with two optimizers"), alone("clipnorm"))


def fitted(model, data, tmp_path, *measures, epochs=1, **settings):
    """Return the run of a fit that is asked for these statistics."""
    rules = rules_for(tmp_path, *measures) if measures else None
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules, **settings))
    model.fit(**data, epochs=epochs, verbose=0, shuffle=False, callbacks=[callback])
    return load_run(callback.run_dir)


def test_gradients_under_a_loss_scale_are_the_true_ones(tmp_path):
    """A dynamic and a fixed loss scale leave the same gradients as none, but for the digits of float16."""
    norms = {}
    for kind in ("none", "fixed", "dynamic"):
        keras.utils.set_random_seed(1)
        optimizer = keras.optimizers.SGD(0.1, loss_scale_factor=64.0 if kind == "fixed" else None)
        model = plain(optimizer) if kind != "dynamic" else scaled(1024.0)[0]
        run = fitted(model, arrays(), tmp_path / kind, "gradient.norm")
        norms[kind] = run.panel("gradient", "norm").values[:, 0]
    np.testing.assert_allclose(norms["fixed"], norms["none"], rtol=1e-5)
    np.testing.assert_allclose(norms["dynamic"], norms["none"], rtol=2e-2)


def test_overflowed_steps_and_the_loss_scale_are_recorded(tmp_path):
    """A scale that is too large is halved until it fits; the steps that were skipped on the way are no NaN found."""
    model, data = scaled(2.0**20)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    model.fit(**data, epochs=2, verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    scale, overflow = (run.series(Probe(LOSS, name)).values for name in ("scale", "overflow"))
    skipped = int(overflow.sum())
    assert 1 <= skipped < 9
    assert overflow.tolist() == [1.0] * skipped + [0.0] * (10 - skipped)
    assert scale.tolist() == [2.0 ** (20 - min(step, skipped)) for step in range(10)]
    updates = run.panel("update", "norm").values
    assert (updates[:, :skipped] == 0).all()
    assert (updates[:, skipped:] > 0).all()
    assert next(row for row in callback.result.checklist if row.id == "grad.nonfinite").verdict == "pass"


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_nan_in_the_middle_of_an_execution_is_found_at_its_step(jit_compile, tmp_path):
    """One execution of 50 steps, and the sample that is missing is in the 14th batch."""
    x, y = np.random.default_rng(0).normal(size=(200, 12)).astype("float32"), np.zeros(200, int)
    x[13 * 4] = np.nan
    model = plain(steps_per_execution=50, jit_compile=jit_compile)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[callback])
    found = {finding.rule: finding.step for finding in callback.result.findings}
    assert (found["DATA006"], found["GRAD005"]) == (13, 13)
    assert load_run(callback.run_dir).steps.tolist() == list(range(50))


class Stop(keras.callbacks.Callback):
    """Ends a fit in the middle of an epoch, as a machine that is taken away does."""

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations == 7:
            raise KeyboardInterrupt


def resumed(folder, *callbacks):
    """Train, be interrupted after 7 steps, and train on from the backup."""
    state = []
    for ends in ([Stop()], []):
        keras.utils.set_random_seed(1)
        model = plain()
        backup = keras.callbacks.BackupAndRestore(folder)
        try:
            model.fit(**arrays(), epochs=3, verbose=0, shuffle=False, callbacks=[*callbacks, backup, *ends])
        except KeyboardInterrupt:
            continue
        state = [np.asarray(one) for one in [*model.variables, *model.optimizer.variables]]
    return state


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_restored_training_goes_on_from_its_step(tmp_path):
    """BackupAndRestore restores after our hook, and still the second run begins at the step that was restored."""
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1))
    state, twin = resumed(tmp_path / "plain"), resumed(tmp_path / "watched", callback)
    assert all(np.array_equal(a, b) for a, b in zip(state, twin, strict=True))
    first, second = (
        load_run(folder) for folder in sorted((tmp_path / "runs").iterdir(), key=lambda one: one.stat().st_mtime_ns)
    )
    assert (first.meta["status"], first.steps.tolist()) == ("interrupted", list(range(7)))
    assert (second.meta["status"], second.steps.tolist()) == ("completed", list(range(5, 15)))
    assert second.fact("fit.initial_step") == 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of KerasTuner
def test_a_tuner_gets_one_run_for_each_trial(tmp_path):
    """KerasTuner copies callbacks deeply and fits each trial with its own."""

    def build(parameters):
        return plain(keras.optimizers.SGD(parameters.Choice("rate", [0.1, 0.01])))

    tuner = keras_tuner.GridSearch(build, "loss", directory=tmp_path / "tuner")
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1))
    tuner.search(**arrays(), epochs=1, verbose=0, callbacks=[callback])
    runs = [load_run(folder) for folder in (tmp_path / "runs").iterdir()]
    assert sorted(run.fact("optimizer.learning_rate") for run in runs) == pytest.approx([0.01, 0.1])
    assert [run.steps.tolist() for run in runs] == [list(range(5))] * 2
    assert callback.result is None


def test_a_model_may_change_between_fits(tmp_path):
    """A layer is frozen, the model compiled again, and fitted with the same callback: the second run says so."""
    callback = HealthCallback(**quiet(tmp_path, every=1))
    states = []
    for callbacks in ([], [callback]):
        keras.utils.set_random_seed(1)
        model = plain()
        model.fit(**arrays(), verbose=0, callbacks=callbacks)
        model.layers[0].trainable = False
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(**arrays(), verbose=0, callbacks=callbacks)
        states.append([np.asarray(one) for one in model.variables])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    run = load_run(callback.run_dir)
    assert run.fact("optimizer.class") == "SGD"
    updates = sorted(site.name for site in run.sites if site.kind == "update")
    assert updates == ["plain/out/bias", "plain/out/kernel"]
    assert run.sites[Site("weight", "plain/hidden/kernel")]["trainable"] is False


def test_xla_compiles_the_probed_step_once(tmp_path):
    """Whatever the row that a step writes to is, its place is no constant of the executable."""
    code = (
        "import sys\nfrom tests.models import quiet\nfrom tests.setups import numbers, labels, plain\n"
        "from tfhealth import HealthCallback\n"
        "callback = HealthCallback(**quiet(sys.argv[1], every=1))\n"
        "settings = {'batch_size': 8, 'epochs': 2, 'verbose': 0, 'callbacks': [callback]}\n"
        "plain(jit_compile=True).fit(numbers(12), labels(), **settings)\n"
        "print(callback.result.run.probed_steps)\n"
    )
    dumped = tmp_path / "dumped"
    environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={dumped} --xla_dump_hlo_as_text"}
    words = [sys.executable, "-c", code, str(tmp_path / "runs")]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["18"], done.stderr[-3000:]
    assert len(list(dumped.glob("*one_step_on_data*.before_optimizations.txt"))) == 1
