"""Experiments on data: each row finds a program that is sick in its way, and leaves the same one made healthy alone."""

from __future__ import annotations

import pickle
import re
import sys

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import tfhealth
from tests.models import Unbuilt
from tfhealth import load_run
from tfhealth.experiments.builtin.images import standard_images
from tfhealth.experiments.builtin.tables import Target, answered, explained
from tfhealth.series import Probe, Site

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)
NUMBERS = (X @ RNG.normal(size=(8, 1)) + 0.1 * RNG.normal(size=(200, 1))).astype("float32")
ORDER = RNG.permutation(1797)
IMAGES, DIGITS = (load_digits().images[ORDER][..., None] / 16).astype("float32"), load_digits().target[ORDER]
WORDS = RNG.integers(0, 30, (200, 7))
TEXTS = (WORDS, ((WORDS < 10).sum(1) > 2).astype(int))
DEAD = {"bias_initializer": keras.initializers.Constant(-50.0)}


def compiled(model, loss="sparse_categorical_crossentropy", rate=0.01):
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def network(*hidden, out=None, shape=(8,), **settings):
    keras.utils.set_random_seed(3)
    stack = hidden or (layers.Dense(16, "relu"),)
    return compiled(keras.Sequential([keras.Input(shape), *stack, out or layers.Dense(3, "softmax")]), **settings)


def of_numbers(*hidden):
    return network(*hidden, out=layers.Dense(1), loss="mse")


def of_images(*hidden):
    body = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten()]
    return network(*hidden, *body, out=layers.Dense(10, "softmax"), shape=(8, 8, 1))


def of_texts():
    body = [layers.Embedding(30, 8), layers.GlobalAveragePooling1D()]
    return network(*body, out=layers.Dense(1, "sigmoid"), shape=(7,), loss="binary_crossentropy")


def of_two():
    """A functional model of two named inputs and two named outputs."""
    keras.utils.set_random_seed(3)
    a, b = keras.Input((8,), name="a"), keras.Input((4,), name="b")
    hidden = layers.Dense(16, "relu")(layers.Concatenate()([a, b]))
    outputs = {"kind": layers.Dense(3, "softmax")(hidden), "size": layers.Dense(1)(hidden)}
    return compiled(keras.Model({"a": a, "b": b}, outputs), {"kind": "sparse_categorical_crossentropy", "size": "mse"})


TWO = ({"a": X, "b": X[:, :4]}, {"kind": Y, "size": NUMBERS})


def tried(folder, experiment, model, x=X, y=Y, validation=None):
    return tfhealth.preflight(
        model, x, y, experiments=experiment, validation_data=validation, out=folder, formats="json", verbose=0
    )


def verdicts(result, *rules):
    """Return what these rules say, in their order."""
    said = {one.rule: one.verdict for one in result.rules}
    return [said[one] for one in rules]


def row(result, name):
    return next(one.verdict for one in result.checklist if one.id == name)


def notes(result):
    return [one["why"] for one in result.notes if one["subject"].startswith("experiment")]


def value(result, experiment, statistic):
    return load_run(result.run.path).series(Probe(Site("experiment", experiment), statistic)).values


class Erased(layers.Layer):
    """Lets nothing of its inputs through."""

    def call(self, inputs):
        return 0.0 * inputs + 1.0


class Mixed(layers.Layer):
    """Gives each sample what belongs to the one beside it."""

    def call(self, inputs):
        return keras.ops.roll(inputs, 1, axis=0)


@pytest.mark.parametrize("sick", [Erased, Mixed])
def test_noise_is_not_learned_like_the_data(sick, tmp_path):
    """Inputs that are lost on their way do as well as noise; without that layer they do far better."""
    assert (
        row(tried(tmp_path, "random_input", network(sick(), layers.Dense(16, "relu"))), "data.random-input") == "fail"
    )


