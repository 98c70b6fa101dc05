"""A tapped train step -> the dropout layers that let everything pass in it, as they do in test mode."""

from __future__ import annotations

from typing import Any

from tfhealth.capture.facts.paths import is_dropout
from tfhealth.capture.layers import layers_below, location
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Called, Tap
from tfhealth.series import Site

__all__ = ["idle_dropouts"]


def idle_dropouts(tap: Tap, model: Any) -> Located:
    """Return the fact `step`: which layers drop nothing, whatever they are called for.

    Those of a model within the model are left out, which may be in test mode on purpose, as a backbone is.
    """
    nested = {id(layer) for layer, inside in layers_below(model) if inside}
    calls = [call for call in tap.calls if is_dropout(call.layer) and id(call.layer) not in nested]
    at_work = {id(call.layer) for call in calls if not _passes(call)}
    idle = dict.fromkeys(location(call.layer) for call in calls if id(call.layer) not in at_work)
    return Located(Site("fact", "step"), None, {"idle_dropouts": ", ".join(idle) or "none"})


def _passes(call: Called) -> bool:
    """Tell whether what comes out is what went in: the same tensor, and no product with a mask."""
    return all(any(one is other for other in call.inputs) for one in call.outputs)
