"""A train step written by hand -> the same step in a loop that is watched, judged and reported as a fit is."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

from tfhealth.capture.callback import HealthCallback
from tfhealth.capture.handwritten import Loop
from tfhealth.capture.tap import current
from tfhealth.result import Result

__all__ = ["Watched", "watch"]


def watch(model: Any, optimizer: Any = None, *, epochs: int | None = None, **settings: Any) -> Watched:
    """Watch a loop that is written with `tf.GradientTape`.

    Args:
        model: the model that is trained, or a sequence of models.
        optimizer: what trains it, or a sequence of optimizers; the first one counts the steps.
        epochs: how many epochs the loop will run, where that is known.
        settings: as of `HealthCallback`.

    Raises:
        UsageError, RuleError: at once, for arguments and rules that cannot be meant.

    Example:
        >>> import keras, numpy as np, tensorflow as tf
        >>> import tfhealth
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> optimizer, mse = keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError()
        >>> @tf.function
        ... def train_step(x, y):
        ...     with tf.GradientTape() as tape:
        ...         loss = mse(y, model(x, training=True))
        ...     gradients = tape.gradient(loss, model.trainable_variables)
        ...     optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        ...     return loss
        >>> x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        >>> data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(16)
        >>> with tfhealth.watch(model, optimizer, formats="html", verbose=0) as watched:
        ...     step = watched.step(train_step)
        ...     for epoch in range(3):
        ...         losses = [float(step(x, y)) for x, y in data]
        ...         watched.epoch_end({"loss": np.mean(losses)})
        >>> watched.result.run.status
        'completed'
    """
    return Watched(Loop(model, optimizer), epochs, HealthCallback(**settings))


class Watched:
    """A loop that is watched, as long as its `with` block lasts; made by `watch`."""

    def __init__(self, loop: Loop, epochs: int | None, callback: HealthCallback) -> None:
        self._loop, self._callback = loop, callback
        self._epoch = self._batch = 0
        self._open = False
        callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
        callback.set_model(loop)

    def __enter__(self) -> Watched:
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        if error is None:
            self._callback.on_train_end()
        else:
            self._callback.close("interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed")

    @property
    def result(self) -> Result | None:
        """The verdict, after the block; None before."""
        return self._callback.result

    @property
    def run_dir(self) -> Path | None:
        """The run directory; None where there is none."""
        return self._callback.run_dir

    @property
    def stop_training(self) -> bool:
        """Whether a critical finding asks the loop to end, with `on_fail="stop"`."""
        return self._loop.stop_training

    def step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function to call in place of `function`: the same, but probed when it is due.

        Args:
            function: one training step, a `tf.function` or plain Python. The loss of the batch is the first scalar
                that it returns, or `"loss"` of a dictionary, unless it is told by `loss`.

        Raises:
            UsageError: a second step, or `exact=True` for one that is not a `tf.function`.
        """
        self._loop.take(function, self._callback.exact)
        self._callback.on_train_begin()
        self._callback.on_epoch_begin(0)

        @functools.wraps(function)
        def step(*args: Any, **kwargs: Any) -> Any:
            if not self._open:
                return function(*args, **kwargs)
            self._callback.on_train_batch_begin(self._batch)
            result = self._loop.train_function(itertools.repeat((args, kwargs)))
            self._callback.on_train_batch_end(self._batch)
            self._batch += 1
            return result

        return step

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator] # TensorFlow is untyped
    def loss(self, value: Any, y: Any = None, y_pred: Any = None) -> Any:
        """Say inside of the step what the loss of the batch is, and what it was computed from; return `value`."""
        tap = current()
        if tap is not None:
            tap.loss_told(value, y, y_pred)
        return value

    def epoch_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record an epoch that ended, with numbers to keep by name, e.g. `loss` and `val_loss`."""
        self._callback.on_epoch_end(self._epoch, logs or {})
        self._epoch, self._batch = self._epoch + 1, 0
        self._callback.on_epoch_begin(self._epoch)