@pytest.mark.parametrize(("model", "data"), [(of_texts, TEXTS), (of_two, TWO)])
def test_noise_is_learned_worse_than_data(model, data, tmp_path):
    """Names, and numbers of several inputs: the loss on them falls below that on noise."""
    result = tried(tmp_path, "random_input", model(), *data)
    assert (row(result, "data.random-input"), notes(result)) == ("pass", [])
    real, noise = (value(result, "random_input", name) for name in ("real", "noise"))
    assert real[-50:].mean() < noise[-50:].mean()


class Cast(keras.Model):
    """A subclassed model whose own code works on its inputs before the first layer."""

    change = ""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(3, "softmax")

    def call(self, inputs):
        return self.inner(CHANGES[self.change][0](inputs))


def changing(name):
    return compiled(type("Changing", (Cast,), {"change": name})())


CHANGES = {
    "to whole numbers": (lambda x: keras.ops.cast(keras.ops.cast(x, "int32"), "float32"), np.abs(X) % 1, "fail"),
    "to the sign": (lambda x: keras.ops.sign(x), X, "fail"),
    "to another scale": (lambda x: x / 255.0, np.abs(X), "pass"),
    "to another order": (lambda x: x[:, ::-1], X, "pass"),
    "to fewer": (lambda x: x[:, :5], X, "not_applicable"),
}


@pytest.mark.parametrize("name", [one for one in CHANGES if one != "to fewer"])
def test_what_is_lost_before_the_first_layer(name, tmp_path):
    """A cast that cuts off is found, a change of scale or order is not one."""
    _, x, expected = CHANGES[name]
    result = tried(tmp_path, "first_layer", changing(name), x)
    assert (verdicts(result, "DATA052"), notes(result)) == ([expected], [])


def test_moments_in_time_are_lost_in_single_precision(tmp_path):
    """Seconds since 1970 that differ by less than float32 can tell; without what they share they are kept."""
    since = np.linspace(0, 50, 8 * 200).reshape(200, 8)
    assert verdicts(tried(tmp_path, "first_layer", network(), 1.7e9 + since), "DATA052") == ["fail"]
    assert verdicts(tried(tmp_path, "first_layer", network(), since), "DATA052") == ["pass"]


@pytest.mark.parametrize(("model", "data"), [(of_texts, TEXTS), (of_two, TWO), (of_images, (IMAGES[:64], DIGITS[:64]))])
def test_healthy_inputs_arrive(model, data, tmp_path):
    """Names, several inputs, and images."""
    assert verdicts(tried(tmp_path, "first_layer", model(), *data), "DATA052") == ["pass"]


def test_inputs_of_another_size_are_not_compared(tmp_path):
    """The rule does not apply, and says why."""
    result = tried(tmp_path, "first_layer", changing("to fewer"))
    assert verdicts(result, "DATA052") == ["not_applicable"]
    assert any("no layer gets as many numbers" in why for why in notes(result))


RELATED = {
    "rows of one": (lambda: network(loss="categorical_crossentropy"), (X, np.eye(3)[Y])),
    "numbers": (of_numbers, (X, NUMBERS)),
    "images": (of_images, (IMAGES[:700], DIGITS[:700])),
    "sorted": (of_images, (IMAGES[np.argsort(DIGITS)][:900], np.sort(DIGITS)[:900])),
    "texts": (of_texts, TEXTS),
    "two outputs": (of_two, TWO),
    "subclassed": (lambda: compiled(Unbuilt()), (np.tile(X, 2)[:, :12], Y)),
    "next of a series": (of_numbers, (np.lib.stride_tricks.sliding_window_view(NUMBERS[:, 0], 8)[:-1], NUMBERS[8:])),
}


@pytest.mark.parametrize("name", [one for one in RELATED if one != "next of a series"])
def test_a_relation_is_seen(name, tmp_path):
    """In order or not, whatever is foretold from whatever."""
    model, data = RELATED[name]
    result = tried(tmp_path, "relation", model(), *data)
    assert [row(result, one) for one in ("data.learnable", "data.labels-attached")] == ["pass", "pass"]


