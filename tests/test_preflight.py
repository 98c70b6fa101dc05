"""Experiments on clones of a model: run because rules ask, judged like everything else, and nothing is touched."""

from __future__ import annotations

import random
import re
import sys
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tfhealth
from tests.helpers import RULE, write_rules
from tests.models import KINDS, data, state
from tests.packages import installing
from tfhealth import RuleError, UsageError, experiment, load_checklist, load_run
from tfhealth.experiments import EXPERIMENTS, find, plugins
from tfhealth.preflight.source import gathered
from tfhealth.preflight.trial import Trial
from tfhealth.series import Probe, Site
from tfhealth.statistics import find as find_statistic
from tfhealth.statistics import statistic_names

SOUND = """
from tfhealth.experiments import experiment


@experiment("loss", "spread", doc="first loss, and the spread of three batches")
def opening_loss(trial):
    import keras
    import numpy as np
    import tensorflow as tf

    model = trial.model()
    x, y = trial.batch(8)
    x += np.asarray(keras.random.normal(x.shape) + tf.random.normal(x.shape))
    first = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    model.fit(x, y, verbose=0)
    x[:], y[:] = 0, 0
    return {"loss": [first], "spread": [0.5, 0.25, 0.125]}
"""

BROKEN = """
from tfhealth.experiments import experiment


def one(function):
    return experiment("loss", doc="wrong in one way")(function)


@one
def raising(trial):
    raise LookupError("no such sample")


@one
def leaving(trial):
    raise SystemExit(3)


@one
def other(trial):
    return {"accuracy": [1.0]}


@one
def nothing(trial):
    pass


@one
def text(trial):
    return {"loss": ["high"]}


@one
def empty(trial):
    return {"loss": []}


@one
def endless(trial):
    while True:
        trial.check_time()


@one
def stubborn(trial):
    try:
        endless.run(trial)
    except Exception:
        return {"loss": [9.0]}


@one
def sound(trial):
    return {"loss": [2.0, 1.0]}


no_experiment = 3
"""

INTERRUPTED = """
from tfhealth.experiments import experiment


@experiment("loss", doc="somebody presses Ctrl-C")
def pressed(trial):
    raise KeyboardInterrupt


@experiment("loss", doc="comes after it")
def sound(trial):
    return {"loss": [2.0, 1.0]}
"""

TRIED = {
    "raising": "LookupError: no such sample",
    "leaving": "SystemExit: 3",
    "other": "ValueError: it declares loss, but yielded accuracy",
    "nothing": "TypeError: it declares loss, but yielded no mapping: NoneType",
    "text": "TypeError: loss is no sequence of numbers",
    "empty": r"ValueError: loss must be a sequence of numbers, at least one, received shape \(0,\)",
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package: a module with this source, and entry points for these names in it."""
    with installing(tmp_path, monkeypatch, plugins.GROUP, plugins.load) as installed:
        yield lambda source, names, package="acme-trials": installed(source, {name: name for name in names}, package)


def rules_on(folder, name, statistic="loss"):
    """Write a rule that looks at what an experiment yields."""
    measure = f"{{site: experiment, statistic: {statistic}, where: {{name: {name}}}}}"
    text = RULE.replace("{site: activation, statistic: std}", measure).replace("  for: 3\n", "")
    return write_rules(folder / "rules", {"ACT901-x.yaml": text})


def classifier(optimizer="adam", loss="sparse_categorical_crossentropy", **settings):
    """Return a compiled model of four inputs and three classes, and data for it."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(16, "relu"), layers.Dense(3, "softmax")])
    model.compile(optimizer, loss, **settings)
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(40, 4)).astype("float32"), np.sort(rng.integers(0, 3, 40))


def tried(folder, model, x, y, **settings):
    return tfhealth.preflight(model, x, y, **{"out": folder / "runs", "formats": "json", "verbose": 0, **settings})


