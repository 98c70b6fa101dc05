"""`catch_nonfinite=True`: the first step with NaN is found, training ends there, and what it began from is kept."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.models import quiet, trained
from tests.test_bit_identical import differences
from tfhealth import HealthCallback, RunError, load_run, watch
from tfhealth.capture import keep, kept
from tfhealth.cli import main
from tfhealth.series import Probe, Site

BAD = 13


def spoiled() -> tuple[np.ndarray, np.ndarray]:
    """Return 50 batches of 4 samples; one value of batch 13 is Inf."""
    x = np.random.default_rng(0).normal(size=(200, 6)).astype("float32")
    x[4 * BAD + 2, 1] = np.inf
    return x, x[:, :1] * 0


def small(**settings) -> keras.Model:
    keras.utils.set_random_seed(1)
    stack = [layers.Dense(5, "relu", name="a"), layers.Dropout(0.2), layers.Dense(1, name="b")]
    model = keras.Sequential([keras.Input((6,)), *stack], name="small")
    model.compile("adam", "mse", **settings)
    return model


def caught(model, folder, x, y, **settings):
    """Train for at most two epochs in the order of the data; return the callback."""
    callback = HealthCallback(**quiet(folder, catch_nonfinite=True, **settings))
    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[callback])
    return callback


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"steps_per_execution": 50},
        {"jit_compile": True},
        {"jit_compile": True, "steps_per_execution": 50},
        {"run_eagerly": True},
    ],
    ids=str,
)
def test_the_first_bad_step_is_found_and_kept(settings, tmp_path):
    """Step 13 of 50 is found at 13, with its batch, and the weights that a training up to there has."""
    x, y = spoiled()
    model = small(**settings)
    callback = caught(model, tmp_path, x, y, every=20)
    found = kept.read(callback.run_dir)
    assert found.step == BAD
    assert [one.name for one in found.places][:1] == ["small/a"]
    assert [one.tolist() for one in found.batch] == [x[52:56].tolist(), y[52:56].tolist()]
    assert found.lacks == ()
    assert int(model.optimizer.iterations) == max(BAD + 1, settings.get("steps_per_execution", 1))
    twin = small(**{**settings, "steps_per_execution": 1})
    twin.fit(x[:52], y[:52], batch_size=4, shuffle=False, verbose=0)
    pairs = zip(keep.state(twin), found.state, strict=True)
    near = {"rtol": 1e-4, "atol": 1e-6} if settings.get("jit_compile") else {"rtol": 0, "atol": 0}
    assert [one.path for (one, own), (_, value) in pairs if not np.allclose(own.numpy(), value, **near)] == []


def test_the_report_says_where_and_between_which_steps(tmp_path):
    """The finding names the step, the clean one before it, though neither was probed, and what was hit."""
    x, y = spoiled()
    callback = caught(small(), tmp_path, x, y, every=40)
    (finding,) = [one for one in callback.result.findings if one.rule == "GRAD005"]
    places = ", ".join(f"{one.kind} {one.name}" for one in finding.sites[:5])
    assert finding.message == (
        "NaN or Inf appeared between step 12, the last clean probe, and step 13, first in small/a; "
        f"there should never be any (hit in all: {len(finding.sites)}, {places} …)."
    )
    assert {"activation", "gradient", "weight"} <= {one.kind for one in finding.sites}
    assert callback.result.run.complete
    assert callback.result.run.steps == 14
    (note,) = [one["why"] for one in callback.result.notes if one["subject"] == "catch_nonfinite"]
    assert note.startswith(
        "NaN or Inf appeared in step 13, first in activation small/a; the training was stopped; what"
    )


def test_without_it_the_first_probe_after_says_so(tmp_path):
    """By default the finding names the last clean probe and the first one that was hit; nothing is kept."""
    x, y = spoiled()
    callback = HealthCallback(**quiet(tmp_path, every=10))
    small().fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[callback])
    (finding,) = [one for one in callback.result.findings if one.rule == "GRAD005"]
    assert "between step 10, the last clean probe, and step 20" in finding.message
    assert not (callback.run_dir / kept.FOLDER).exists()
    with pytest.raises(RunError, match="no step is kept in it"):
        kept.read(callback.run_dir)


def test_what_an_update_makes_is_seen_at_once(tmp_path):
    """0/0 in the optimizer is found in the step that did it, not by the next one."""
    x = np.abs(np.random.default_rng(0).normal(size=(40, 3))).astype("float32")
    x[:, 0] = 0
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="only")])
    model.compile(keras.optimizers.Adam(epsilon=0.0), "mse")
    found = kept.read(caught(model, tmp_path, x, x[:, 1:2]).run_dir)
    assert (found.step, [(one.kind, one.name, one.count) for one in found.places]) == (
        0,
        [("update", f"{model.name}/only/kernel", 1)],
    )


@pytest.mark.parametrize(("kind", "executions"), [("dense", 1), ("cnn", 3), ("lstm", 1), ("subclassed", 3)])
def test_training_is_bit_identical_until_then(kind, executions, tmp_path):
    """Flags and copies change nothing of a healthy training, whichever steps are probed."""
    callback = HealthCallback(**quiet(tmp_path, every=4, catch_nonfinite=True))
    plain = trained(kind, [], steps_per_execution=executions)
    assert differences(plain, trained(kind, [callback], steps_per_execution=executions)) == []
    assert not (callback.run_dir / kept.FOLDER).exists()


def test_exact_keeps_the_promise_under_jit(tmp_path):
    """With exact=True the flags come from a second pass as well."""
    callback = HealthCallback(**quiet(tmp_path, every=4, exact=True, catch_nonfinite=True))
    plain = trained("dense", [], jit_compile=True, epochs=1)
    assert differences(plain, trained("dense", [callback], jit_compile=True, epochs=1)) == []


def test_exact_finds_it_too(tmp_path):
    """The step is found in the second pass, and the batch and weights are those before it."""
    x, y = spoiled()
    found = kept.read(caught(small(), tmp_path, x, y, exact=True).run_dir)
    assert (found.step, found.batch[0].tolist()) == (BAD, x[52:56].tolist())


def test_a_mixed_float16_overflow_is_no_fault(tmp_path):
    """A dynamic loss scale makes gradients overflow by design; that step is skipped, and training goes on."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu", dtype="mixed_float16"), layers.Dense(1)])
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**40)
    model.compile(scaled, "mse")
    callback = caught(model, tmp_path, x, x[:, :1])
    assert not model.stop_training
    assert not (callback.run_dir / kept.FOLDER).exists()


