"""Something that is seldom done in a traced step -> one op that does it, or passes over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions import SCOPE

__all__ = ["call_if"]


def call_if(wanted: Any, act: Callable[[], None]) -> None:
    """Have `act` done where `wanted`, a bool scalar, holds.

    `tf.cond` makes the ops of its branches part of the step, whose executor visits all of them even where nothing is to
    be done. They stay a function of their own here, which is only called.
    """
    if tf.executing_eagerly():
        if wanted:
            act()
        return

    def taken() -> Any:
        with tf.name_scope(SCOPE):
            act()
        return tf.constant(True)

    then = tf.function(taken, autograph=False).get_concrete_function()
    given = then.captured_inputs
    signature = [tf.TensorSpec(one.shape, one.dtype, f"given_{number}") for number, one in enumerate(given)]
    otherwise = tf.function(lambda *_: tf.constant(False), input_signature=signature, autograph=False)
    tf.raw_ops.If(
        cond=wanted, input=given, Tout=[tf.bool], then_branch=then, else_branch=otherwise.get_concrete_function()
    )
