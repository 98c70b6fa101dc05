"""(Result, Run) -> which run this is: when, how long, of which model, with which settings and versions."""

from __future__ import annotations

import numpy as np

from tfhealth.report.document import Pair
from tfhealth.report.words import clean, count, day, duration, number, value
from tfhealth.result import Result
from tfhealth.rules.checklist import BUILT_IN, Checklist
from tfhealth.run import Run
from tfhealth.series import Probe, Site

__all__ = ["identity"]


def identity(result: Result, run: Run, checklist: Checklist) -> tuple[Pair, ...]:
    """Return the facts below the verdict, without those that are not known."""
    info = result.run
    took = duration(info.started, info.ended)
    model = [value(run.fact("model.name") or run.fact("model.class"))] if Site("fact", "model") in run.sites else []
    for attribute, thing in (("layers", "layer"), ("parameters", "parameter")):
        amount = run.fact(f"model.{attribute}")
        if isinstance(amount, int):
            model.append(count(amount, thing))
    optimizer, rate = run.fact("optimizer.class"), run.fact("optimizer.learning_rate")
    packages = [f"{name} {value(run.fact(f'versions.{name}'))}" for name in ("tensorflow", "keras")]
    pairs = [
        ("Started", day(info.started) + (f", took {took}" if took else "")),
        ("Status", f"{clean(info.status)}{'' if info.complete else ', incomplete'}"),
        ("Seen", f"{count(info.steps, 'step')}, {info.probed_steps:,} of them probed"),
        ("Budget", f"{value(run.meta.get('budget'))} s for all experiments together"),
        ("Speed", _speed(run)),
        ("Model", ", ".join(model)),
        ("Data", _data(run)),
        ("Optimizer", value(optimizer) + (f", learning rate {value(rate)}" if rate is not None else "")),
        ("Versions", ", ".join([f"tfhealth {result.tfhealth}", *packages])),
        ("Profile", value(result.profile)),
        ("Rule packs", _packs(result, checklist)),
    ]
    absent = {
        "Seen": not run.trained,
        "Budget": run.trained,
        "Speed": not _speed(run),
        "Model": not model,
        "Data": not _data(run),
        "Optimizer": optimizer is None,
        "Profile": result.profile is None,
    }
    return tuple(Pair(name, text) for name, text in pairs if not absent.get(name))


def _data(run: Run) -> str:
    """Return how much data the model was given, and in which batches; empty: not known."""
    known = {name: run.fact(f"data.{name}") for name in ("samples", "batch_size", "batches", "validation_samples")}
    samples, size, batches, held_out = (one if isinstance(one, int) else None for one in known.values())
    parts = [count(samples, "sample")] if samples is not None else []
    parts += [f"batches of {size:,}"] if size is not None else []
    parts += (
        [f"{batches:,} batch{'' if batches == 1 else 'es'} an epoch"] if batches is not None and samples is None else []
    )
    parts += [f"{held_out:,} for validation"] if held_out is not None else []
    return ", ".join(parts)


def _packs(result: Result, checklist: Checklist) -> str:
    """Return the packs whose rules judged, the built-in one first."""
    own = any(checklist.origin(rule.id).pack == BUILT_IN for rule in checklist.rules)
    named = [f"{pack.name} {pack.version}".strip() for pack in result.packs]
    return ", ".join([BUILT_IN] * own + [value(one) for one in named])


def _speed(run: Run) -> str:
    """Return how long a step took and what part of it was waiting, the median of all records; empty: not known."""
    found = {
        name: float(np.median(series.values))
        for name in ("seconds", "data_share", "probe_share")
        if (series := run.series(Probe(Site("time", "step"), name))) is not None and len(series)
    }
    if "seconds" not in found:
        return ""
    text = f"{number(found['seconds'] * 1000)} ms a step"
    if "data_share" in found:
        text += f", {found['data_share']:.0%} of it waiting for data"
    if "probe_share" in found:
        text += f"; probes took {found['probe_share']:.1%}"
    return text