def test_a_model_built_by_its_first_batch_is_caught(tmp_path):
    """Its weights are kept as they were made; of a step that runs eagerly they are not, which is said."""

    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(1, name="out")

        def call(self, x):
            return self.out(x)

    x, y = spoiled()
    unsaid = "there were no weights before the step: it is the one that built the model"
    for eagerly, lacks, variables in [(False, (), 4), (True, (unsaid,), 0)]:
        model = Late()
        model.compile("sgd", "mse", run_eagerly=eagerly)
        found = kept.read(caught(model, tmp_path, x[4 * BAD :], y[4 * BAD :]).run_dir)
        assert (found.step, found.lacks, len(found.state)) == (0, lacks, variables)


def test_a_loop_written_by_hand_is_told_to_stop(tmp_path):
    """`watch` keeps the arguments of the call, and asks the loop to end."""
    x, y = spoiled()
    model, optimizer, mse = small(), keras.optimizers.SGD(), keras.losses.MeanSquaredError()

    @tf.function
    def train_step(x, y, factor):
        with tf.GradientTape() as tape:
            loss = factor * mse(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    taken = 0
    with watch(model, optimizer, **quiet(tmp_path, every=10, catch_nonfinite=True)) as watched:
        step = watched.step(train_step)
        for at in range(0, 200, 4):
            step(tf.constant(x[at : at + 4]), y[at : at + 4], factor=0.5)
            taken += 1
            if watched.stop_training:
                break
    found = kept.read(watched.run_dir)
    assert (taken, found.step, found.hand_written) == (BAD + 1, BAD, True)
    (inputs, labels), named = found.batch
    assert (inputs.tolist(), labels.tolist(), named) == (x[52:56].tolist(), y[52:56].tolist(), {"factor": 0.5})


def test_what_is_too_large_is_not_kept(tmp_path, monkeypatch):
    """Above the limit nothing is copied, the step is found all the same, and the reason is said."""
    monkeypatch.setattr(keep, "LIMIT", 100)
    x, y = spoiled()
    found = kept.read(caught(small(), tmp_path, x, y).run_dir)
    assert (found.step, len(found.state)) == (BAD, 0)
    assert "the weights before the step were not kept" in found.lacks[0]


def test_the_folder_is_for_its_owner(tmp_path):
    """The batch may be private: nobody else may look into the folder, and nothing in it is a pickle."""
    x, y = spoiled()
    folder = caught(small(), tmp_path, x, y).run_dir / kept.FOLDER
    assert folder.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in folder.iterdir()) == ["batch.npz", "kept.json", "model.json", "state.npz"]


