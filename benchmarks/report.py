"""What a report costs: seconds of CPU for page and PDF, evaluation included, their sizes, and the peak of memory.

`python benchmarks/report.py [LAYERS PROBES]` takes the runs that `benchmarks/evaluate.py` makes, sick in so many ways
that the report has fifteen findings, and measures each size in a process of its own.
"""

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from evaluate import recorded, widened

from tfhealth import evaluate, load_checklist, load_run
from tfhealth.recorder import Recorder
from tfhealth.report.formats import FORMATS, Source
from tfhealth.report.writing import write_all

SIZES = ((50, 2_000), (200, 10_000))
FINDINGS = 15
ILL = {
    ("input", "duplicate_fraction"): 0.9,
    ("input", "nonfinite_fraction"): 0.1,
    ("label", "imbalance"): 1000.0,
    ("loss", "weight_regularization"): 50.0,
    ("prediction", "top_class_share"): 1.0,
    ("time", "data_share"): 0.9,
    ("validation_input", "seen_fraction"): 0.9,
    ("validation_label", "missing_share"): 0.9,
    ("weight", "unit_difference"): 0.0,
}


def sick(run):
    """Return the run with a third of its statistics far from where they should be, and some of all layers as `ILL`."""
    tables = []
    for table in run.tables:
        values = table.values.copy()
        values[:, ::3] *= 300
        values[:, 1::7] += 0.9
        for column, probe in enumerate(table.probes):
            values[:, column] = ILL.get((probe.site.kind, probe.statistic), values[:, column])
        tables.append(replace(table, values=values))
    return replace(run, tables=tuple(tables))


def stored(run, folder):
    """Write a run into a folder, as capture would have."""
    recorder = Recorder(folder)
    recorder.meta(name="benchmark")
    for position, (site, attributes) in enumerate(run.sites.items()):
        recorder.site(site, attributes, position)
    for table in run.tables:
        recorder.append(recorder.layout(table.probes), table.steps, table.values)
    for site, series in run.logs.items():
        for epoch, (step, value) in enumerate(zip(series.steps, series.values, strict=True)):
            recorder.epoch(epoch, int(step), {site.name: float(value)})
    recorder.finish("completed")
    recorder.close()


def measure(folder):
    """Print what it takes to make the report of one stored run; in a fresh process, so that its peak is its own."""
    checklist = load_checklist()
    began = time.process_time()
    run = load_run(folder)
    result = evaluate(checklist, run)
    found = len(result.findings)
    source = Source(result.model_copy(update={"findings": result.findings[:FINDINGS]}), run, checklist)
    page = write_all(Path(folder), "html", FORMATS, source).paths["html"]
    html = time.process_time() - began
    pdf = write_all(Path(folder), "pdf", FORMATS, source).paths["pdf"]  # of the same page
    took = time.process_time() - began - html
    peak = (
        int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    )  # getrusage's is the parent's
    print(
        f"{min(found, FINDINGS)} of {found} findings; page {html:.2f} s and {page.stat().st_size / 1e6:.2f} MB; "
        f"PDF {took:.2f} s more and {pdf.stat().st_size / 1e6:.2f} MB; peak {peak:,.0f} MB"
    )


def main(words):
    if len(words) == 1:
        measure(words[0])
        return
    sizes = [tuple(map(int, words))] if words else SIZES
    small = recorded()
    for layers, probes in sizes:
        with tempfile.TemporaryDirectory() as folder:
            stored(sick(widened(small, layers, probes)), Path(folder))
            print(f"{layers} layers, {probes:,} probes: ", end="", flush=True)
            subprocess.run([sys.executable, __file__, folder], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
