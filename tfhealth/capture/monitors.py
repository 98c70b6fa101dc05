"""The other callbacks of a fit -> which of them wait for the worse, and for what Keras never logs, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tfhealth.series import Attribute

__all__ = ["Monitors"]

_MONITORING = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)


class Monitors:
    """Callbacks that act on a logged value, watched from the beginning of a fit to its end.

    Args:
        callbacks: all that `fit` was given.
        model: what is trained.
    """

    def __init__(self, callbacks: Sequence[Any], model: Any) -> None:
        self._model, self._given = model, callbacks
        self._found = [one for one in callbacks if isinstance(one, _MONITORING) and _monitors(one)]
        self._rate = _rate(model)

    def facts(self, logged: Collection[str]) -> dict[str, Attribute]:
        """Return which callbacks wait for the worse and which of these have acted on it, and which wait in vain.

        Args:
            logged: the names in the logs of the epochs that ended.
        """
        opposed = [one for one in self._found if one.monitor in logged and self._is_opposed(one)]
        acted = [one for one in opposed if self._acted(one)]
        return {
            "given": ", ".join(type(one).__name__ for one in self._given) or "none",
            "opposed": _named(one for one in opposed if one not in acted),
            "acted_opposed": _named(acted),
            "waiting_in_vain": _named(one for one in self._found if one.monitor not in logged),
        }

    def _is_opposed(self, callback: Any) -> bool:
        better = _better(callback.monitor, self._model)
        return callback.mode in ("min", "max") and better is not None and callback.mode != better

    def _acted(self, callback: Any) -> bool:
        """Tell whether a callback has stopped the training, lowered the rate, or kept an epoch."""
        if isinstance(callback, keras.callbacks.EarlyStopping):
            return int(callback.stopped_epoch) > 0
        if isinstance(callback, keras.callbacks.ReduceLROnPlateau):
            rate = _rate(self._model)
            return rate is not None and self._rate is not None and rate < self._rate
        return True


def _monitors(callback: Any) -> bool:
    """Tell whether a callback acts on what it monitors: a checkpoint that keeps every epoch does not."""
    return not isinstance(callback, keras.callbacks.ModelCheckpoint) or bool(callback.save_best_only)


def _better(monitor: str, model: Any) -> str | None:
    """Return which of the values of a logged name is the better one, min or max; None where Keras does not know.

    Several outputs have their names before those of their losses and metrics.
    """
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return "min"
    for metric in _metrics(model):
        direction = getattr(metric, "_direction", None)
        if direction is not None and (name == metric.name or name.endswith(f"_{metric.name}")):
            return "max" if direction == "up" else "min"
    return None


def _metrics(model: Any) -> Iterator[Any]:
    """Yield the metrics of a model, those within what `compile` makes of several among them."""
    for metric in model.metrics:
        yield from getattr(metric, "metrics", None) or [metric]


def _rate(model: Any) -> float | None:
    """Return the learning rate of a model's optimizer; None where there is no such number."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return None if rate is None else float(np.asarray(rate))


def _named(callbacks: Iterable[Any]) -> str:
    found = (f"{type(one).__name__}(monitor={one.monitor!r}, mode={one.mode!r})" for one in callbacks)
    return ", ".join(found) or "none"