def test_damaged_files_are_refused(tmp_path):
    """What was kept is not trusted: a structure, a shape or a file that makes no sense is an error of ours."""
    x, y = spoiled()
    run = caught(small(), tmp_path, x, y).run_dir
    manifest = run / kept.FOLDER / "kept.json"
    good = manifest.read_text("utf-8")
    for key, value in [
        ("structure", {"dict": 3}),
        ("structure", 99),
        ("version", 2),
        ("batch", [{"shape": [4, 5], "dtype": "float32"}, {"shape": [4, 1], "dtype": "float32"}]),
        ("batch", [{"shape": [4, 6], "dtype": "int8"}, {"shape": [4, 1], "dtype": "float32"}]),
    ]:
        manifest.write_text(json.dumps({**json.loads(good), key: value}), "utf-8")
        with pytest.raises(RunError, match="damaged or not ours"):
            kept.read(run)
    manifest.write_text(good, "utf-8")
    (run / kept.FOLDER / "batch.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match="damaged or not ours"):
        kept.read(run)
    assert main(["replay", str(run)]) == 2


@pytest.mark.parametrize("data", [(1, "a", None), {"x": [np.ones(2)], "y": (np.zeros(1), 2.5)}], ids=str)
def test_a_batch_of_any_structure_comes_back(data):
    """Tuples, lists, dictionaries, numbers, text and None are what they were."""
    leaves: list = []
    structure = json.loads(json.dumps(kept.packed(data, leaves)))
    assert keras.tree.flatten(kept.unpacked(structure, leaves)) == keras.tree.flatten(data)
    assert isinstance(kept.unpacked(structure, leaves), type(data))


def test_bfloat16_and_text_come_back(tmp_path):
    """NumPy has neither without pickles."""
    halves = tf.constant([1.5, -2.0], tf.bfloat16).numpy()
    texts = tf.constant([b"a", b"long text"]).numpy()
    kept.write(tmp_path, kept.Kept(3, (), (), (halves, texts), False, None, ()))
    found = kept.read(tmp_path).batch
    assert (found[0].dtype, found[0].tolist(), found[1].tolist()) == (halves.dtype, [1.5, -2.0], [b"a", b"long text"])


def test_the_command_line_has_it(tmp_path, monkeypatch, capsys):
    """`tfhealth run --catch-nonfinite` keeps the step of a script that knows nothing of us."""
    (tmp_path / "train.py").write_text(
        "import keras, numpy as np\n"
        "x = np.ones((40, 2), 'float32'); x[30] = np.nan\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]); model.compile('sgd', 'mse')\n"
        "model.fit(x, x[:, :1], batch_size=4, shuffle=False, verbose=0)\n"
    )
    out = tmp_path / "runs"
    assert main(["run", "--catch-nonfinite", "--formats", "json", "--out", str(out), str(tmp_path / "train.py")]) == 0
    (run,) = out.iterdir()
    assert kept.read(run).step == 7
    assert f"`tfhealth replay` shows where it began\n  {run.resolve()}\n" in capsys.readouterr().out
    nonfinite = load_run(run).series(Probe(Site("loss", "batch"), "nonfinite"))
    assert (nonfinite.steps[-2:].tolist(), nonfinite.values[-2:].tolist()) == ([6, 7], [0.0, 1.0])


def test_nothing_is_left_on_the_model(tmp_path):
    """A model has what it has without us, and jit_compile is on again after its step was compiled in two parts."""
    model, plain = small(jit_compile=True), small(jit_compile=True)
    x, y = spoiled()
    caught(model, tmp_path, x, y)
    plain.fit(x[:8], y[:8], batch_size=4, verbose=0)
    assert (model.jit_compile, set(vars(model))) == (True, set(vars(plain)))
