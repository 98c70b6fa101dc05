"""(Result, Run) -> which run this is: when, how long, of which model, with which settings and versions."""

from __future__ import annotations

import numpy as np

from tfhealth.report.document import Pair
from tfhealth.report.words import clean, count, day, duration, number, value
from tfhealth.result import Result
from tfhealth.run import Run
from tfhealth.series import Probe, Site

__all__ = ["identity"]


def identity(result: Result, run: Run) -> tuple[Pair, ...]:
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
        ("Optimizer", value(optimizer) + (f", learning rate {value(rate)}" if rate is not None else "")),
        ("Versions", ", ".join([f"tfhealth {result.tfhealth}", *packages])),
        ("Profile", value(result.profile)),
        ("Rule packs", ", ".join(value(f"{pack.name} {pack.version}".strip()) for pack in result.packs)),
    ]
    absent = {
        "Seen": not run.trained,
        "Budget": run.trained,
        "Speed": not _speed(run),
        "Model": not model,
        "Optimizer": optimizer is None,
        "Profile": result.profile is None,
        "Rule packs": not result.packs,
    }
    return tuple(Pair(name, text) for name, text in pairs if not absent.get(name))


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
