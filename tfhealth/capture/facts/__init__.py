"""A compiled model and the process around it -> fact and layer sites: what it takes to repeat the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfhealth.capture.facts import graph as graphs
from tfhealth.capture.facts.fit import compile_facts, fit_facts, initial_step, optimizer_facts
from tfhealth.capture.facts.layers import layer_sites
from tfhealth.capture.facts.machine import code_facts, hardware_facts, seed_facts, version_facts
from tfhealth.capture.facts.model import model_facts, structure, structure_facts
from tfhealth.capture.told import Facts, merged
from tfhealth.series import Attribute, Site

__all__ = ["Layers", "built", "collect", "initial_step"]

Layers = list[tuple[Site, dict[str, Attribute], int]]
"""Site, attributes and position of every layer."""

Notes = list[tuple[str, str]]
"""Site and reason of what could not be recorded."""


def built(model: Any) -> bool:
    """Tell whether a model and all its layers have their variables."""
    return bool(model.built) and all(one.built for one in model._flatten_layers())


def collect(
    model: Any, params: Mapping[str, Any], told: Sequence[Facts]
) -> tuple[dict[str, dict[str, Attribute]], Layers, Notes]:
    """Return {fact site: attributes}, the layers, and what could not be recorded or was told in vain.

    Args:
        model: the compiled model.
        params: what Keras tells callbacks: epochs, steps, verbose.
        told: further facts, from whoever called fit and from the person; later ones stand above earlier ones.
    """
    graph, layers, failed = _layers(model)
    groups: list[tuple[str, Callable[[], dict[str, Attribute]]]] = [
        ("model", lambda: model_facts(model)),
        ("model", lambda: structure_facts(model, graph)),
        ("compile", lambda: compile_facts(model)),
        ("optimizer", lambda: optimizer_facts(getattr(model, "optimizer", None))),
        ("fit", lambda: fit_facts(model, params)),
        ("fit", lambda: {"structure": structure(model, [attributes for _, attributes, _ in layers])}),
        ("data", lambda: {"validation_share": None, "batches": params.get("steps")}),  # who called fit knows more
        ("versions", version_facts),
        ("hardware", hardware_facts),
        ("code", code_facts),
        ("seed", seed_facts),
    ]
    found: dict[str, dict[str, Attribute]] = {}
    for name, group in groups:
        try:
            found[name] = found.get(name, {}) | group()
        except Exception as error:
            failed.append((f"fact {name}", f"{type(error).__name__}: {error}"))
    found["tracking"] = {"unrecorded": len(failed)}
    facts, vain = merged(found, told)
    return facts, layers, failed + vain


def _layers(model: Any) -> tuple[graphs.Graph | None, Layers, Notes]:
    """Return the model's graph, None where it cannot be read, its layers, and what of them is not known."""
    failed: Notes = []
    graph = None
    try:
        graph = graphs.read(model)
    except Exception as error:  # what Keras keeps to itself may change
        failed.append(("layer", f"what lies before and after: {type(error).__name__}: {error}"))
    try:
        layers, unknown = layer_sites(model, graph)
    except Exception as error:
        return graph, [], [*failed, ("layer", f"{type(error).__name__}: {error}")]
    return graph, layers, failed + unknown
