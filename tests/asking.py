"""A callback that asks for chosen statistics, or for all there are, and what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import RULE, write_rules
from tests.models import quiet
from tfhealth import HealthCallback, load_run
from tfhealth.run import Run
from tfhealth.series import Probe, Site
from tfhealth.statistics import STATISTICS

EVERYTHING = tuple(f"{kind}.{one.name}" for one in STATISTICS for kind in one.kinds if kind != "log")
_AT_ONCE = 8


def rules_for(folder: Path, *measures: str) -> Path:
    """Write a folder of rules that read these `kind.statistic`; all of them where none is named."""
    chosen = measures or EVERYTHING
    files = {}
    for number, start in enumerate(range(0, len(chosen), _AT_ONCE)):  # reading a file takes longer than judging by it
        text = RULE.replace("ACT901", f"ASK{number:03}")
        expression = " + ".join(chosen[start : start + _AT_ONCE])
        files[f"ASK{number:03}-x.yaml"] = text.replace("{site: activation, statistic: std}", f"{{expr: {expression}}}")
    return write_rules(folder / "rules", files)


def asking(folder: Path, *measures: str, **settings: Any) -> HealthCallback:
    """Return a callback that probes every step for these `kind.statistic`; for all of them where none is named."""
    rules = rules_for(folder, *measures)
    return HealthCallback(**quiet(folder / "runs", **{"every": 1, "rules": rules, **settings}))


def watched(folder: Path, model: Any, x: Any, y: Any, *measures: str, batch_size: int = 32, **settings: Any) -> Run:
    """Fit a compiled model for one epoch in the order of the data, and return the run."""
    callback = asking(folder, *measures, **settings)
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0, callbacks=[callback])
    return load_run(callback.run_dir)


def values(run: Run, kind: str, name: str, statistic: str) -> np.ndarray:
    """Return the series of a statistic at the one site of a kind whose name ends with `name`."""
    (site,) = [one for one in run.sites if one.kind == kind and one.name.endswith(name)]
    series = run.series(Probe(Site(kind, site.name), statistic))
    return np.array([]) if series is None else series.values
