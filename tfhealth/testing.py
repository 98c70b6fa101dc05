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

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.errors import UsageError
from tfhealth.experiments import Inapplicable, find
from tfhealth.preflight.run import check_model, preflight
from tfhealth.preflight.source import gathered, rows_of
from tfhealth.preflight.trial import Trial
from tfhealth.preflight.untouched import untouched

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

_SEED = 1234


def assert_overfits(model: Any, x: Any, y: Any = None, *, samples: int = 2, steps: int = 200, to: float = 0.1) -> None:
    """Assert that a few samples are learned by heart, without regularization, dropout and augmentation.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.
        samples: how many samples, from all over the data.
        steps: training steps, each on all of them.
        to: the share of the first loss that may be left at the end.

    Example:
        >>> assert_overfits(model, x_train, y_train)
    """
    with _trial(model, x, y) as trial:
        few = trial.sample(samples)
        losses = trial.learn(trial.model(plain=True), *few, steps, batch_size=samples)
    _that(
        losses[-1] <= to * losses[0],
        f"{samples} samples were not learned by heart: after {steps} steps the loss went from {losses[0]:.4g} to "
        f"{losses[-1]:.4g}, and at most {to:g} of it may be left",
    )


def assert_gradients_flow(model: Any, x: Any, y: Any = None) -> None:
    """Assert that the loss has a finite gradient with respect to every trainable variable, and none is zero.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used.
        y: targets, where x is arrays.

    Example:
        >>> assert_gradients_flow(model, x_train[:32], y_train[:32])
    """
    with _trial(model, x, y) as trial:
        clone, batch = trial.model(), trial.batch(trial.batch_size)
        clone.train_on_batch(*batch)  # builds what its first batch builds
        inputs, targets = (keras.tree.map_structure(tf.convert_to_tensor, part) for part in batch)
        with tf.GradientTape() as tape:
            loss = clone.compute_loss(x=inputs, y=targets, y_pred=clone(inputs, training=True))
        variables = [one.value for one in clone.trainable_variables]
        found = dict(zip([one.path for one in clone.trainable_variables], tape.gradient(loss, variables), strict=True))
    faults = [f"{path}: {fault}" for path, gradient in found.items() if (fault := _fault(gradient))]
    _that(not faults, "gradients do not flow:\n  " + "\n  ".join(faults))


def _fault(gradient: Any) -> str:
    if gradient is None:
        return "none, the loss does not depend on it"
    size = float(tf.linalg.global_norm([gradient]))
    return "not finite" if not math.isfinite(size) else "zero" if size == 0 else ""


def assert_gradients_match(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-3) -> None:
    """Assert that the gradients of a few weights of each variable agree with finite differences in float64.

    Args:
        model: a compiled model.
        x: what `fit` takes; eight samples are used.
        y: targets, where x is arrays.
        tolerance: the largest relative error.

    Raises:
        UsageError: the model cannot be checked; the text says why.

    Example:
        >>> assert_gradients_match(model, x_train[:32], y_train[:32])
    """
    told: list[str] = []
    with _trial(model, x, y, told.append) as trial:
        try:
            errors = find("gradient_check").run(trial)["error"]
        except Inapplicable as reason:
            raise UsageError(f"gradients cannot be checked: {reason}") from reason
    worst = max(errors)
    _that(worst <= tolerance, f"gradients are off by {worst:.3g}, at most {tolerance:g}: {'; '.join(told)}")


def assert_only_trainable_weights_move(model: Any, x: Any, y: Any = None) -> None:
    """Assert that one step of training changes every trainable variable, and no frozen one.

    Moving statistics, as of batch normalization, are no weights; they may change where their layer is trained.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used.
        y: targets, where x is arrays.

    Example:
        >>> assert_only_trainable_weights_move(model, x_train[:32], y_train[:32])
    """
    with _trial(model, x, y) as trial:
        clone, batch = trial.model(), trial.batch(trial.batch_size)
        clone.predict_on_batch(batch[0])  # builds what its first batch builds
        frozen = [one for layer in clone._flatten_layers() if not layer.trainable for one in layer.weights]
        before = {one.path: np.array(one) for one in clone.weights}
        clone.train_on_batch(*batch)
        moved = {one.path: not np.array_equal(before[one.path], np.array(one)) for one in clone.weights}
    stood = [one.path for one in clone.trainable_variables if not moved[one.path]]
    wandered = [path for path in dict.fromkeys(one.path for one in frozen) if moved[path]]
    _that(not stood, f"a step of training did not change {', '.join(stood)}, which may be trained")
    _that(not wandered, f"a step of training changed {', '.join(wandered)}, which is frozen")


def assert_predictions_repeat(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-6) -> None:
    """Assert that the same samples are predicted the same twice: nothing random is left on in test mode.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays; not used.
        tolerance: the largest difference, in units of the predictions' spread.

    Example:
        >>> assert_predictions_repeat(model, x_train[:32])
    """
    randomness = _in_test_mode(model, x, y, "randomness")
    what = "two predictions of the same samples differ by"
    _that(randomness <= tolerance, f"{what} {randomness:.3g} of the predictions' spread, at most {tolerance:g}")


