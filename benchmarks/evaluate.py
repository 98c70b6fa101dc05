"""How long judging takes: all rules over a deep network's run, and, while training goes on, what may stop it.

`python benchmarks/evaluate.py [LAYERS PROBES]` records a small training, repeats its hidden layer and its probes up to
the size asked for, and prints CPU seconds: the best of some rounds, since other processes only ever add to it.
"""

import functools
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfhealth import evaluate, load_checklist, load_run
from tfhealth.decide import can_reach, decide
from tfhealth.recorder import Recorder
from tfhealth.run import Table
from tfhealth.series import Probe, Site
from tfhealth.task import with_tasks

HIDDEN = "sequential/dense_1"
SIZES = ((200, 2000), (50, 200))


def recorded():
    """Train a dense network of three hidden layers for some steps, and return its run."""
    from models import compiled, data

    from tfhealth import HealthCallback

    model, batch = compiled("dense")
    x, y = data(model, 20 * batch)
    out = Path(tempfile.mkdtemp())
    callback = HealthCallback(every=1, out=out, formats="json", verbose=0)
    model.fit(x, y, batch_size=batch, epochs=2, validation_split=0.2, verbose=0, callbacks=[callback])
    return load_run(next(out.iterdir()))


def widened(run, layers, probes):
    """Return the run with as many copies of its hidden layer as make `layers`, and with `probes` probed steps."""
    names = {site.name: [site.name] for site in run.sites}
    for name in names:
        if name.startswith(HIDDEN):
            names[name] += [name.replace(HIDDEN, f"{HIDDEN}_{index}") for index in range(layers - 4)]
    sites = {Site(site.kind, name): known for site, known in run.sites.items() for name in names[site.name]}
    tables = tuple(_repeated(table, names, probes) for table in run.tables)
    logs = {site: replace(series, steps=series.steps * probes // len(run.steps)) for site, series in run.logs.items()}
    wide = replace(run, path=None, sites=sites, tables=tables, logs=logs)
    return replace(wide, sites=with_tasks(sites, wide.series))


def _repeated(table, names, probes):
    """Return a table with a column for every copy; one of probed steps gets as many rows as are asked for."""
    columns = [
        (Probe(Site(one.site.kind, name), one.statistic), column)
        for column, one in enumerate(table.probes)
        for name in names[one.site.name]
    ]
    values = table.values[:, [column for _, column in columns]]
    steps = table.steps
    if "loss" in table.kinds:
        values, steps = values[np.arange(probes) % len(values)], np.arange(probes)
        values = values * (1 + 0.01 * np.random.default_rng(0).normal(size=values.shape))
    return Table(tuple(probe for probe, _ in columns), steps, values)


def kept(run):
    """Return a recorder that holds a run, as it does while the run is being recorded."""
    recorder = Recorder(None)
    for position, (site, attributes) in enumerate(run.sites.items()):
        recorder.site(site, attributes, position)
    for table in run.tables:
        recorder.append(recorder.layout(table.probes), table.steps, table.values)
    return recorder


def judged(checklist, run):
    """Judge a run by all rules."""
    return evaluate(checklist, unread(run))


def decided(rules, run):
    """Judge a run by some rules, one after the other."""
    read = unread(run)
    return [decide(rule, read) for rule in rules]


def unread(run):
    """Return a run that remembers nothing of what was looked up in it before."""
    return replace(run, tables=tuple(replace(table) for table in run.tables))


def best(rounds, work):
    """Return the least CPU seconds that one of some rounds of work took."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def main(sizes):
    """Print a line for each size."""
    run, checklist = recorded(), load_checklist()
    stops = [rule for rule in checklist.rules if can_reach(rule, checklist.overrides_of(rule.id), "critical")]
    for layers, probes in sizes:
        wide = widened(run, layers, probes)
        recorder = kept(wide)
        whole = best(5, functools.partial(judged, checklist, wide))
        live = best(5, functools.partial(decided, stops, wide))
        read = best(5, recorder.snapshot)
        size = f"{layers} layers, {probes} probes"
        print(
            f"{size}: {len(checklist.rules)} rules {whole:.3f} s, live {1e3 * live:.1f} ms, reading {1e3 * read:.1f} ms"
        )


if __name__ == "__main__":
    main([tuple(map(int, sys.argv[1:3]))] if len(sys.argv) > 2 else SIZES)
