"""A judged run -> an event file for TensorBoard, with every probe and every logged value as a scalar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from tfhealth.comparison import Judged
from tfhealth.export.documents import logged, verdict
from tfhealth.rules.checklist import Checklist

__all__ = ["FILE", "export"]

FILE = "events.out.tfevents.tfhealth"


def export(judged: Judged, checklist: Checklist, folder: Path | None) -> str:
    """Write the event file into `folder`, by default `tensorboard/` of the run directory."""
    target = folder or (judged.run.path or Path()) / "tensorboard"
    target.mkdir(parents=True, exist_ok=True)
    started = _seconds(judged.result.run.started)
    with (target / FILE).open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=started, file_version="brain.Event:2").SerializeToString())
        for tag, step, value in _scalars(judged):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.write(Event(wall_time=started, step=step, summary=summary).SerializeToString())
        writer.flush()
    return f"{target}: tensorboard --logdir {target}; verdict {verdict(judged)['tfhealth.verdict']}"


def _scalars(judged: Judged) -> Iterator[tuple[str, int, float]]:
    """Yield (tag, step, value); tags are grouped by kind and statistic, as TensorBoard folds them."""
    for name, step, value in logged(judged):
        yield f"epoch/{name}", step, value
    for table in judged.run.tables:
        for probe, column in table.columns.items():
            tag = f"{probe.site.kind}.{probe.statistic}/{probe.site.name}"
            for step, value in zip(table.steps.tolist(), table.values[:, column].tolist(), strict=True):
                yield tag, step, value


def _seconds(moment: str | None) -> float:
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return 0.0