def test_labels_dealt_out_at_random_foretell_nothing(tmp_path):
    """Both rows warn, of classes and of numbers; that they are attached to a row beside is not claimed."""
    order = np.random.default_rng(5).permutation(200)
    for model, y in ((network(), Y[order]), (of_numbers(), NUMBERS[order])):
        result = tried(tmp_path, "relation", model, X, y)
        assert [row(result, one) for one in ("data.learnable", "data.labels-attached")] == ["warn", "warn"]
        assert verdicts(result, "DATA053", "DATA054", "DATA055") == ["pass", "warn", "warn"]


@pytest.mark.parametrize("since", [0, 300])
def test_labels_of_the_row_beside_are_found(since, tmp_path):
    """From the first row on, or from the middle on where a line was skipped."""
    y = DIGITS[:600].copy()
    y[since:] = np.roll(y[since:], 1)
    result = tried(tmp_path, "relation", of_images(), IMAGES[:600], y)
    assert (row(result, "data.labels-attached"), verdicts(result, "DATA053")) == ("fail", ["fail"])


def test_a_series_of_noise_is_not_said_to_be_moved(tmp_path):
    """The value before the target is in its window; that it fits better says nothing."""
    model, data = RELATED["next of a series"]
    assert verdicts(tried(tmp_path, "relation", model(), *data), "DATA053") == ["pass"]


def test_few_samples_and_equal_targets_are_no_evidence(tmp_path):
    """Then nothing is said."""
    for x, y, why in ((X[:30], Y[:30], "there are 30 samples"), (X, 0 * Y, "all targets are the same")):
        result = tried(tmp_path, "relation", network(), x, y)
        (reason,) = [one.reason for one in result.rules if one.rule == "DATA055"]
        assert why in reason


def noisy(share):
    """Return digits of which a share is replaced by any, and where that changed them."""
    rng = np.random.default_rng(1)
    y = np.where(rng.random(600) < share, rng.integers(0, 10, 600), DIGITS[:600])
    return y, set(np.flatnonzero(y != DIGITS[:600]))


@pytest.mark.parametrize(("share", "expected"), [(0.0, "pass"), (0.15, "warn"), (0.35, "fail")])
def test_wrong_labels_are_counted_and_the_worst_named(share, expected, tmp_path):
    """The samples in the note are wrong ones."""
    y, wrong = noisy(share)
    result = tried(tmp_path, "label_noise", of_images(), IMAGES[:600], y)
    assert row(result, "data.label-noise") == expected
    named = {int(one) for why in notes(result) for one in re.findall(r"sample (\d+) is labeled", why)}
    assert (len(named) == 8 and named <= wrong) if share else len(named) < 4


