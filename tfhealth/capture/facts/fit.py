"""A compiled model -> the facts of how it is trained: `compile`, `optimizer`, `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfhealth.capture.layers import snake_case
from tfhealth.packages import of_keras
from tfhealth.series import Attribute

__all__ = ["compile_facts", "fit_facts", "initial_step", "is_custom", "optimizer_facts"]


def initial_step(model: Any) -> int:
    """Return how many steps the model's optimizer has taken already; of accumulated gradients each batch is one."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return 0
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return int(np.asarray(inner.iterations)) * (inner.gradient_accumulation_steps or 1)


def _plain(value: Any) -> Attribute:
    return value if isinstance(value, str | bool | int | float | type(None)) else str(value)


def compile_facts(model: Any) -> dict[str, Attribute]:
    """Return what `compile` was told; empty where Keras keeps it not, as after a `compile` of the model's own."""
    kept = getattr(model, "_compile_config", None)
    given = getattr(kept, "config", None)
    if given is None:
        return {}
    losses = _leaves(given.get("loss"))
    weights = given.get("loss_weights")
    return {
        "loss": _listed(losses),
        "from_logits": _from_logits(losses),
        "custom_loss": any(is_custom(one) for one in losses),
        "loss_weights": None if weights is None else str(weights)[:200],
        "metrics": _listed(_leaves(given.get("metrics"))) or "none",
        "weighted_metrics": _listed(_leaves(given.get("weighted_metrics"))),
    }


def _leaves(value: Any) -> list[Any]:
    return [one for one in keras.tree.flatten(value) if one is not None]


def _listed(values: list[Any]) -> str | None:
    return ", ".join(_called(one) for one in values) or None


def _called(value: Any) -> str:
    """Return the name of a loss or metric: as it was written, or in snake case of its class."""
    if isinstance(value, str):
        return value
    if isinstance(value, keras.losses.Loss | keras.metrics.Metric):
        return snake_case(type(value).__name__)
    return str(getattr(value, "__name__", type(value).__name__))


def _from_logits(losses: list[Any]) -> bool | None:
    """Tell whether any loss takes logits; a loss by name takes none, and of a function nobody knows."""
    found = [False if isinstance(one, str) else getattr(one, "from_logits", None) for one in losses]
    if any(one is True for one in found):
        return True
    classes = all(isinstance(one, str | keras.losses.Loss) for one in losses)
    return False if losses and classes else None


def is_custom(loss: Any) -> bool:
    """Tell whether a loss is none of Keras's own."""
    return not isinstance(loss, str) and not of_keras(loss)


def optimizer_facts(optimizer: Any) -> dict[str, Attribute]:
    """Return the class of an optimizer and every setting; those of the one inside where the loss is scaled."""
    if optimizer is None:
        return {"name": None}
    settings = optimizer.get_config()
    inner = settings.pop("inner_optimizer", None)
    if isinstance(inner, dict):
        settings |= inner.get("config", {})
    rate = settings.get("learning_rate")
    schedule: dict[str, Attribute] = {}
    if isinstance(rate, dict):  # a rule on the rate must not take the text of a schedule for one
        settings |= {"learning_rate": None, "learning_rate_schedule": _schedule(rate)}
        schedule = _schedule_settings(rate)
    elif isinstance(rate, float):  # it comes from a float32 variable: 0.001, and not 0.0010000000474974513
        settings["learning_rate"] = float(str(np.float32(rate)))
    return {key: _plain(value) for key, value in settings.items()} | {
        "name": str(settings.get("name", type(optimizer).__name__)),
        "class": type(optimizer).__name__,
        "inner_class": str(inner.get("class_name")) if isinstance(inner, dict) else None,
        "scheduled": isinstance(rate, dict),
        "clipped": any(settings.get(name) is not None for name in ("clipnorm", "global_clipnorm", "clipvalue")),
        **schedule,
    }


def _schedule(settings: Mapping[str, Any]) -> str:
    """Return a serialized learning rate schedule as one would write it."""
    given = settings.get("config") or {}
    return f"{settings.get('class_name')}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


def _schedule_settings(settings: Mapping[str, Any]) -> dict[str, Attribute]:
    """Return the class of a serialized schedule and its settings, each a fact of its own."""
    given = settings.get("config") or {}
    own = {f"schedule_{key}": _plain(value) for key, value in given.items() if key != "name"}
    return {"schedule": str(settings.get("class_name")), **own}


def fit_facts(model: Any, params: Mapping[str, Any]) -> dict[str, Attribute]:
    """Return what a callback sees of a call of `fit`."""
    custom = type(model).train_step not in (keras.Model.train_step, keras.Sequential.train_step)
    epochs, steps = params.get("epochs"), params.get("steps")
    return {
        "initial_step": initial_step(model),
        "epochs": epochs,
        "steps_per_epoch": steps,
        "steps": epochs * steps if epochs and steps else None,
        "steps_per_execution": int(model.steps_per_execution),
        "jit_compile": bool(model.jit_compile),
        "run_eagerly": bool(model.run_eagerly),
        "custom_train_step": custom,
        "replicas": int(model.distribute_strategy.num_replicas_in_sync),
        "strategy": type(model.distribute_strategy).__name__.lstrip("_"),
        "precision": str(model.dtype_policy.compute_dtype),
    }