def row(result, name="gold.overfit-tiny"):
    return next(one for one in result.checklist if one.id == name)


def detached(loss, prediction):
    """A loss that says nothing about the prediction."""
    return 1.0 + 0.0 * keras.ops.mean(prediction, axis=-1)


def test_a_package_brings_an_experiment_that_a_rule_judges(install, tmp_path):
    """It runs because the rule reads it, and the report holds the finding and the series."""
    install(SOUND, ["opening_loss"])
    result = tried(tmp_path, *classifier(), rules=rules_on(tmp_path, "opening_loss", "spread"), formats="json,html")
    (finding,) = result.findings
    assert (finding.rule, finding.kind, finding.site, finding.step) == ("ACT901", "experiment", "opening_loss", 1)
    run = load_run(result.run.path)
    assert run.series(Probe(Site("experiment", "opening_loss"), "spread")).values.tolist() == [0.5, 0.25, 0.125]
    assert run.series(Probe(Site("experiment", "opening_loss"), "loss")).steps.tolist() == [0]
    assert run.sites[Site("experiment", "opening_loss")]["seconds"] > 0
    assert run.fact("optimizer.class") == "Adam"
    assert [site for site in run.sites if site.kind == "experiment"] == [Site("experiment", "opening_loss")]
    assert "opening_loss" in (run.path / "report.html").read_text("utf-8")


def test_nothing_of_the_caller_is_changed(install, tmp_path):
    """Weights, optimizer, compile settings, data and every random state are as before, bit for bit."""
    install(SOUND, ["opening_loss"])
    model, x, y = classifier(metrics=["accuracy"])
    model.fit(x, y, verbose=0)
    keras.random.normal((2,))
    before, arrays = state(model), (x.copy(), y.copy())
    held = (model.optimizer, model.loss, model.train_function, model.get_compile_config())

    def drawn():
        return [
            random.random(),
            np.random.normal(),
            float(tf.random.normal(())),
            *map(float, keras.random.normal((2,))),
        ]

    def states():
        generator = keras.src.random.seed_generator.global_seed_generator()
        return random.getstate(), np.random.get_state()[1].tolist(), np.asarray(generator.state).tolist()

    named, random_before = layers.Dense(1).name, states()
    result = tried(tmp_path, model, x, y, experiments=["opening_loss", "overfit_tiny"])
    assert not [note for note in result.notes if note["subject"].startswith("experiment")]
    after = state(model)
    assert before.keys() == after.keys()
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []
    assert held == (model.optimizer, model.loss, model.train_function, model.get_compile_config())
    assert all(np.array_equal(one, other) for one, other in zip(arrays, (x, y), strict=True))
    assert states() == random_before
    assert int(layers.Dense(1).name.split("_")[1]) == int(named.split("_")[1]) + 1
    keras.utils.set_random_seed(5)
    expected = drawn()
    keras.utils.set_random_seed(5)
    tried(tmp_path, model, x, y, experiments="opening_loss")
    assert drawn() == expected


def test_a_training_after_it_is_the_same(tmp_path):
    """A fit comes out bit for bit as if nothing had been tried."""
    states = []
    for trying in (False, True):
        model, x, y = classifier()
        if trying:
            tried(tmp_path, model, x, y)
        model.fit(x, y, epochs=2, verbose=0)
        states.append(list(state(model).values()))
    assert all(np.array_equal(one, other) for one, other in zip(*states, strict=True))


def test_two_samples_are_learned_by_a_healthy_model(tmp_path):
    """The built-in rule passes, and the labels in order are no way around it."""
    result = tried(tmp_path, *classifier(), experiments="overfit_tiny, overfit_fifty")
    assert (row(result).verdict, result.notes) == ("pass", [])
    loss = load_run(result.run.path).series(Probe(Site("experiment", "overfit_tiny"), "loss")).values
    assert (len(loss), loss[0] > 0.5, bool(loss[-1] < loss[0] / 2)) == (200, True, True)


