"""Experiments on the architecture: each row fails for a model that is sick that way, and passes for a healthy one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import tfhealth
from tests.models import state
from tfhealth.series import Probe, Site

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 8)).astype("float32")
SCORES = X @ RNG.normal(size=(8, 3)).astype("float32")
Y, NUMBERS = SCORES.argmax(1), SCORES[:, :1] / 3
IMAGES = RNG.normal(size=(32, 6, 6, 1)).astype("float32")
MANY = RNG.integers(0, 8, 128)
BLOBS = (np.eye(8)[MANY] @ RNG.normal(size=(8, 8)) + 0.1 * RNG.normal(size=(128, 8))).astype("float32")


def network(*hidden, out=None, loss="sparse_categorical_crossentropy", optimizer=None, shape=(8,)):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input(shape), *hidden, out or layers.Dense(3, "softmax")])
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss)
    return model


def regression(loss):
    return network(layers.Dense(8, "tanh"), out=layers.Dense(1), loss=loss)


def tried(folder, model, names, x=X, y=Y, **settings):
    return tfhealth.preflight(model, x, y, experiments=names, out=folder, formats="json", verbose=0, **settings)


def row(result, name):
    return next(one.verdict for one in result.checklist if one.id == name)


def verdicts(result, *rules):
    return [one.verdict for one in result.rules if one.rule in rules]


def notes(result, name):
    return " ".join(one["why"] for one in result.notes if one["subject"] == f"experiment {name}")


@tf.custom_gradient
def squared(x):
    """A square, of which the gradient forgets a factor of two."""
    return x * x, lambda upstream: upstream * x


class Squared(layers.Layer):
    def call(self, x):
        return squared(x)


class Centered(layers.Layer):
    """Takes the mean off; along the batch, if it is told so."""

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, x):
        return x - ops.mean(x, axis=self.axis, keepdims=True)


class Forgetful(Centered):
    """Does not say on which axis it works."""

    def get_config(self):
        return super(Centered, self).get_config()


class Noisy(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(ops.shape(x))


class Dropping(layers.Layer):
    """Drops a half; divides by the half that is kept, if it is told so."""

    def __init__(self, divided, **kwargs):
        super().__init__(**kwargs)
        self.divided = divided

    def call(self, x, training=False):
        if not training:
            return x
        kept = ops.cast(keras.random.uniform(ops.shape(x)) > 0.5, x.dtype)
        return x * kept * (2.0 if self.divided else 1.0)


class Rows(layers.Layer):
    """Forgets how many rows there were."""

    def call(self, x):
        return ops.reshape(x, (-1, 4))


class Transposed(layers.Layer):
    """Adds the transposed image, which takes a square one."""

    def call(self, x):
        return x + ops.transpose(x, (0, 2, 1, 3))


HEALTHY_PARTS = (
    "samples_apart",
    "losses_apart",
    "gradient_check",
    "custom_layers",
    "custom_loss",
    "perfect_prediction",
)


def careful(target, prediction):
    return ops.mean(ops.square(target - prediction), axis=-1)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Return the result of all quick experiments on a model with a loss and layers of its own, and its state before."""
    model = network(
        layers.Dense(8, "tanh"),
        Centered(),
        layers.BatchNormalization(),
        Dropping(True),
        out=layers.Dense(1),
        loss=careful,
    )
    before = state(model)
    result = tried(tmp_path_factory.mktemp("runs"), model, HEALTHY_PARTS, y=NUMBERS)
    return result, before, state(model)


@pytest.mark.parametrize("name", ["arch.custom-loss", "arch.custom-layers", "arch.gradient-check", "arch.dimensions"])
def test_a_healthy_model_passes(name, healthy):
    """Of its rules about experiments none complains."""
    result, _, _ = healthy
    found = [one.verdict for one in result.rules if one.checklist == name and one.rule > "ARCH050"]
    assert set(found) <= {"pass", "not_measured"}
    assert found.count("not_measured") == (name == "arch.dimensions")  # odd_sizes was not asked for
    assert notes(result, "custom_layers") == ""


def test_a_healthy_model_is_as_before(healthy):
    """Also by what computes in float64."""
    _, before, after = healthy
    assert before.keys() == after.keys()
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []
    assert (keras.config.floatx(), layers.Dense(1).dtype) == ("float32", "float32")


