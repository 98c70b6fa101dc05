"""Assertions for the tests of a project that trains networks: what any sound model and its data can do.

Each works on a clone of the compiled model, as `tfhealth.preflight` does: the model, its optimizer and the random state
are the same afterwards. Each raises `AssertionError` with the numbers that it saw, and `UsageError` for arguments that
cannot be meant. Use them in pytest or in any other framework:

    def test_model():
        model = build_model()
        assert_overfits(model, x_train, y_train)
        assert_gradients_flow(model, x_train[:32], y_train[:32])
"""

from __future__ import annotations

from tfhealth.testing.gradients import assert_gradients_flow, assert_gradients_match, assert_only_trainable_weights_move
from tfhealth.testing.predictions import (
    assert_outputs_depend_on_inputs,
    assert_predictions_repeat,
    assert_samples_independent,
)
from tfhealth.testing.training import assert_healthy, assert_loss_at_chance, assert_overfits, assert_saves_and_loads

__all__ = [
    "assert_gradients_flow",
    "assert_gradients_match",
    "assert_healthy",
    "assert_loss_at_chance",
    "assert_only_trainable_weights_move",
    "assert_outputs_depend_on_inputs",
    "assert_overfits",
    "assert_predictions_repeat",
    "assert_samples_independent",
    "assert_saves_and_loads",
]