@pytest.mark.parametrize(
    "settings",
    [{"optimizer": keras.optimizers.SGD(0.0)}, {"loss": detached}, {"optimizer": keras.optimizers.SGD(float("nan"))}],
    ids=["no learning rate", "detached loss", "not a number"],
)
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_two_samples_are_not_learned_by_a_broken_one(settings, tmp_path):
    """It is an error, also where the loss becomes NaN."""
    model, x, y = classifier(**settings)
    result = tried(tmp_path, model, x, y, experiments="overfit_tiny")
    assert row(result).verdict == "fail"
    assert [finding.rule for finding in result.findings if finding.checklist == "gold.overfit-tiny"] == ["GOLD001"]


def test_a_loss_below_zero_is_judged_by_its_fall(tmp_path):
    """A cosine similarity goes to -1, and stays where it is without a learning rate."""
    for rate, verdict in ((0.01, "pass"), (0.0, "fail")):
        model, x, _ = classifier(keras.optimizers.Adam(rate), "cosine_similarity")
        assert row(tried(tmp_path, model, x, x[:, :3], experiments="overfit_tiny, overfit_fifty")).verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_cloned(kind, tmp_path):
    """A clone has the weights of its model, whatever it is made of; before it is built too."""
    keras.utils.set_random_seed(1)
    x, y = data(kind)
    model = KINDS[kind][0]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    result = tried(tmp_path, model, x, y, experiments="overfit_tiny")
    assert [note for note in result.notes if note["subject"].startswith("experiment")] == []
    assert next(one.verdict for one in result.rules if one.rule == "GOLD001") in ("pass", "warn")


def test_a_clone_is_compiled_like_its_model():
    """A loss that is registered nowhere is kept, a settings-bearing one too, and the optimizer starts anew."""

    class Powered(keras.losses.Loss):
        def __init__(self, power=1):
            super().__init__()
            self.power = power

        def call(self, y_true, y_pred):
            return keras.ops.mean(y_pred**self.power, axis=-1)

    model, x, y = classifier(loss=Powered(3), steps_per_execution=2, jit_compile=False)
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = 0.125
    clone = Trial(1, gathered(x, y), None, float("inf"), model).model()
    assert all(np.array_equal(one, other) for one, other in zip(clone.get_weights(), model.get_weights(), strict=True))
    assert (clone.loss.power, clone.loss is model.loss, clone.steps_per_execution) == (3, False, 2)
    assert (float(clone.optimizer.learning_rate), int(clone.optimizer.iterations)) == (0.125, 0)


def test_a_broken_experiment_is_a_note(install, tmp_path):
    """Each says why in the result; the others run, and the rule on it is not measured."""
    install(BROKEN, [*TRIED, "sound"])
    rules = rules_on(tmp_path, "raising")
    result = tried(tmp_path, *classifier(), rules=rules, experiments=[*TRIED, "sound"])
    notes = {note["subject"]: note["why"] for note in result.notes}
    assert set(notes) == {f"experiment {name}" for name in TRIED}
    for name, why in TRIED.items():
        assert re.fullmatch(f"not measured: {why}", notes[f"experiment {name}"]), notes
    (decided,) = result.rules
    assert (decided.verdict, decided.reason) == ("not_measured", "not measured: LookupError: no such sample")
    assert load_run(result.run.path).series(Probe(Site("experiment", "sound"), "loss")).values.tolist() == [2.0, 1.0]


