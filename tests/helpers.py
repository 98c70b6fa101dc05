"""Builders that several tests share: panels, rules, rule files and recorded runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfhealth.conditions import Condition
from tfhealth.recorder import Recorder
from tfhealth.rules import Checklist, Item, Rule
from tfhealth.run import Run
from tfhealth.series import Panel, Probe, Series, Site

RULE = """\
id: ACT901
title: Spread far from one
checklist: act.std-range
measure: {site: activation, statistic: std}
condition:
  for: 3
  warning: {outside: [0.5, 2]}
message: "The output of {site} had a spread of {value:.2g} from step {step} on."
why: Signals fade.
advice: Normalize {site}.
references: [a book]
examples:
  - {values: "1x9", verdict: pass}
  - {values: "0.1x9", verdict: warn}
"""


def panel(
    rows: Sequence[Sequence[float]],
    steps: Sequence[int] | None = None,
    measured: Sequence[Sequence[bool]] | None = None,
    kind: str = "activation",
) -> Panel:
    """Return a panel with a site `a`, `b` … for each row."""
    values = np.array(rows, np.float64)
    sites = tuple(Site(kind, chr(ord("a") + number)) for number in range(len(rows)))
    known = np.ones(values.shape, bool) if measured is None else np.array(measured, bool)
    return Panel(sites, np.arange(values.shape[1]) if steps is None else np.array(steps), values, known)


def condition(**keys: Any) -> Condition:
    """Return a condition from its keys as a rule file has them."""
    return Condition.model_validate(keys)


def rule(rule_id: str = "ACT901", **keys: Any) -> Rule:
    """Return a rule from its keys as a rule file has them; what is not given is harmless."""
    return Rule.model_validate(
        {
            "id": rule_id,
            "title": f"Title of {rule_id}",
            "checklist": "act.std-range",
            "measure": {"site": "activation", "statistic": "std"},
            "condition": {"error": {"above": 2}},
            "message": "{site} at {step}: {value:.3g}.",
            "why": "Why not.",
            "advice": "Repair {site}.",
            "references": ["a book"],
            "examples": [{"values": "1x9", "verdict": "pass"}, {"values": "9x9", "verdict": "fail"}],
            **keys,
        }
    )


def checklist_of(*rules: Rule, **keys: Any) -> Checklist:
    """Return a checklist of these rules with a row for each that they name; `keys` are other attributes of it."""
    rows = tuple(
        Item.model_validate({"id": row, "asks": f"Is {row} well?", "sources": ["V"], "how": ["fit"]})
        for row in dict.fromkeys(one.checklist for one in rules)
    )
    return Checklist((("All", rows),), rules, {}, **keys)


def write_rules(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder, made here; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run_of(
    series: Mapping[tuple[str, str, str], Series | Sequence[float]],
    attributes: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    folder: Path | None = None,
    status: str = "completed",
    notes: Sequence[tuple[str, str]] = (),
    **meta: Any,
) -> Run:
    """Record {(kind, name, statistic): values, at steps 0, 1 … or a Series}; return the run.

    Series that share their steps share a layout; `attributes` may name sites without any series.
    """
    recorder = Recorder(folder)
    recorder.meta(name="trial", **meta)
    known = {Site(*key): dict(value) for key, value in (attributes or {}).items()}
    probes = {Probe(Site(kind, name), statistic): _series(one) for (kind, name, statistic), one in series.items()}
    for place, site in enumerate(dict.fromkeys([*(probe.site for probe in probes), *known])):
        recorder.site(site, known.get(site, {}), place)
    layouts: dict[tuple[int, ...], list[Probe]] = {}
    for probe, one in probes.items():
        layouts.setdefault(tuple(one.steps.tolist()), []).append(probe)
    for steps, columns in layouts.items():
        values = np.array([probes[probe].values for probe in columns]).T
        recorder.append(recorder.layout(columns), np.array(steps, np.int64), values)
    for subject, why in notes:
        recorder.note(subject, why)
    recorder.finish(status)
    run = recorder.snapshot()
    recorder.close()
    return run


def _series(values: Series | Sequence[float]) -> Series:
    if isinstance(values, Series):
        return values
    return Series(np.arange(len(values), dtype=np.int64), np.array(values, np.float64))
