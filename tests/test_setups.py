"""Every set-up that the docs name: training is the same with us, and what there is to see is seen."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from tests.asking import rules_for
from tests.models import CLASSES, KINDS, quiet
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
    "shared layer": {"activation": {"twice", "twice#2", "out"}, "update": {"twice/kernel", "out/kernel"}},
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


def verdicts(model, tmp_path, policy):
    """Return the rules that find something in four epochs on real digits, and the steps that overflowed."""
    images, digits = load_digits(return_X_y=True)
    x = ((images - images.mean()) / images.std()).astype("float32")
    callback = HealthCallback(**quiet(tmp_path / policy))
    model.fit(x, digits, epochs=4, verbose=0, callbacks=[callback])
    overflow = load_run(callback.run_dir).series(Probe(LOSS, "overflow"))
    return {finding.rule for finding in callback.result.findings}, None if overflow is None else overflow.values


def reader(policy, loss, initial):
    """Return a model of digits that computes in this policy."""
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(32, "relu", dtype=policy), layers.Dense(32, "relu", dtype=policy)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, dtype="float32")])
    optimizer = keras.optimizers.Adam()
    model.compile(optimizer if initial is None else keras.optimizers.LossScaleOptimizer(optimizer, initial), loss)
    return model


def test_overflow_at_first_is_no_fault(tmp_path):
    """Half precision from too large a loss scale: steps are skipped until it fits, and no rule finds anything."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert verdicts(reader("float32", loss, None), tmp_path, "float32") == (set(), None)
    found, overflow = verdicts(reader("mixed_float16", loss, 2.0**30), tmp_path, "mixed_float16")
    assert found == set()
    assert overflow.sum() > 8


def test_overflow_without_end_is_found(tmp_path):
    """The loss is finite, its gradient NaN: every step is skipped, the scale falls to 0, and a rule says so."""

    @tf.custom_gradient
    def broken(values):
        return values, lambda gradient: float("nan") * gradient

    def sick(y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, broken(y_pred), True)

    found, overflow = verdicts(reader("mixed_float16", sick, 2.0**15), tmp_path, "mixed_float16")
    assert found >= {"GRAD009", "ARCH003"}
    assert (overflow == 1).all()


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


@pytest.mark.parametrize("again", ["new", "continue"])
def test_a_further_fit_is_a_run_or_goes_on_with_one(again, tmp_path):
    """Another learning rate between two fits; training is the same either way."""
    callback = HealthCallback(**quiet(tmp_path, every=2, again=again))
    states = []
    for callbacks in ([], [callback]):
        keras.utils.set_random_seed(1)
        model = plain(keras.optimizers.SGD(0.1))
        model.fit(**arrays(), epochs=2, verbose=0, callbacks=callbacks)
        model.optimizer.learning_rate = 0.01
        model.fit(**arrays(), epochs=3, initial_epoch=2, verbose=0, callbacks=callbacks)
        states.append([np.asarray(one) for one in [*model.variables, *model.optimizer.variables]])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    run = load_run(callback.run_dir)
    ended = (run.meta["status"], run.meta["steps"], len(list(tmp_path.iterdir())))
    if again == "new":
        assert ended == ("completed", 15, 2)
        assert run.fact("fit.initial_step") == 10
        assert run.panel("activation", "std").steps.tolist() == [10, 12, 14]
        assert run.fact("optimizer.learning_rate") == pytest.approx(0.01)
        return
    assert ended == ("completed", 15, 1)
    assert run.fact("fit.initial_step") == 0
    assert run.panel("activation", "std").steps.tolist() == list(range(0, 15, 2))
    assert run.logs[Site("log", "loss")].steps.tolist() == [5, 10, 15]
    told = {note.subject: note.why for note in run.notes}
    assert told["fact optimizer"] == "learning_rate was 0.1 when the run began, and is 0.01 after 10 steps"


def test_steps_of_a_model_that_was_compiled_anew_go_on(tmp_path):
    """Its optimizer counts from 0 again, the run that goes on does not."""
    callback = HealthCallback(**quiet(tmp_path, every=1, again="continue"))
    model = plain()
    for _ in range(2):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(**arrays(), verbose=0, callbacks=[callback])
    assert load_run(callback.run_dir).steps.tolist() == list(range(10))


def test_a_model_may_change_between_fits(tmp_path):
    """A layer is frozen, one is added, the model compiled again and fitted with the same callback: the run says so."""
    callback = HealthCallback(**quiet(tmp_path, every=1))
    states = []
    for callbacks in ([], [callback]):
        keras.utils.set_random_seed(1)
        model = plain()
        model.fit(**arrays(), verbose=0, callbacks=callbacks)
        model.layers[0].trainable = False
        model.add(layers.Dense(CLASSES, "softmax", name="more"))
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(**arrays(), verbose=0, callbacks=callbacks)
        states.append([np.asarray(one) for one in model.variables])
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    run = load_run(callback.run_dir)
    assert run.fact("optimizer.class") == "SGD"
    updates = sorted(site.name for site in run.sites if site.kind == "update")
    assert updates == [f"plain/{name}" for name in ("more/bias", "more/kernel", "out/bias", "out/kernel")]
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


def listed():
    """Return {set-up: tests} of the tables in the docs, and the entries of `tests/setups.py` that they name."""
    rows = re.findall(r"^\| (.+?) \|.*\| (.+?) \|$", (ROOT / "docs/set-ups.md").read_text("utf-8"), re.MULTILINE)
    tests = {row: re.findall(r"`(tests/\w+\.py)::(\w+)(?:\[(.+?)\])?`", cell) for row, cell in rows}
    return tests, {name for _, cell in rows for name in re.findall(r'"(.+?)"', cell)}


def test_every_set_up_is_in_the_docs_with_a_test_that_exists():
    """Each entry of SETUPS has a row, each test that a row names is there, and with the kind of model that it names."""
    tests, entries = listed()
    assert entries == set(SETUPS)
    named = [one for found in tests.values() for one in found]
    assert len(named) >= 20
    gone = [one for one in named if f"\ndef {one[1]}(" not in (ROOT / one[0]).read_text("utf-8")]
    assert (gone, {kind for *_, kind in named} - {""} - set(KINDS)) == ([], set())


def test_every_row_of_the_docs_has_a_test():
    """No row of the tables of set-ups is without one."""
    page = (ROOT / "docs/set-ups.md").read_text("utf-8").partition("## What is not read")[0]
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| Set-up")]
    assert len(rows) > 45
    assert [row for row in rows if not row.endswith(('" |', "` |"))] == []
