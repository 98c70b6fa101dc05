"""Models that no configuration makes again are cloned all the same, or it is said precisely why not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tfhealth
from tests.models import state
from tfhealth.preflight.clones import cloned
from tfhealth.preflight.source import gathered
from tfhealth.preflight.trial import Trial

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype("float32")
Y = X[:, :1] - X[:, 1:2]
TEXTS = np.array([["good day"], ["bad night"]] * 32)


def tried(folder, model, x, y, *names):
    return tfhealth.preflight(model, x, y, experiments=names, out=folder, formats="json", verbose=0)


def notes(result):
    return [one["why"] for one in result.notes if one["subject"].startswith("experiment")]


class Wide(keras.Model):
    """Takes an argument and has no `get_config`; a layer, a list of layers and a method are its attributes."""

    def __init__(self, units):
        super().__init__()
        self.first = layers.Dense(units, "relu")
        self.more = [layers.Dense(units, "relu"), layers.BatchNormalization()]
        self.loss_so_far = keras.metrics.Mean()
        self.last = layers.Dense(1)
        self.ending = self.end

    def end(self, x):
        return self.last(x)

    def call(self, x):
        x = self.first(x)
        for layer in self.more:
            x = layer(x)
        return self.ending(x)


class Building(keras.Model):
    """Makes its layers, and a weight of its own, when it is built."""

    def __init__(self, units=2):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.layer = layers.Dense(self.units)
        self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")
        self.built = True

    def call(self, x):
        return keras.ops.sum(self.layer(x), axis=-1, keepdims=True) * self.scale


class Closed(keras.Model):
    """Holds a function that holds the model."""

    def __init__(self, units):
        super().__init__()
        self.layer = layers.Dense(units)
        self.function = lambda x: self.layer(x)

    def call(self, x):
        return self.function(x)


class Gan(keras.Model):
    """Two networks, two optimizers, no `call` and no loss of its own."""

    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.seeds = keras.random.SeedGenerator(1)

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real):
        count = tf.shape(real)[0]
        one, zero = tf.ones((count, 1)), tf.zeros((count, 1))
        with tf.GradientTape(persistent=True) as tape:
            made = self.generator(keras.random.normal((count, 2), seed=self.seeds))
            fooled = self.loss_fn(one, self.discriminator(made))
            seen = self.loss_fn(one, self.discriminator(real)) + self.loss_fn(zero, self.discriminator(made))
        for loss, part, optimizer in (
            (fooled, self.generator, self.g_optimizer),
            (seen, self.discriminator, self.d_optimizer),
        ):
            weights = part.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"fooled": fooled, "seen": seen}


@pytest.mark.parametrize("kind", [Wide, Building])
def test_a_subclassed_model_is_cloned_without_a_configuration(kind):
    """Built by a training, with units that are not the default; the clone answers alike and shares nothing."""
    model = kind(5)
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    before, answers = state(model), model(X).numpy()
    trial = Trial(1, gathered(X, Y), None, float("inf"), model)
    clone = trial.model()
    assert np.array_equal(clone(X).numpy(), answers)
    assert {id(one) for one in clone.variables}.isdisjoint(id(one) for one in model.variables)
    trial.learn(clone, X, Y, 3)
    assert not np.array_equal(clone(X).numpy(), answers)
    after = state(model)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_cannot_have_a_twin_is_named(tmp_path):
    """A function that holds the model would train the caller's layers; the model has not failed a stage for that."""
    model = Closed(1)
    model.compile("adam", "mse")
    result = tried(tmp_path, model, X, Y, "smoke")
    assert [why.split(" a ")[0] for why in notes(result)] == ["not measured: TypeError: Closed.function:"]
    assert result.findings == []


def test_a_gan_is_tried_as_far_as_it_goes(tmp_path):
    """Its two optimizers are found in attributes of their names; without a call and a loss there is only the fit."""
    network = keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), layers.Dense(1)])
    model = Gan(network, keras.Sequential([keras.Input((2,)), layers.Dense(6)]))
    model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(True))
    before = state(model)
    clone = Trial(1, gathered(X), None, float("inf"), model).model()
    assert [float(one.learning_rate) for one in (clone.d_optimizer, clone.g_optimizer)] == pytest.approx([3e-4, 1e-3])
    assert clone.d_optimizer is not model.d_optimizer
    result = tried(tmp_path, model, X, None, "smoke", "overfit_tiny")
    assert result.findings == []
    assert sorted(why[:34] for why in notes(result)) == [
        "evaluate: Gan is compiled without ",
        "not measured: ValueError: the mode",
    ]
    assert all(np.array_equal(before[name], one) for name, one in state(model).items())


def test_an_argument_of_compile_that_is_kept_nowhere_is_named():
    """Then the model cannot be compiled once more."""

    class Forgetful(keras.Model):
        def compile(self, other):
            super().compile("sgd", "mse")

        def call(self, x):
            return x

    model = Forgetful()
    model.compile(other=3)
    with pytest.raises(TypeError, match=r"Forgetful.compile\(\) takes other, which no attribute of that name keeps"):
        Trial(1, gathered(X, X), None, float("inf"), model).model()


def test_a_clone_knows_what_adapt_found():
    """Mean and variance, also where its weights are fresh, and words with their weights."""
    normal = layers.Normalization()
    normal.adapt(100 * X + 50)
    model = keras.Sequential([keras.Input((6,)), normal, layers.Dense(1)])
    for fresh in (False, True):
        clone = cloned(model, X[:1], weights=not fresh)
        assert np.array_equal(clone.layers[0](X).numpy(), normal(X).numpy())
    words = tf.constant(TEXTS)
    for mode in ("int", "tf_idf"):
        vectors = layers.TextVectorization(20, output_mode=mode)
        vectors.adapt(words)
        clone = cloned(keras.Sequential([keras.Input((1,), dtype="string"), vectors]), words[:1])
        assert np.array_equal(clone(words).numpy(), vectors(words).numpy())


def test_text_is_read_by_the_model_itself(tmp_path):
    """Keras takes no arrays of text, and tables have none: what reads tables does not apply."""
    vectors = layers.TextVectorization(20, output_sequence_length=3)
    vectors.adapt(TEXTS)
    stack = [keras.Input((1,), dtype="string"), vectors, layers.Embedding(20, 4), layers.GlobalAveragePooling1D()]
    model = keras.Sequential([*stack, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    result = tried(tmp_path, model, tf.constant(TEXTS), np.array([1, 0] * 32), "smoke", "test_mode", "relation")
    assert (notes(result), [one for one in result.findings if one.verdict == "fail"]) == ([], [])
    said = {one.rule: one.verdict for one in result.rules}
    assert [said[one] for one in ("GOLD053", "GOLD054", "DATA055")] == ["pass", "pass", "not_applicable"]


def test_a_stateful_model_is_not_compared_with_itself(tmp_path):
    """It carries what it has seen from call to call; of its own batch size everything else is tried."""
    model = keras.Sequential([keras.Input((5, 2), batch_size=32), layers.GRU(4, stateful=True), layers.Dense(1)])
    model.compile("adam", "mse")
    result = tried(tmp_path, model, RNG.normal(size=(64, 5, 2)).astype("float32"), Y, "test_mode")
    said = {one.rule: one.verdict for one in result.rules}
    assert [said[one] for one in ("GOLD054", "GOLD055")] == ["not_applicable"] * 2