def test_labels_that_overlap_are_not_called_wrong(tmp_path):
    """Two classes that no model can tell apart well have uncertain labels, and few that are surely wrong."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 600)
    x = rng.normal(size=(600, 8)) + 0.5 * y[:, None] * np.eye(8)[0]
    assert row(tried(tmp_path, "label_noise", network(), x, y), "data.label-noise") == "pass"


def test_labels_that_nothing_foretells_are_not_called_wrong(tmp_path):
    """What knows nothing of labels cannot contradict them: the rule does not apply, and another row says why."""
    rng = np.random.default_rng(0)
    result = tried(tmp_path, "label_noise", network(), rng.normal(size=(256, 8)), rng.integers(0, 2, 256))
    assert verdicts(result, "DATA056") == ["not_applicable"]


HOLES = np.where(np.arange(len(X))[:, None] == 5, np.nan, X)


@pytest.mark.parametrize(
    ("hidden", "x", "y", "expected"),
    [
        ((), X, NUMBERS, "pass"),
        ((), HOLES, NUMBERS, "fail"),
        ((), X, np.where(np.arange(len(X))[:, None] == 5, np.inf, NUMBERS), "fail"),
        ((layers.Lambda(keras.ops.nan_to_num),), HOLES, NUMBERS, "pass"),
    ],
    ids=["sound", "inputs", "targets", "filled in"],
)
def test_samples_that_make_the_weights_nan_are_named(hidden, x, y, expected, tmp_path):
    """Also where a ReLU hides NaN from the loss; what a layer fills in does no harm. Such a cause stands first."""
    model = network(*hidden, out=layers.Dense(1), loss="mse")
    result = tried(tmp_path, "nonfinite_samples, overfit_tiny", model, x, y)
    assert verdicts(result, "DATA063") == [expected]
    if expected == "fail":
        assert result.findings[0].rule == "DATA063"
        assert notes(result)[0].endswith("of 1 samples, by number counted from 0: 5")


def test_a_target_among_the_inputs_is_named(tmp_path):
    """Of classes and of numbers; a column that goes along with the target is none, nor is the only one there is."""
    wide, line = {"shape": (9,)}, np.linspace(0, 1, 200)[:, None]
    for model, y in ((network(**wide), Y), (network(out=layers.Dense(1), loss="mse", **wide), NUMBERS)):
        for column, expected in ((3 * y.reshape(-1, 1) - 1, "fail"), (y.reshape(-1, 1) + X[:, :1], "pass")):
            result = tried(tmp_path, "relation", model, np.hstack([X, column]).astype("float32"), y)
            assert verdicts(result, "DATA061") == [expected]
    narrow = network(out=layers.Dense(1), loss="mse", shape=(1,))
    assert verdicts(tried(tmp_path, "relation", narrow, line, 2 * line), "DATA061") == ["pass"]


def test_without_scikit_learn_it_says_what_to_install(tmp_path, monkeypatch):
    """What takes it is not measured; digits are generated."""
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    result = tried(tmp_path, "relation,label_noise,standard_corpus", network())
    assert [row(result, one) for one in ("data.learnable", "data.label-noise")] == ["not_measured", "not_measured"]
    *missing, generated = notes(result)
    assert missing == 2 * ["not measured: ModuleNotFoundError: it takes scikit-learn: pip install scikit-learn"]
    assert generated.startswith("of generated shapes, since scikit-learn is not installed")
    assert row(result, "data.standard-corpus") == "pass"


SPLITS = {
    "disjoint": ((X[:150], Y[:150]), (X[150:], Y[150:]), ["pass", "pass"]),
    "shared": ((X[:150], Y[:150]), (X[100:160], Y[100:160]), ["fail", "pass"]),
    "swapped": ((X[:30], Y[:30]), (X[30:], Y[30:]), ["pass", "fail"]),
    "small table": ((np.round(X[:150, :8] / 9), Y[:150]), (np.round(X[150:] / 9), Y[150:]), ["pass", "pass"]),
}


@pytest.mark.parametrize("name", SPLITS)
def test_validation_samples_are_others(name, tmp_path):
    """Copies and splits the wrong way round are found; in a small table equal rows are nothing special."""
    train, validation, expected = SPLITS[name]
    result = tried(tmp_path, "split_leak", network(), *train, validation)
    assert verdicts(result, "DATA057", "DATA058") == expected


def test_without_validation_data_there_is_no_leak(tmp_path):
    """It says how to give some."""
    result = tried(tmp_path, "split_leak", network())
    (reason,) = [one.reason for one in result.rules if one.rule == "DATA057"]
    assert "validation_data=" in reason


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (lambda: layers.RandomBrightness(0.5), "fail"),
        (lambda: layers.RandomTranslation(0.05, 0.05), "pass"),
    ],
    ids=["out of range", "mild"],
)
def test_augmentation_that_leaves_nothing(extra, expected, tmp_path):
    """What a bare copy learns and this one does not is its cost."""
    result = tried(tmp_path, "augmentation", of_images(extra()), IMAGES[:200], DIGITS[:200])
    assert verdicts(result, "DATA059") == [expected]
    assert len(value(result, "augmentation", "with_it")) == 11


def test_without_augmentation_layers_nothing_is_tried(tmp_path):
    """The rule does not apply."""
    assert verdicts(tried(tmp_path, "augmentation", network()), "DATA059") == ["not_applicable"]


@pytest.mark.parametrize("name", ["numbers", "images", "texts", "two outputs"])
def test_a_sound_architecture_learns_digits(name, tmp_path):
    """In the form of its own inputs and targets."""
    model, data = RELATED[name]
    result = tried(tmp_path, "standard_corpus", model(), *data)
    (told,) = notes(result)
    assert (row(result, "data.standard-corpus"), told[:24]) == ("pass", "of scikit-learn's digits")
    assert value(result, "standard_corpus", "score")[0] > 0.3


def test_images_that_keras_has_on_disk_are_taken_for_larger_inputs(tmp_path, monkeypatch):
    """Where its files are there; nothing is fetched. After CIFAR-10 come digits, which are easier."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    classes = np.arange(40) % 10
    np.savez(tmp_path / "datasets" / "mnist.npz", x_test=np.zeros((40, 28, 28), np.uint8), y_test=classes)
    pixels = np.arange(40 * 3072).reshape(40, 3072).astype(np.uint8)
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": pixels, b"labels": list(classes)}))

    def found(shape):
        return [(name.split(",")[0], images.shape) for name, images, _ in standard_images(shape, 1)]

    small, mnist = ("scikit-learn's digits", (1797, 8, 8, 1)), ("MNIST", (40, 28, 28, 1))
    assert [found((8, 8, 1)), found((28, 28, 1))] == [[small], [mnist]]
    assert found((32, 32, 3)) == [("CIFAR-10", (40, 32, 32, 3)), mnist]
    _, images, _ = next(standard_images((32, 32, 3), 1))
    assert list(images[0, 0, 0]) == [pixels[0, 0], pixels[0, 1024], pixels[0, 2048]]


