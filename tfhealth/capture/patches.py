"""Keras's classes -> the same classes handing their tensors to the tap, for the length of a `with`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.tap import Tap, Updated, current

__all__ = ["installed"]

_lock = threading.RLock()
_users = 0
_undo: list[Callable[[], None]] = []


@contextmanager
def installed(model: Any) -> Iterator[None]:
    """Patch what a train step of `model` calls; undone when the last such block ends, however it ends."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _install()
    loss = _patch_loss(model)
    try:
        yield
    finally:
        loss()
        with _lock:
            _users -= 1
            if _users == 0:
                while _undo:
                    _undo.pop()()


def _install() -> None:
    _replace(keras.Layer, "__call__", _layer_call)
    for optimizer in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer):
        _replace(_definer(optimizer, "apply"), "apply", _apply)


def _definer(cls: type, name: str) -> type:
    """Return the class in the ancestry of `cls` that defines `name`."""
    return next(one for one in cls.__mro__ if name in vars(one))


def _replace(owner: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = vars(owner)[name]
    wrapped = functools.wraps(original)(wrap(original))
    setattr(owner, name, wrapped)
    _undo.append(lambda: setattr(owner, name, original))


def _quietly(tap: Tap, subject: str, act: Callable[[], None]) -> None:
    """Run our own bookkeeping; whatever it raises is noted and never reaches the user's step."""
    try:
        act()
    except Exception as error:
        tap.errors.append((subject, error))


def _layer_call(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - stands in for Keras's own
        tap = current()
        if tap is None:
            return original(layer, *args, **kwargs)
        with tap.inside(layer):
            outputs = original(layer, *args, **kwargs)
        _quietly(tap, "activation", lambda: tap.layer_called(layer, (args, kwargs), outputs))
        return outputs

    return __call__


def _apply(original: Callable[..., Any]) -> Callable[..., Any]:
    def apply(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
        tap = current()
        if tap is None or getattr(tap, "_applying", False):
            return original(optimizer, grads, trainable_variables)
        grads = list(grads)
        variables = list(optimizer._trainable_variables if trainable_variables is None else trainable_variables)
        before: list[Any] = []
        _quietly(tap, "update", lambda: before.extend(_read(one) for one in variables))
        scale = _loss_scale(optimizer)
        tap._applying = True  # type: ignore[attr-defined] # a LossScaleOptimizer applies its inner one
        try:
            result = original(optimizer, grads, variables)
        finally:
            tap._applying = False  # type: ignore[attr-defined]
        _quietly(tap, "update", lambda: _note_updates(tap, variables, grads, before, scale))
        return result

    return apply


def _read(variable: Any) -> Any:
    """Return the variable's value now, as a tensor that later assignments do not change."""
    return tf.identity(variable.value if hasattr(variable, "value") and not callable(variable.value) else variable)


def _loss_scale(optimizer: Any) -> Any:
    """Return what the gradients are multiplied by, or None."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _read(optimizer.dynamic_scale) if optimizer.built else tf.constant(optimizer.initial_scale)
    return optimizer.loss_scale_factor


def _note_updates(tap: Tap, variables: list[Any], grads: list[Any], before: list[Any], scale: Any) -> None:
    for variable, gradient, old in zip(variables, grads, before, strict=True):
        tap.updates.append(Updated(variable, gradient, old, _read(variable), scale))


def _patch_loss(model: Any) -> Callable[[], None]:
    """Hand the model's total loss and its compiled loss to the tap; return what undoes it."""
    undo: list[Callable[[], None]] = []
    _shadow(type(model), "compute_loss", _compute_loss, undo)
    compiled = getattr(model, "_compile_loss", None)
    if compiled is not None:
        _shadow(type(compiled), "__call__", _compiled_loss, undo)

    def restore() -> None:
        while undo:
            undo.pop()()

    return restore


def _shadow(
    cls: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]], undo: list[Callable[[], None]]
) -> None:
    with _lock:
        owner = _definer(cls, name)
        original = vars(owner)[name]
        setattr(owner, name, functools.wraps(original)(wrap(original)))
    undo.append(lambda: setattr(owner, name, original))


def _compute_loss(original: Callable[..., Any]) -> Callable[..., Any]:
    def compute_loss(
        model: Any, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, **rest: Any
    ) -> Any:
        total = original(model, x, y, y_pred, sample_weight, **rest)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: tap.loss_computed(y, y_pred, sample_weight, total))
        return total

    return compute_loss


def _compiled_loss(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(loss: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - stands in for Keras's own
        value = original(loss, *args, **kwargs)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: tap.data_loss_computed(value))
        return value

    return __call__
