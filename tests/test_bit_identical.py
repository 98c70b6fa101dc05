"""Training is the same, bit for bit, with the callback and without it."""

import numpy as np
import pytest

from tests.models import KINDS, quiet, state, trained
from tfhealth import HealthCallback

each_kind = pytest.mark.parametrize("kind", KINDS)


def differences(one, other):
    """Return the names of what differs between two (model, history)."""
    (model, history), (twin, twin_history) = one, other
    a, b = state(model), state(twin)
    assert len(a) == len(b) > 4
    names = [name for name, twin_name in zip(a, b, strict=True) if not np.array_equal(a[name], b[twin_name])]
    return names + [name for name in history if not np.array_equal(history[name], twin_history[name])]


@each_kind
@pytest.mark.parametrize("executions", [1, 8])
def test_training_is_bit_identical(kind, executions, tmp_path):
    """Weights, optimizer, seeds and history are equal, with every step probed."""
    callback = HealthCallback(**quiet(tmp_path, every=1))
    plain = trained(kind, [], steps_per_execution=executions)
    watched = trained(kind, [callback], steps_per_execution=executions)
    assert differences(plain, watched) == []
    assert callback.result.run.probed_steps == 10


@pytest.mark.parametrize("kind", ["cnn", "lstm", "subclassed", "residual cnn"])
@pytest.mark.parametrize("executions", [1, 8])
def test_two_passes_are_bit_identical(kind, executions, tmp_path):
    """With exact=True statistics come from a second pass, and what it changed is put back."""
    callback = HealthCallback(**quiet(tmp_path, every=1, exact=True))
    plain = trained(kind, [], steps_per_execution=executions)
    watched = trained(kind, [callback], steps_per_execution=executions)
    assert differences(plain, watched) == []
    built_by_its_first_batch = kind == "subclassed"
    expected = 10 - (min(executions, 5) if built_by_its_first_batch else 0)
    assert callback.result.run.probed_steps == expected


@pytest.mark.parametrize("kind", ["dense", "cnn", "lstm", "subclassed"])
def test_eager_training_is_bit_identical(kind, tmp_path):
    """A step that runs eagerly is probed eagerly, and stays the same."""
    callback = HealthCallback(**quiet(tmp_path, every=2))
    plain = trained(kind, [], run_eagerly=True)
    assert differences(plain, trained(kind, [callback], run_eagerly=True)) == []
    assert callback.result.run.probed_steps == 5


@pytest.mark.parametrize("kind", ["cnn", "dense"])
def test_exact_keeps_the_promise_under_jit(kind, tmp_path):
    """With jit_compile=True the user's own executable does every update when exact=True."""
    callback = HealthCallback(**quiet(tmp_path, every=2, exact=True))
    plain = trained(kind, [], jit_compile=True)
    assert differences(plain, trained(kind, [callback], jit_compile=True)) == []
    assert callback.result.run.probed_steps == 5


def test_default_stays_within_rounding_under_jit(tmp_path):
    """With jit_compile=True and one pass the probed step may round differently, and no more than that."""
    model, history = trained("cnn", [], jit_compile=True)
    callback = HealthCallback(**quiet(tmp_path, every=1))
    watched, watched_history = trained("cnn", [callback], jit_compile=True)
    assert callback.result.run.probed_steps == 10
    np.testing.assert_allclose(history["loss"], watched_history["loss"], rtol=1e-4)
    for one, other in zip(model.trainable_weights, watched.trainable_weights, strict=True):
        # A bias in front of batch normalization has no gradient but rounding noise, which Adam makes steps of 1e-3 of.
        tolerance = 0.02 if "conv2d" in one.path and one.name == "bias" else 1e-3
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=tolerance)


def test_a_difference_would_be_seen(tmp_path):
    """The comparison does fail where training differs: another learning rate."""
    one, other = trained("dense", []), trained("dense", [], epochs=3)
    assert "loss" in differences(one, (other[0], other[1]))
    assert len(differences(one, other)) > 4