def test_ctrl_c_keeps_what_there_is(install, tmp_path, capsys):
    """The experiments before it are judged and reported, the others are not measured; the caller gets the Ctrl-C."""
    install(INTERRUPTED, ["pressed", "sound"])
    with pytest.raises(KeyboardInterrupt):
        tried(tmp_path, *classifier(), experiments="test_mode, pressed, sound", verbose=1)
    (folder,) = (tmp_path / "runs").iterdir()
    run = load_run(folder)
    assert (run.meta["status"], run.complete) == ("interrupted", False)
    assert run.series(Probe(Site("experiment", "test_mode"), "randomness")).values.tolist() == [0.0]
    why = {note.subject: note.why for note in run.notes}
    assert why == {f"experiment {name}": "not measured: Ctrl-C ended the preflight" for name in ("pressed", "sound")}
    assert '"status": "interrupted"' in (folder / "result.json").read_text("utf-8")
    told = capsys.readouterr()
    assert re.search(r"  test_mode: \d+\.\d s\n", told.err)
    assert "tfhealth: PASS" in told.out


@pytest.mark.parametrize(
    ("targets", "loss", "expected"),
    [
        (np.eye(5)[np.zeros(40, int)], "categorical_crossentropy", "fit: ValueError: .*shape"),
        (np.full(40, 7), "sparse_categorical_crossentropy", "fit: .*7"),
    ],
    ids=["more classes than outputs", "a class that is too high"],
)
def test_labels_that_do_not_fit_are_told(targets, loss, expected, tmp_path):
    """The fault is TensorFlow's own words on it; nothing else happens."""
    model, x, _ = classifier(loss=loss)
    result = tried(tmp_path, model, x, targets, experiments="smoke")
    (finding,) = result.findings
    assert (finding.rule, finding.verdict) == ("GOLD053", "fail")
    assert re.search(expected, next(note["why"] for note in result.notes if note["subject"] == "experiment smoke"))


def test_what_does_not_fit_in_the_budget_is_a_note(install, tmp_path):
    """The one that takes too long is ended when it asks, those behind it do not begin."""
    install(BROKEN, ["endless", "sound"])
    result = tried(tmp_path, *classifier(), experiments="endless, sound", budget=0.2)
    why = {note["subject"]: note["why"] for note in result.notes}
    assert "the budget of 0.2 s ended during it" in why["experiment endless"]
    assert "the budget of 0.2 s was used up before it" in why["experiment sound"]
    assert (row(result).verdict, result.verdict) == ("not_measured", "not_measured")
    assert result.sentence == "Nothing could be judged: no experiment yielded anything; the notes say why."


def test_end_of_the_budget_is_no_finding_of_one_that_catches_errors(install, tmp_path):
    """An experiment that tells failures by catching them, as `smoke` does, must not take this for one."""
    install(BROKEN, ["stubborn"])
    result = tried(tmp_path, *classifier(), experiments="stubborn", budget=1)
    assert "the budget of 1 s ended during it" in result.notes[0]["why"]
    assert row(result).verdict == "not_measured"


@pytest.mark.parametrize(
    ("name", "statistic", "expected"),
    [
        ("overfit_tny", "loss", "experiment 'overfit_tny' does not exist; legal: .*; did you mean 'overfit_tiny'"),
        ("overfit_tiny", "los", "does not yield 'los'; legal: loss, change; did you mean 'loss'"),
        ("no_experiment", "loss", "of the package acme-trials 1.2: acme_trials:no_experiment is of type int"),
        ("absent", "loss", "of the package acme-trials 1.2 cannot be imported from acme_trials:absent: AttributeError"),
    ],
)
def test_a_rule_on_what_is_not_there_is_a_fault(install, tmp_path, name, statistic, expected):
    """The fault names what is legal, or the package that is to blame."""
    install(BROKEN, ["no_experiment", "absent"])
    with pytest.raises(RuleError, match=expected):
        load_checklist(rules_on(tmp_path, name, statistic))


def test_names_are_read_without_importing(install, tmp_path):
    """A package is imported when it is asked for, and the statistics of its experiments exist from then on."""
    module = install(SOUND, ["opening_loss"])
    load_checklist()
    assert module not in sys.modules
    assert find("overfit_tiny").statistics == ("loss", "change")
    assert module not in sys.modules
    built_in = {name for one in EXPERIMENTS for name in one.statistics}
    assert set(statistic_names("experiment")) == built_in | {"spread"}
    assert find_statistic("experiment", "spread").legal is None


