"""Keras's classes -> the same classes handing their tensors to the tap, for the length of a `with`."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.rates import rate_in_force
from tfhealth.capture.sampling import sampled_rows
from tfhealth.capture.tap import Tap, Updated, current

__all__ = ["installed", "replaced"]

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]

_lock = threading.RLock()
_patched: dict[tuple[type, str], tuple[int, Any]] = {}  # what is patched -> how many blocks use it, and the original


@contextmanager
def installed(model: Any) -> Iterator[None]:
    """Patch what a train step of `model` calls; each patch is undone when the last such block ends, however it ends.

    Replicas are traced in threads of their own, whose blocks overlap.
    """
    with replaced(_places(model)):
        yield


@contextmanager
def replaced(places: Iterable[tuple[type, str, Wrap]]) -> Iterator[None]:
    """Wrap methods, given as (class, method, wrapper), for the length of the block, in the class that has them.

    A method that is not there is left out.
    """
    put: list[tuple[type, str]] = []
    try:
        for cls, name, wrap in places:
            owner = next((one for one in cls.__mro__ if name in vars(one)), None)
            if owner is not None:
                _replace(owner, name, wrap)
                put.append((owner, name))
        yield
    finally:
        for owner, name in reversed(put):
            _restore(owner, name)


def _places(model: Any) -> list[tuple[type, str, Wrap]]:
    """Return (class, method, wrapper) for what a step of the model may call."""
    optimizer, scaled = keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer
    compiled = getattr(model, "_compile_loss", None)  # None: its class has no such method
    return [
        (keras.Layer, "__call__", _layer_call),
        (optimizer, "apply", _apply),
        (scaled, "apply", _apply),
        (optimizer, "_all_reduce_sum_gradients", _all_reduce),
        (keras.losses.Loss, "__call__", _loss_call),
        (tf.GradientTape, "gradient", _gradient),
        (tf.distribute.Strategy, "run", _strategy_run),
        (type(model), "compute_loss", _compute_loss),
        (type(compiled), "__call__", _compiled_loss),
    ]


def _replace(owner: type, name: str, wrap: Wrap) -> None:
    with _lock:
        users, original = _patched.get((owner, name), (0, vars(owner)[name]))
        if not users:
            setattr(owner, name, _wrapped(wrap, original))
        _patched[owner, name] = users + 1, original


@functools.lru_cache(maxsize=64)  # some are put in place at every probed step
def _wrapped(wrap: Wrap, original: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(original)(wrap(original))


def _restore(owner: type, name: str) -> None:
    with _lock:
        users, original = _patched.pop((owner, name))
        if users > 1:
            _patched[owner, name] = users - 1, original
        else:
            setattr(owner, name, original)


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
        if tap is None or tap.applying:
            return original(optimizer, grads, trainable_variables)
        grads = list(grads)
        given = None if trainable_variables is None else list(trainable_variables)
        variables = list(optimizer._trainable_variables) if given is None else given
        before: list[Any] = []
        _quietly(tap, "update", lambda: before.extend(_read(one) for one in variables))
        scale = _loss_scale(optimizer)
        _quietly(tap, "optimizer", lambda: tap.rate_used(optimizer, rate_in_force(optimizer)))
        tap.applying, tap.reduced = True, {}  # a LossScaleOptimizer applies its inner one
        try:
            result = original(optimizer, grads, given)
        finally:
            tap.applying = False
        _quietly(tap, "update", lambda: _note_updates(tap, optimizer, variables, grads, before, scale))
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            _quietly(tap, "loss scale", lambda: tap.scale_adapted(scale, _read(optimizer.dynamic_scale)))
        return result

    return apply


def _read(variable: Any) -> Any:
    """Return the variable's value now, as a tensor that later assignments do not change; of a large one some rows."""
    raw = _raw(variable)
    rows = sampled_rows(raw.shape)
    return tf.convert_to_tensor(raw) if rows is None else tf.gather(raw, rows)


def _raw(variable: Any) -> Any:
    return variable.value if hasattr(variable, "value") and not callable(variable.value) else variable


def _loss_scale(optimizer: Any) -> Any:
    """Return what the gradients are multiplied by, or None."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _read(optimizer.dynamic_scale) if optimizer.built else tf.constant(optimizer.initial_scale)
    return optimizer.loss_scale_factor


def _note_updates(
    tap: Tap, optimizer: Any, variables: list[Any], grads: list[Any], before: list[Any], scale: Any
) -> None:
    for variable, gradient, old in zip(variables, grads, before, strict=True):
        whole = tap.reduced.get(id(_raw(variable)))
        if whole is None:
            tap.updates.append(Updated(variable, gradient, old, _read(variable), scale, optimizer=optimizer))
        else:  # Keras takes the loss scale off before it adds up the replicas' parts
            tap.updates.append(Updated(variable, whole, old, _read(variable), None, whole=True, optimizer=optimizer))


def _all_reduce(original: Callable[..., Any]) -> Callable[..., Any]:
    def _all_reduce_sum_gradients(optimizer: Any, grads_and_vars: Any) -> Any:
        reduced = original(optimizer, grads_and_vars)
        tap = current()
        if tap is not None and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            _quietly(tap, "gradient", lambda: tap.gradients_reduced(reduced))
        return reduced

    return _all_reduce_sum_gradients


def _compute_loss(original: Callable[..., Any]) -> Callable[..., Any]:
    def compute_loss(model: Any, *args: Any, **kwargs: Any) -> Any:
        total = original(model, *args, **kwargs)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: _note_loss(tap, original, (model, *args), kwargs, total))
        return total

    return compute_loss


def _note_loss(tap: Tap, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], total: Any) -> None:
    """Hand on the loss and what it was computed from, by the names that Keras gives to the arguments."""
    given = inspect.signature(method).bind(*args, **kwargs).arguments
    added = [one for layer in args[0]._flatten_layers() for one in layer._get_own_losses()]
    tap.loss_computed(given.get("y"), given.get("y_pred"), given.get("sample_weight"), total, added)


def _loss_call(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(loss: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - stands in for Keras's own
        value = original(loss, *args, **kwargs)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: tap.loss_called(loss, value, *args, **kwargs))
        return value

    return __call__


def _compiled_loss(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(loss: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - stands in for Keras's own
        value = original(loss, *args, **kwargs)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: tap.data_loss_computed(value))
        return value

    return __call__


def _gradient(original: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        found = original(tape, target, sources, *args, **kwargs)
        tap = current()
        if tap is not None:
            _quietly(tap, "loss", lambda: tap.loss_differentiated(target, sources))
        return found

    return gradient


def _strategy_run(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(strategy: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        tap = current()
        if tap is None:
            return original(strategy, fn, *args, **kwargs)
        tap.handed_out = True
        return original(strategy, tap.replica(fn), *args, **kwargs)

    return run