@pytest.mark.parametrize(
    ("layer", "rule"),
    [(Centered(0), "ARCH051"), (layers.Lambda(lambda x: ops.roll(x, 1, axis=0)), "ARCH051"), (Rows(), "ARCH052")],
    ids=["mean over the batch", "shift", "reshape"],
)
def test_samples_that_are_mixed_are_found(layer, rule, tmp_path):
    """By the gradient, by an exchange, and by the number of rows."""
    result = tried(tmp_path, network(layers.Dense(8, "relu"), layer), "samples_apart")
    assert row(result, "arch.dimensions") == "fail"
    assert verdicts(result, rule) == ["fail"]


def test_samples_of_words_are_kept_apart_too(tmp_path):
    """Inputs that have no gradient are exchanged."""
    words = RNG.integers(0, 9, (32, 5))
    stacks = {"pass": layers.Dense(4), "fail": Centered(0)}
    for verdict, layer in stacks.items():
        model = network(layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), layer, shape=(5,))
        assert verdicts(tried(tmp_path, model, "samples_apart", words, Y[:32]), "ARCH051") == [verdict]


class Spread(keras.losses.Loss):
    """Compares without a look at the shapes."""

    def call(self, y_true, y_pred):
        return ops.square(y_true - y_pred)


class SpreadByItself(Spread):
    """Does not leave it to Keras what is done around the comparison."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return ops.mean(self.call(y_true, y_pred))


@pytest.mark.parametrize("loss", [Spread, SpreadByItself])
def test_a_loss_that_broadcasts_is_found(loss, tmp_path):
    """Targets without a last axis are spread over the predictions; with it they are not."""
    sick = tried(tmp_path, regression(loss()), "losses_apart", y=NUMBERS[:, 0])
    assert verdicts(sick, "ARCH053", "ARCH054") == ["warn", "fail"]
    well = tried(tmp_path, regression(loss()), "losses_apart", y=NUMBERS)
    assert verdicts(well, "ARCH053", "ARCH054") == ["pass", "pass"]


def test_a_saturated_output_and_masked_steps_do_not_couple_samples(tmp_path):
    """Keras takes logits and masks from the tensor of a whole batch, and clips what a part of it says."""
    sure = tried(tmp_path, network(), "losses_apart", 300 * X)
    assert verdicts(sure, "ARCH053", "ARCH054") == ["pass", "pass"]
    words = np.where(np.arange(6) < RNG.integers(1, 7, (32, 1)), RNG.integers(1, 9, (32, 6)), 0)
    tagger = network(layers.Embedding(9, 4, mask_zero=True), layers.GRU(4, return_sequences=True), shape=(6,))
    masked = tried(tmp_path, tagger, "losses_apart", words, words % 3)
    assert verdicts(masked, "ARCH053", "ARCH054") == ["pass", "pass"]


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([layers.Conv2D(2, 3), layers.MaxPooling2D(), layers.Flatten()], "pass"),
        ([Transposed(), layers.Flatten()], "warn"),
        ([layers.Reshape((4, 9)), layers.Flatten()], "not_applicable"),
    ],
    ids=["convolution", "transposed", "one size"],
)
def test_axes_that_must_be_equally_long_are_found(stack, expected, tmp_path):
    """Layers that fit one size only say nothing about it."""
    result = tried(tmp_path, network(*stack, shape=(6, 6, 1)), "odd_sizes", IMAGES, Y[:32])
    assert verdicts(result, "ARCH055") == [expected]
    assert ("Transposed" in notes(result, "odd_sizes")) == (expected == "warn")


@pytest.mark.parametrize("layer", [Squared(), layers.Lambda(tf.stop_gradient)], ids=["custom", "stopped"])
def test_a_gradient_that_is_no_slope_is_found(layer, tmp_path):
    """The note names a variable in front of the layer."""
    result = tried(tmp_path, network(layers.Dense(8, name="front"), layer), "gradient_check")
    assert row(result, "arch.gradient-check") == "fail"
    assert "/front/" in notes(result, "gradient_check")


class Rounded(layers.Layer):
    """Has steps where it should have a slope; lets the gradient pass all the same, if it is told so."""

    def __init__(self, passing, **kwargs):
        super().__init__(**kwargs)
        self.passing = passing

    def call(self, x):
        return x + ops.stop_gradient(ops.round(x) - x) if self.passing else ops.round(x)


@pytest.mark.parametrize(("passing", "expected"), [(False, "fail"), (True, "pass")])
def test_weights_that_no_gradient_reaches_are_found(passing, expected, tmp_path):
    """Behind steps the slope is 0, and so the gradient is right; but it trains nothing."""
    result = tried(tmp_path, network(layers.Dense(8, "sigmoid", name="front"), Rounded(passing)), "gradient_check")
    assert verdicts(result, "ARCH095") == [expected]
    assert (row(result, "arch.frozen") == "fail") == (not passing)
    assert ("no gradient reaches" in notes(result, "gradient_check")) == (not passing)


def test_a_unit_at_its_kink_is_not_checked(tmp_path):
    """Black pixels and a bias of 0 put ReLU where it has two slopes; what lies behind it is checked all the same."""
    black = np.where(IMAGES > 0.5, IMAGES, 0)
    stack = (layers.Conv2D(4, 3, activation="relu"), layers.Flatten())
    result = tried(tmp_path, network(*stack, shape=(6, 6, 1)), "gradient_check", black, Y[:32])
    assert verdicts(result, "ARCH056", "ARCH057") == ["pass", "pass"]
    run = tfhealth.load_run(result.run.path)
    assert 0 < run.series(Probe(Site("experiment", "gradient_check"), "kinks")).values[0] < 0.5


class Sampled(Noisy):
    """Draws around a mean, as between the two halves of a variational autoencoder."""


def test_what_an_own_layer_draws_is_told_once(tmp_path):
    """It may be meant, and what compares two answers does not apply."""
    model = network(layers.Dense(8, "tanh"), Sampled())
    result = tried(tmp_path, model, ("test_mode", "samples_apart", "gradient_check", "custom_layers"))
    assert [(one.rule, one.verdict) for one in result.findings] == [("ARCH066", "warn")]


def test_a_loss_that_is_drawn_is_not_checked(tmp_path):
    """Finite differences of random numbers say nothing about a gradient."""
    result = tried(tmp_path, network(layers.Dense(8), Noisy()), "gradient_check")
    assert verdicts(result, "ARCH056", "ARCH057") == ["not_applicable"] * 2


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (lambda y, p: -ops.mean(ops.square(y - p), axis=-1), "ARCH062"),
        (lambda y, p: ops.mean(ops.square(y - 2 * p), axis=-1), "ARCH062"),
        (lambda y, p: ops.sqrt(ops.mean(ops.square(y - p), axis=-1)), "ARCH058"),
        (lambda y, p: ops.mean(ops.square(ops.stop_gradient(y - p)), axis=-1), "ARCH059"),
        (lambda y, p: careful(y, p) * ops.arange(ops.shape(p)[0], dtype=p.dtype), "ARCH060"),
        (lambda y, p: ops.mean(squared(y - p), axis=-1), "ARCH061"),
    ],
    ids=["sign", "factor", "root at zero", "stopped", "order", "gradient"],
)
def test_a_loss_of_your_own_that_is_wrong_is_found(loss, rule, tmp_path):
    """Each by the rule that is about it."""
    result = tried(tmp_path, regression(loss), ("custom_loss", "perfect_prediction"), y=NUMBERS)
    assert row(result, "arch.custom-loss") == "fail"
    assert verdicts(result, rule) == ["fail"]


def clipped(target, prediction):
    share = ops.sum(
        ops.one_hot(ops.cast(ops.reshape(target, (-1,)), "int32"), 3, dtype=prediction.dtype) * prediction, -1
    )
    return -ops.log(ops.clip(share, 1e-7, 1.0))


def test_classes_are_judged_by_a_loss_of_your_own(tmp_path):
    """A cross-entropy passes; without a clip it is not finite, and with the wrong sign it prefers the wrong class."""
    faults = {
        "ARCH058": lambda y, p: -ops.log(ops.take_along_axis(p, ops.cast(ops.reshape(y, (-1, 1)), "int32"), 1)[:, 0]),
        "ARCH062": lambda y, p: -clipped(y, p),
    }
    names = ("custom_loss", "perfect_prediction")
    assert row(tried(tmp_path, network(loss=clipped), names), "arch.custom-loss") == "pass"
    for rule, loss in faults.items():
        assert verdicts(tried(tmp_path, network(loss=loss), names), rule) == ["fail"]


@pytest.mark.parametrize(
    ("layer", "rule", "expected"),
    [
        (Squared(), "ARCH063", "fail"),
        (Centered(0), "ARCH064", "fail"),
        (Forgetful(1), "ARCH065", "pass"),
        (Forgetful(0), "ARCH065", "fail"),
        (Noisy(), "ARCH066", "warn"),
        (Dropping(False), "ARCH067", "warn"),
    ],
)
def test_a_layer_of_your_own_that_is_wrong_is_found(layer, rule, expected, tmp_path):
    """Each by the rule that is about it."""
    result = tried(tmp_path, network(layers.Dense(8, "tanh"), layer), "custom_layers")
    assert verdicts(result, rule) == [expected]


def test_keras_s_own_losses_and_layers_are_not_tried(tmp_path):
    """The rows say why they do not apply."""
    result = tried(tmp_path, network(layers.Dense(8)), ("custom_loss", "custom_layers"))
    reasons = {one.rule: one.reason for one in result.rules if one.verdict == "not_applicable"}
    assert reasons["ARCH058"] == "every loss is one of Keras's"
    assert reasons["ARCH063"] == "every layer is one of Keras's"


CLOSED = keras.initializers.Constant(-50.0)


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [(layers.Dense(16, "relu"), "pass"), (layers.Dense(16, "relu", bias_initializer=CLOSED), "fail")],
    ids=["open", "closed"],
)
def test_two_classes_are_learned(hidden, expected, tmp_path):
    """By a healthy model, and by none whose units are all dead."""
    x, y = np.tile(X, (2, 1)), np.tile(Y, 2)
    result = tried(tmp_path, network(hidden), ("two_classes", "one_head"), x, y)
    assert row(result, "arch.simpler-problem") == expected
    assert "tried alone: " in notes(result, "two_classes")


def headed(weights):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8,))
    hidden = layers.Dense(16, "relu")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, "softmax")(hidden), layers.Dense(1)(hidden)])
    model.compile(keras.optimizers.Adam(0.01), ["sparse_categorical_crossentropy", "mse"], loss_weights=weights)
    return model


@pytest.mark.parametrize(("scale", "expected"), [(1.0, "pass"), (1000.0, "warn")])
def test_an_output_that_another_one_spoils_is_found(scale, expected, tmp_path):
    """Beside targets in the thousands classes are not learned, alone they are."""
    result = tried(tmp_path, headed(None), "one_head", y=[Y, scale * NUMBERS])
    assert verdicts(result, "ARCH070") == [expected]


@pytest.mark.parametrize(("units", "expected"), [(32, "pass"), (1, "warn")])
def test_a_network_that_is_too_narrow_is_found(units, expected, tmp_path):
    """One unit cannot keep eight classes apart, and four can."""
    model = network(layers.Dense(units, "relu"), out=layers.Dense(8, "softmax"))
    result = tried(tmp_path, model, "wider_twin", BLOBS, MANY)
    assert verdicts(result, "ARCH072") == [expected]


@pytest.mark.parametrize(
    ("units", "rate", "expected", "first"),
    [(1, 1e-4, "fail", "ARCH096"), (2, 0.05, "pass", None), (32, 1e-4, "not_applicable", "GOLD001")],
)
def test_one_unit_in_front_of_many_is_found(units, rate, expected, first, tmp_path):
    """Where it keeps fifty samples from being learned it stands first; two may do, and many are not the cause."""
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(units, "tanh")
    model = network(hidden, out=layers.Dense(20, "softmax"), optimizer=keras.optimizers.Adam(rate))
    result = tried(tmp_path, model, "overfit_tiny, overfit_fifty", BLOBS, MANY)
    assert verdicts(result, "ARCH096") == [expected]
    assert next((one.rule for one in result.findings), None) == first


def test_a_rate_that_is_too_low_explains_more_than_one_unit(tmp_path):
    """The unit may do with another one."""
    model = network(layers.Dense(1), out=layers.Dense(20, "softmax"), optimizer=keras.optimizers.Adam(1e-7))
    result = tried(tmp_path, model, "overfit_fifty, learning_rate_range", BLOBS, MANY)
    assert [one.rule for one in result.findings][:2] == ["OPT051", "ARCH096"]
    assert result.findings[1].explained_by == ["OPT051"]


@pytest.mark.parametrize(
    ("strength", "clip", "expected", "named"),
    [(0.0, 1.0, "pass", ""), (10.0, None, "fail", "weight regularization")],
    ids=["mild", "strong"],
)
def test_the_extra_that_prevents_learning_is_named(strength, clip, expected, named, tmp_path):
    """The ladder puts them back one at a time."""
    penalty = keras.regularizers.L2(strength) if strength else None
    hidden = layers.Dense(16, "relu", kernel_regularizer=penalty)
    model = network(hidden, layers.Dropout(0.2), optimizer=keras.optimizers.SGD(0.2, clipnorm=clip))
    result = tried(tmp_path, model, "extras_ladder")
    assert verdicts(result, "ARCH073") == [expected]
    assert notes(result, "extras_ladder").endswith(named)
