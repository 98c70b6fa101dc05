"""A tapped step -> the sites of its loss, and the parts that the loss is the sum of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfhealth.capture import outputs
from tfhealth.capture.behind import variable_of_its_own
from tfhealth.capture.facts.fit import compile_facts
from tfhealth.capture.sites import LeftOut, Located
from tfhealth.capture.tap import Tap
from tfhealth.series import Attribute, Site

__all__ = ["locate", "parts"]


def locate(tap: Tap, model: Any, located: Sequence[Located], note: Callable[[str, str], None]) -> list[Located]:
    """Return the site of the batch's loss, and one for each of several outputs.

    The sums of the first are the parts of the loss, not reductions of a tensor.
    """
    if tap.total_loss is None:
        note("loss", _unknown(tap))
        return []
    weighted = tap.sample_weight is not None
    found = [(one.site, one.attributes) for one in located if one.site.kind == "prediction"]
    guess, why = (None, "the train step has a loss of its own") if tap.derived else outputs.chance(found, weighted)
    if guess is None:
        note("loss.chance", why)
    own = tap.derived or bool(compile_facts(model).get("custom_loss"))
    attributes: dict[str, Attribute] = {
        "part": "whole",
        "weighted": weighted,
        "chance": guess,
        "own": own,
        "position": 0,
    }
    variable = variable_of_its_own(tap, model) if own else None
    left_out = None if variable is None else LeftOut(variable, None)
    attributes["forgotten"] = None if left_out else False
    whole = Located(outputs.LOSS_SITE, tap.total_loss, attributes | {"loss_weight": None}, left_out=left_out)
    return [whole, *_of_outputs(tap, model, found, weighted)]


def _unknown(tap: Tap) -> str:
    """Return why a step's loss is not known."""
    if len(tap.minimized) > 1:
        return "the train step takes gradients of several losses"
    return "the train step does not call compute_loss"


def _of_outputs(
    tap: Tap, model: Any, predictions: list[tuple[Site, dict[str, Attribute]]], weighted: bool
) -> Iterator[Located]:
    """Yield a site for the loss of each output, with the loss times its weight; none where there is one output."""
    compiled = list(getattr(getattr(model, "_compile_loss", None), "_flat_losses", None) or [])
    called = list(tap.losses)
    for position, (_, function, weight, name) in enumerate(compiled if len(compiled) > 1 else []):
        place = next((place for place, (loss, _) in enumerate(called) if loss is function), None)
        if place is None:
            continue
        _, value = called.pop(place)
        factor = 1.0 if weight is None else float(weight)
        guess, _ = outputs.chance([found for found in predictions if found[0].name == name], weighted)
        attributes: dict[str, Attribute] = {
            "part": "output",
            "weighted": weighted,
            "chance": None if guess is None else factor * guess,
            "loss_weight": factor,
            "position": position,
            "forgotten": False,
        }
        known = f"{name} output" if name == outputs.LOSS_SITE.name else str(name)
        yield Located(Site("loss", known), factor * tf.cast(value, tf.float32), attributes)


def parts(tap: Tap, one: Located, located: Sequence[Located], replicas: int) -> dict[str, Any]:
    """Return what the sums of a loss site are; of several replicas, each scales its own by their number."""
    if one.attributes["part"] == "output":
        return _of_one(one, located, replicas)
    total = _scaled(tap.total_loss, replicas)
    data = None if tap.data_loss is None else _scaled(tap.data_loss, replicas)
    rest = None if data is None else total - data
    added = None if tap.added is None else sum(map(_sum, tap.added), 0.0)
    return {
        "total": total,
        "data": data,
        "regularization": rest,
        "added": added,
        "weight_regularization": None if rest is None or added is None else rest - added if tap.added else rest,
        "chance": one.attributes["chance"],
        **_scaling(tap),
    }


def _scaled(value: Any, replicas: int) -> Any:
    single = tf.cast(value, tf.float32)
    return single if replicas == 1 else single * float(replicas)


def _scaling(tap: Tap) -> dict[str, Any]:
    """Return the dynamic loss scale, and whether the step lowered it: Keras does so where a gradient overflowed.

    A scale that was halved down to zero stays there, and no step can be sound under it.
    """
    if tap.scales is None:
        return {"scale": None, "overflow": None}
    before, after = tap.scales
    return {"scale": before, "overflow": tf.cast((after < before) | (after <= 0), tf.float32)}


def _sum(value: Any) -> Any:
    return tf.reduce_sum(tf.cast(value, tf.float32))


def _of_one(one: Located, located: Sequence[Located], replicas: int) -> dict[str, Any]:
    sizes = [
        tf.abs(other.tensor) for other in located if other.site.kind == "loss" and other.attributes["part"] == "output"
    ]
    return {
        "output": one.tensor * float(replicas),
        "output_share": tf.abs(one.tensor) / tf.add_n(sizes),
        "output_chance": one.attributes["chance"],
    }