def assert_healthy(
    model: Any, x: Any, y: Any = None, *, experiments: str | Sequence[str] = "quick", budget: float = 60.0
) -> None:
    """Assert that no rule fails on what a preflight shows; warnings are let pass, and nothing is written.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.
        experiments: "quick", "full" or names, as for `tfhealth.preflight`.
        budget: seconds for all of them together; what does not fit is not asserted.

    Example:
        >>> assert_healthy(model, x_train, y_train, experiments=["overfit_tiny", "smoke"])
    """
    with TemporaryDirectory() as folder:
        result = preflight(model, x, y, experiments, out=folder, formats="json", budget=budget, verbose=0)
    failing = [f"{one.rule}: {one.message}" for one in result.findings if one.verdict == "fail"]
    _that(not failing, "the preflight failed:\n  " + "\n  ".join(failing))


def assert_samples_independent(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-3) -> None:
    """Assert that what a sample is predicted does not depend on the other samples of its batch.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays; not used.
        tolerance: the largest difference, in units of the predictions' spread.

    Example:
        >>> assert_samples_independent(model, x_train[:32])
    """
    dependence = _in_test_mode(model, x, y, "dependence")
    _that(
        dependence <= tolerance,
        f"a sample alone is predicted something else than among others: {dependence:.3g} of the predictions' spread, "
        f"at most {tolerance:g}",
    )


def assert_outputs_depend_on_inputs(model: Any, x: Any, y: Any = None, *, tolerance: float = 1e-6) -> None:
    """Assert that different samples are predicted different things, by every output.

    Args:
        model: a compiled model.
        x: what `fit` takes; its first batch is used, of samples that differ.
        y: targets, where x is arrays; not used.
        tolerance: the smallest range over the batch, in units of the predictions' size.

    Example:
        >>> assert_outputs_depend_on_inputs(model, x_train[:32])
    """
    with _trial(model, x, y) as trial:
        predictions = trial.model().predict(trial.batch(trial.batch_size)[0], verbose=0)
    for number, one in enumerate(keras.tree.flatten(predictions)):
        spread, size = float(np.ptp(one, axis=0).max()), float(np.abs(one).max())
        _that(spread > tolerance * size, f"output {number} is the same for every sample: it varies by {spread:.3g}")


def assert_loss_at_chance(model: Any, x: Any, y: Any = None, *, tolerance: float = 0.5) -> None:
    """Assert that a classifier that was not trained yet has the loss of a guess: ln C over C classes.

    Args:
        model: a compiled model with one output and a cross-entropy.
        x: what `fit` takes.
        y: targets, where x is arrays.
        tolerance: by how much the loss may be off, as a share of ln C.

    Raises:
        UsageError: the targets are no classes, or there is only one.

    Example:
        >>> assert_loss_at_chance(model, x_train, y_train)
    """
    with _trial(model, x, y) as trial:
        classes = trial.classes
        if classes is None or not classes.any():
            raise UsageError("the targets are no classes of which there are several; there is no loss of a guess")
        clone, batch = trial.model(fresh=True, plain=True), trial.sample(256)
        loss = clone.evaluate(*batch, verbose=0, return_dict=True)["loss"]
        answer = clone.predict(rows_of(batch[0], np.arange(1)), verbose=0)
    chance = math.log(max(2, int(keras.tree.flatten(answer)[0].shape[-1])))
    _that(
        abs(loss - chance) <= tolerance * chance,
        f"the first loss is {loss:.4g}, and that of a guess {chance:.4g}; at most {tolerance:.0%} off is right",
    )


def assert_saves_and_loads(model: Any, x: Any, y: Any = None) -> None:
    """Assert that the model runs, saves in Keras's format, loads, and predicts the same afterwards.

    Args:
        model: a compiled model.
        x: what `fit` takes.
        y: targets, where x is arrays.

    Example:
        >>> assert_saves_and_loads(model, x_train[:64], y_train[:64])
    """
    told: list[str] = []
    with _trial(model, x, y, told.append) as trial:
        stages = find("smoke").run(trial)["stages"][0]
    _that(stages == 5, f"of fit, evaluate, predict, save and load {stages} ran: {'; '.join(told)}")


@contextmanager
def _trial(model: Any, x: Any, y: Any, note: Any = print) -> Iterator[Trial]:
    check_model(model)
    trial = Trial(_SEED, model, gathered(x, y), None, math.inf, note)
    with untouched(_SEED):
        yield trial


def _in_test_mode(model: Any, x: Any, y: Any, statistic: str) -> float:
    """Return one number of the experiment on predictions in test mode."""
    with _trial(model, x, y) as trial:
        return float(find("test_mode").run(trial)[statistic][0])


def _that(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
