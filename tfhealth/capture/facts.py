"""A compiled model and the process around it -> fact sites: what would have to be known to repeat the training."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.capture.told import Facts, merged
from tfhealth.series import Attribute

__all__ = ["collect", "initial_step"]

_PACKAGES = ("tensorflow", "keras", "numpy", "tfhealth")


def initial_step(model: Any) -> int:
    """Return how many steps the model's optimizer has taken already."""
    optimizer = getattr(model, "optimizer", None)
    return int(optimizer.iterations.value.numpy()) if optimizer is not None else 0


def collect(
    model: Any, params: Mapping[str, Any], told: Sequence[Facts]
) -> tuple[dict[str, dict[str, Attribute]], list[tuple[str, str]]]:
    """Return {fact site: attributes} and (site, why) for what could not be recorded and what was told in vain.

    Args:
        model: the compiled model.
        params: what Keras tells callbacks: epochs, steps, verbose.
        told: further facts, from whoever called fit and from the person; later ones stand above earlier ones.
    """
    groups: dict[str, Callable[[], dict[str, Attribute]]] = {
        "model": lambda: _model(model),
        "optimizer": lambda: _optimizer(getattr(model, "optimizer", None)),
        "fit": lambda: _fit(model, params),
        "data": lambda: {"validation_share": None},  # only who called fit knows it
        "versions": _versions,
        "hardware": _hardware,
        "code": _code,
        "seed": _seed,
    }
    found: dict[str, dict[str, Attribute]] = {}
    failed: list[tuple[str, str]] = []
    for name, group in groups.items():
        try:
            found[name] = group()
        except Exception as error:
            failed.append((f"fact {name}", f"{type(error).__name__}: {error}"))
    found["tracking"] = {"unrecorded": len(failed)}
    facts, vain = merged(found, told)
    return facts, failed + vain


def _plain(value: Any) -> Attribute:
    return value if isinstance(value, str | bool | int | float | type(None)) else str(value)


def _model(model: Any) -> dict[str, Attribute]:
    facts: dict[str, Attribute] = {
        "name": str(model.name),
        "class": type(model).__name__,
        "built": bool(model.built),
        "layers": len(model.layers),
        "dtype_policy": str(model.dtype_policy.name),
        "metrics": ", ".join(str(name) for name in model.metrics_names),
    }
    if model.built:
        facts["parameters"] = int(model.count_params())
        facts["trainable_parameters"] = sum(math.prod(variable.shape) for variable in model.trainable_variables)
        facts["summary"] = "; ".join(f"{layer.name} ({type(layer).__name__})" for layer in model.layers[:200])
    return facts


def _optimizer(optimizer: Any) -> dict[str, Attribute]:
    if optimizer is None:
        return {"name": None}
    settings = optimizer.get_config()
    inner = settings.pop("inner_optimizer", None)
    if isinstance(inner, dict):
        settings |= inner.get("config", {})
    rate = settings.get("learning_rate")
    if isinstance(rate, dict):  # a rule on the rate must not take the text of a schedule for one
        settings |= {"learning_rate": None, "learning_rate_schedule": _schedule(rate)}
    elif isinstance(rate, float):  # it comes from a float32 variable: 0.001, and not 0.0010000000474974513
        settings["learning_rate"] = float(str(np.float32(rate)))
    return {key: _plain(value) for key, value in settings.items()} | {
        "name": str(settings.get("name", type(optimizer).__name__)),
        "class": type(optimizer).__name__,
    }


def _schedule(settings: Mapping[str, Any]) -> str:
    """Return a serialized learning rate schedule as one would write it."""
    given = settings.get("config") or {}
    return f"{settings.get('class_name')}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


def _fit(model: Any, params: Mapping[str, Any]) -> dict[str, Attribute]:
    custom = type(model).train_step not in (keras.Model.train_step, keras.Sequential.train_step)
    return {
        "initial_step": initial_step(model),
        "epochs": params.get("epochs"),
        "steps_per_epoch": params.get("steps"),
        "steps_per_execution": int(model.steps_per_execution),
        "jit_compile": bool(model.jit_compile),
        "run_eagerly": bool(model.run_eagerly),
        "custom_train_step": custom,
        "replicas": int(model.distribute_strategy.num_replicas_in_sync),
    }


def _versions() -> dict[str, Attribute]:
    found: dict[str, Attribute] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _hardware() -> dict[str, Attribute]:
    devices = [device.device_type for device in tf.config.list_physical_devices()]
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "gpus": devices.count("GPU"),
    }


def _code() -> dict[str, Attribute]:
    script = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None
    here = Path(sys.argv[0]).resolve().parent if script else Path.cwd()
    revision = _git(here, "rev-parse", "HEAD")
    return {
        "script": script,
        "arguments": " ".join(sys.argv[1:])[:500],
        "revision": revision,
        "local_changes": bool(_git(here, "status", "--porcelain", "--untracked-files=no")) if revision else None,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None where there is no repository, no git, or no answer in two seconds."""
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607
            cwd=folder if folder.is_dir() else None,
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _seed() -> dict[str, Attribute]:
    from keras.src.utils.rng_utils import get_random_seed  # Keras has no public way to ask

    return {"keras": _plain(get_random_seed())}
