"""What was kept of a step -> a compiled model that holds it; made from its own description, or given by the user."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import keras

from tfhealth.capture.exact import optimizers
from tfhealth.capture.keep import state
from tfhealth.capture.kept import Kept
from tfhealth.errors import UsageError

__all__ = ["from_file", "put_back", "rebuilt"]

_WAYS_OUT = "Give the model: `tfhealth replay RUN --model FILE.py:FUNCTION`, or `tfhealth.replay(run, model)`."
_PLAIN = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__")
_DEEPEST = 200


def rebuilt(kept: Kept) -> Any:
    """Return the model of a kept step, made from the description of it in the run directory.

    The description is not trusted: only what Keras itself has is made, and nothing that holds code.

    Raises:
        UsageError: there is none, it names something else, or Keras cannot make it.
    """
    if kept.hand_written:
        what = "A loop written by hand is replayed with its step: `tfhealth.replay(run, model, optimizer, step=step)`."
        raise UsageError(what)
    if kept.model is None:
        raise UsageError(f"The run has no description of the model. {_WAYS_OUT}")
    own = _foreign(kept.model)
    if own:
        listed = ", ".join(dict.fromkeys(own[:5]))
        raise UsageError(f"The model has parts that are not Keras's own, and are not loaded: {listed}. {_WAYS_OUT}")
    try:
        return keras.saving.deserialize_keras_object(kept.model, custom_objects={}, safe_mode=True)
    except Exception as error:  # a description may be wrong in any way
        what = f"The model cannot be made from its description ({type(error).__name__}: {error})."
        raise UsageError(f"{what} {_WAYS_OUT}") from error


def _foreign(config: Any, depth: int = 0) -> list[str]:
    """Return the names of everything in a description that is not of Keras."""
    if depth > _DEEPEST:
        return ["something nested too deeply"]
    if isinstance(config, list):
        return [name for one in config for name in _foreign(one, depth + 1)]
    if not isinstance(config, dict):
        return []
    found = [name for one in config.values() for name in _foreign(one, depth + 1)]
    name = config.get("class_name")
    if not isinstance(name, str) or "config" not in config or name in _PLAIN:
        return found
    module = config.get("module")
    if isinstance(module, str) and (module == "keras" or module.startswith("keras.")):
        return found
    shown = config["config"] if name == "function" else name
    return [str(shown)[:80], *found]


def from_file(told: str) -> Any:
    """Return what a function in a Python file returns: `told` is `FILE.py:FUNCTION`.

    Raises:
        UsageError: there is no such file or function, or it returns no model.
    """
    path, _, name = told.rpartition(":")
    if not path or not name.isidentifier():
        raise UsageError(f"--model: {told!r} is not FILE.py:FUNCTION.")
    if not Path(path).is_file():
        raise UsageError(f"--model: {path}: no such file.")
    function = runpy.run_path(path, run_name=Path(path).stem).get(name)
    if not callable(function):
        raise UsageError(f"--model: {path} has no function {name!r}.")
    model = function()
    if not isinstance(model, keras.Model):
        raise UsageError(f"--model: {name} returned a {type(model).__name__}, not a keras.Model.")
    return model


def put_back(kept: Kept, model: Any) -> None:
    """Give every variable of `model` and its optimizers the value that it had before the step.

    Args:
        kept: what was kept of the step.
        model: the model, or a loop, whose variables all exist.

    Raises:
        UsageError: its variables are not those that were kept.
    """
    for optimizer in optimizers(model):
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    own = state(model)
    if len(own) != len(kept.state):
        raise UsageError(
            f"The model has {len(own)} variables, with those of its optimizer; {len(kept.state)} were kept."
        )
    for (variable, raw), (told, value) in zip(own, kept.state, strict=True):
        if (variable.group, variable.shape, variable.dtype) != (told.group, told.shape, told.dtype):
            has, was = f"{variable.path} {variable.shape}", f"{told.path} {told.shape}"
            raise UsageError(f"This is not the model that was trained: it has {has} {variable.dtype}, kept was {was}.")
        raw.assign(value)