RIVALS = ("ARCH091", "ARCH092", "ARCH093", "ARCH094")


@pytest.mark.parametrize("name", ["images", "two outputs"])
def test_a_sound_model_keeps_up_with_simple_ones(name, tmp_path):
    """It is ahead of the mean, and not far behind a small network and a linear model."""
    model, data = RELATED[name]
    result = tried(tmp_path, "rivals", model(), *data)
    assert (verdicts(result, *RIVALS), len(notes(result))) == (4 * ["pass"], 1)
    assert value(result, "rivals", "own")[0] > 0.3


def test_a_dead_model_is_behind_simple_ones(tmp_path):
    """The data can be learned, so it is the architecture; it is no better than the mean, and learns no digits."""
    result = tried(tmp_path, "rivals,standard_corpus", network(layers.Dense(16, "relu", **DEAD)))
    assert verdicts(result, *RIVALS) == ["fail", "pass", "warn", "fail"]
    rows = ("arch.start-simple", "arch.baseline", "data.standard-corpus")
    assert [row(result, one) for one in rows] == ["fail", "fail", "fail"]


def test_labels_dealt_out_leave_simple_models_nothing(tmp_path):
    """Then it is the data, and the architecture is not blamed."""
    dealt = np.random.default_rng(5).permutation(Y)
    result = tried(tmp_path, "rivals", network(), X, dealt)
    assert verdicts(result, "ARCH091", "ARCH092", "ARCH094") == ["pass", "warn", "pass"]
    assert verdicts(result, "ARCH093")[0] in ("warn", "fail")


def test_moving_averages_need_not_have_arrived():
    """What a model explains counts by the mode in which it answers better."""
    column = RNG.normal(size=(256, 1))
    model = keras.Sequential([keras.Input((1,)), layers.BatchNormalization()])
    target = Target(column)
    moved = (100 + 10 * column).astype("float32")
    assert explained([model.predict(moved, verbose=0)], [target]).mean() < 0
    assert explained(answered(model, moved, [target], 64), [target]).mean() > 0.9
