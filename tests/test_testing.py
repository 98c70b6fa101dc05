"""`tfhealth.testing`: each assertion holds for a sound model, and says the numbers for a broken one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from tests.models import state
from tfhealth import UsageError
from tfhealth.testing import (
    assert_gradients_flow,
    assert_gradients_match,
    assert_healthy,
    assert_loss_at_chance,
    assert_only_trainable_weights_move,
    assert_outputs_depend_on_inputs,
    assert_overfits,
    assert_predictions_repeat,
    assert_samples_independent,
    assert_saves_and_loads,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)


def network(*hidden, rate=0.01, loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


class Mixed(layers.Layer):
    """Subtracts the mean over the batch."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0)


class Numbered(layers.Layer):
    """Has a state that is no variable."""

    def build(self, shape):
        self.scale = float(np.random.default_rng().uniform(2, 3))

    def call(self, inputs):
        return inputs * self.scale


class Jittering(layers.Layer):
    """Adds noise in test mode too."""

    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))


@keras.ops.custom_gradient
def halved(inputs):
    """Return the inputs, and half of their gradient."""
    return inputs, lambda *args, upstream=None: 0.5 * (args[0] if upstream is None else upstream)


class Halving(layers.Layer):
    """Has a gradient of its own, which is wrong."""

    def call(self, inputs):
        return halved(inputs)


CUT = {"kernel_initializer": "zeros", "activation": "relu", "bias_initializer": keras.initializers.Constant(-1.0)}
WIDE = keras.initializers.RandomNormal(stddev=30.0)

SICK = {
    assert_overfits: (network(layers.Dense(8, "relu"), rate=0.0), "2 samples were not learned by heart"),
    assert_gradients_flow: (network(layers.Dense(8, **CUT)), r"gradients do not flow:\n  .*kernel: zero"),
    assert_samples_independent: (
        network(layers.Dense(8, "relu"), Mixed()),
        "a sample alone is predicted something else",
    ),
    assert_outputs_depend_on_inputs: (network(layers.Dense(8, **CUT)), "output 0 is the same for every sample"),
    assert_loss_at_chance: (network(layers.Dense(64, kernel_initializer=WIDE)), "that of a guess 1.099"),
    assert_saves_and_loads: (network(Numbered()), "predicts something else"),
    assert_gradients_match: (network(layers.Dense(8, "tanh"), Halving()), r"gradients are off by 0\.5"),
    assert_only_trainable_weights_move: (
        network(layers.Dense(8, **CUT)),
        r"a step of training did not change \S*dense_?\d*/kernel",
    ),
    assert_predictions_repeat: (network(Jittering()), "two predictions of the same samples differ by"),
}


@pytest.mark.parametrize("check", SICK, ids=lambda check: check.__name__)
def test_a_sound_model_passes_and_is_not_touched(check):
    """Weights, optimizer and random state are as before."""
    model = network(layers.Dense(32, "relu"), layers.Dropout(0.2))
    before = {name: np.array(value) for name, value in state(model).items()}
    np.random.seed(5)
    expected = np.random.RandomState(5).uniform()
    check(model, X, Y)
    assert np.random.uniform() == expected
    after = state(model)
    assert [name for name, value in before.items() if not np.array_equal(value, after[name])] == []


@pytest.mark.parametrize("check", SICK, ids=lambda check: check.__name__)
def test_a_broken_model_is_told_with_its_numbers(check):
    """The text is that of an assertion in a test."""
    model, expected = SICK[check]
    with pytest.raises(AssertionError, match=expected):
        check(model, X, Y)


def test_a_preflight_is_an_assertion_too():
    """Of what fails every rule is told; a sound model passes."""
    assert_healthy(network(layers.Dense(32, "relu")), X, Y, experiments=["smoke"])
    with pytest.raises(
        AssertionError, match=r"the preflight failed:\n(?s:.*)  GOLD001: Trained for 200 steps on nothing but"
    ):
        assert_healthy(network(layers.Dense(8, "relu"), rate=0.0), X, Y, experiments=["overfit_tiny"])


def test_frozen_weights_do_not_count_as_standing_still():
    """Only what may be trained has to move."""
    frozen = layers.Dense(8, "relu", trainable=False)
    assert_only_trainable_weights_move(network(frozen, layers.Dense(8)), X, Y)


def test_arguments_that_cannot_be_meant_are_refused():
    """A model that was not compiled, and targets that are no classes."""
    with pytest.raises(UsageError, match="the model is not compiled"):
        assert_overfits(keras.Sequential([layers.Dense(1)]), X, Y)
    with pytest.raises(UsageError, match="the targets are no classes"):
        assert_loss_at_chance(network(loss="mse"), X, RNG.normal(size=(64, 3)))