def test_a_built_in_experiment_cannot_be_replaced(install):
    """A package that offers one of the same name changes nothing; two packages with one name are refused."""
    install(SOUND.replace("def opening_loss", "def overfit_tiny"), ["overfit_tiny"])
    assert find("overfit_tiny").statistics == ("loss", "change")
    install(SOUND, ["opening_loss"], "other-trials")
    install(SOUND, ["opening_loss"], "more-trials")
    with pytest.raises(ValueError, match=r"offered by \S+ 1\.2 and \S+ 1\.2; uninstall all but one"):
        find("opening_loss")


@pytest.mark.parametrize(
    ("statistics", "doc", "expected"),
    [
        ((), "a doc", "at least one statistic"),
        (("Loss",), "a doc", "statistic 'Loss': a name is"),
        (("loss", "loss"), "a doc", "each statistic is named once"),
        (("loss",), " ", "doc is what the experiment does"),
    ],
)
def test_arguments_of_the_decorator_that_cannot_be_meant_are_refused(statistics, doc, expected):
    """At import of the package's module, where its author sees it."""
    with pytest.raises(ValueError, match=expected):
        experiment(*statistics, doc=doc)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": 3}, "model must be a Keras model, received int"),
        ({"model": keras.Sequential([layers.Dense(1)])}, "the model is not compiled"),
        ({"x": [1.0, 2.0]}, "x must be an array or a structure of arrays, received float"),
        ({"x": tf.data.Dataset.from_tensor_slices([[1.0]])}, "brings its own targets; leave y out"),
        ({"x": np.empty((0, 4))}, "x holds no samples|same number of samples"),
        (
            {"x": tf.data.Dataset.from_tensor_slices(([[1.0]], [1])), "y": None},
            r"shapes \(1,\), \(\); .*takes .batch\(32\)",
        ),
        ({"y": np.zeros(7)}, r"the same number of samples, received \[7, 40\]"),
        ({"budget": 0}, "budget must be a number of seconds above 0, received 0"),
        ({"experiments": "overfit"}, "experiment 'overfit' does not exist; legal: overfit_tiny"),
        ({"experiments": []}, "no experiment is named; legal: overfit_tiny"),
        ({"formats": "pfd"}, "did you mean 'pdf'"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_meant_are_refused(change, expected, tmp_path):
    """At once, and nothing is written."""
    model, x, y = classifier()
    with pytest.raises(UsageError, match=expected):
        tried(tmp_path, **{"model": model, "x": x, "y": y, **change})
    assert not (tmp_path / "runs").exists()


def test_a_fit_says_how_to_have_it_measured(tmp_path):
    """The row is not measured in an ordinary run, and its reason names the call."""
    model, x, y = classifier()
    callback = tfhealth.HealthCallback(out=tmp_path, formats="json", verbose=0)
    model.fit(x, y, verbose=0, callbacks=[callback])
    found = row(callback.result)
    assert found.verdict == "not_measured"
    how = "`tfhealth.preflight(model, x, y)` and `tfhealth run --preflight` do"
    assert found.reason == f"a fit does not show this: {how}"


def test_the_summary_is_printed_and_the_bar_goes_elsewhere(tmp_path, capsys):
    """Standard output holds the verdict only."""
    tried(tmp_path, *classifier(), experiments="test_mode", verbose=1)
    assert capsys.readouterr().out.lstrip().startswith("tfhealth: ")


def test_it_can_be_called_however_it_was_imported():
    """Python puts the package of the same name in place of the function; it can be called too."""
    assert isinstance(tfhealth.preflight, ModuleType)  # as a module of it was imported above
    with pytest.raises(UsageError, match="model must be a Keras model, received int"):
        tfhealth.preflight(3, 4)


def batches_of(x, y, size=10):
    return ((x[start : start + size], y[start : start + size]) for start in range(0, len(x), size))


class Batches(keras.utils.PyDataset):
    """Ten samples a batch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 10

    def __getitem__(self, index):
        return self.x[10 * index :][:10], self.y[10 * index :][:10]


class Augmented(Batches):
    """Adds noise of a generator of its own, and of NumPy's."""

    def __init__(self, x, y):
        super().__init__(x, y)
        self.own, self.older, self.plain = np.random.default_rng(4), np.random.RandomState(4), random.Random(4)

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + self.own.normal() + self.older.normal() + self.plain.random(), y


def test_data_are_as_if_nobody_had_read_them():
    """A shuffled data set has the order that it would have had, epoch by epoch; so with a data set's own generators."""

    def shuffled():
        return tf.data.Dataset.range(24).shuffle(24, seed=3).batch(4).map(lambda one: (one, one))

    def epochs(dataset):
        return [[int(one) for batch, _ in dataset for one in batch] for _ in range(2)]

    dataset = shuffled()
    read = gathered(dataset)
    first, second = epochs(dataset)
    assert [first, second] == epochs(shuffled())
    assert read.x.tolist() == first
    _, x, y = classifier()
    augmented = Augmented(x, y)
    once = gathered(augmented).x
    assert np.array_equal(once, np.concatenate([augmented[index][0] for index in range(4)]))


def test_reading_data_ends_in_time():
    """What comes in batches is read until the time is up, one batch at least."""
    _, x, y = classifier()
    few = gathered(batches_of(x, y), until=0.0)
    assert (len(few), few.complete) == (10, False)


@pytest.mark.parametrize("how", ["dataset", "PyDataset", "generator", "tensors"])
def test_whatever_fit_takes_is_gathered(how):
    """The same samples in the same order; the size of a batch is remembered, and a generator's batches."""
    _, x, y = classifier()
    given = {
        "dataset": (tf.data.Dataset.from_tensor_slices((x, y)).batch(10),),
        "PyDataset": (Batches(x, y),),
        "generator": (batches_of(x, y),),
        "tensors": (tf.constant(x), tf.constant(y)),
    }[how]
    samples = gathered(*given)
    assert np.array_equal(samples.x, x)
    assert np.array_equal(samples.y, y)
    assert (samples.complete, samples.batch_size, len(samples.taken)) == (
        (True, 32, 0) if how == "tensors" else (True, 10, 4)
    )


def test_no_more_than_a_bound_is_gathered():
    """Of arrays rows from all over, of an endless generator its first batches."""
    rows = np.arange(100_000)
    spread = gathered(rows[:, None], rows)
    assert (len(spread), spread.y[0], spread.y[-1], spread.complete) == (4096, 0, 99_999, False)
    endless = ((np.zeros((64, 2)), np.zeros(64)) for _ in iter(int, 1))
    first = gathered(endless)
    assert (len(first), first.complete) == (4096, False)


def test_a_plain_clone_has_nothing_that_makes_learning_by_heart_harder():
    """Dropout, noise, augmentation and regularization are gone in it, and still there in the caller's model."""
    stack = [layers.RandomFlip(), layers.Flatten(), layers.Dense(4, kernel_regularizer="l2"), layers.GaussianNoise(0.5)]
    model = keras.Sequential([keras.Input((4, 4, 1)), *stack, layers.Dropout(0.5), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32"), np.zeros((8, 1), "float32")
    clone = Trial(1, gathered(x, y), None, float("inf"), model).model(plain=True)
    assert np.array_equal(clone(x, training=True), clone(x, training=False))
    assert (clone.losses, len(model.losses), model.layers[-2].rate) == ([], 1, 0.5)
    assert not np.array_equal(model(x, training=True), model(x, training=False))
