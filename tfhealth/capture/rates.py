"""Optimizers at work in a tapped step -> their sites, and the learning rate that each of them uses in this step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.reductions import effects_of
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap
from tfhealth.packages import of_keras
from tfhealth.series import Attribute, Site

__all__ = ["locate", "rate_in_force"]

_Schedule = keras.optimizers.schedules.LearningRateSchedule


def rate_in_force(optimizer: Any) -> Any:
    """Return the learning rate that an optimizer would use now, float32 scalar; None where only its use would tell.

    Keras's own schedules are computed a second time, beside the optimizer. A schedule that somebody wrote may do more
    than compute, and is looked at first; a plain function has no number of the step to be asked with.

    Raises:
        ValueError: a schedule has effects, which a second use would have twice.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    given, iterations = inner._learning_rate, inner._iterations
    if not isinstance(given, _Schedule):
        return tf.cast(_value(given), tf.float32) if isinstance(given, keras.Variable) else None
    if of_keras(given):
        return tf.cast(given(iterations), tf.float32)
    step = _value(iterations)
    concrete = tf.function(given.__call__, autograph=False).get_concrete_function(tf.TensorSpec((), step.dtype))
    effects = [one for one in effects_of(concrete) if one != "ReadVariableOp"]
    if effects:
        raise ValueError(f"the schedule {type(given).__name__} does more than compute: {', '.join(effects)}")
    return tf.cast(concrete(step), tf.float32)


def _value(variable: Any) -> Any:
    return tf.identity(variable.value)


def locate(tap: Tap, note: Callable[[str, str], None]) -> list[Located]:
    """Return a site for each optimizer that was at work, in the order in which they were."""
    found: list[Located] = []
    known: dict[str, int] = {}
    for position, (optimizer, rate) in enumerate(tap.rates):
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        name = str(inner.name)
        known[name] = known.get(name, 0) + 1
        site = Site("optimizer", name if known[name] == 1 else f"{name}#{known[name]}")
        given = inner._learning_rate
        if rate is None:
            note(str(site), "its learning rate is a function, which only the optimizer may call")
        attributes: dict[str, Attribute] = {
            "class": type(inner).__name__,
            "schedule": type(given).__name__ if isinstance(given, _Schedule) else None,
            "scaled": inner is not optimizer,
            "position": position,
        }
        found.append(Located(site, rate, attributes))
    return found
