"""Replay -> what is printed: a sentence, the operations in order with what went in, and the likely cause."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tfhealth.console import one_line
from tfhealth.replay.operations import Values
from tfhealth.replay.run import Replay, Row

__all__ = ["shown"]


def shown(replay: Replay) -> Group:
    """Return the replay for a rich console."""
    if replay.began is None:
        where = ", ".join(f"{one.kind} {one.name}" for one in replay.places[:3])
        what = (
            f"Step {replay.step}, replayed, showed no NaN or Inf. In training it was hit ({where}): the compiled step "
            "rounds differently (XLA, a GPU, fused operations), or it drew random numbers whose state was not kept."
        )
        return Group(Text(one_line(what)))
    began = replay.began.operation
    head = Text(f"Step {replay.step}: NaN or Inf began {_SAID[replay.began.part]}, in {began.type}: ", "bold")
    head.append(one_line(began.name))
    table = Table("", "Part", "Operation", "Type", "Out", "In", box=None, pad_edge=False)
    for row in replay.rows:
        table.add_row(*_cells(row, row is replay.began))
    more = [Text(f"… and {replay.more} more operations passed it on.")] if replay.more else []
    return Group(head, Text(one_line(replay.cause)), Text(), table, *more)


_TENSORS = 3  # of one operation that are shown

_SAID = {
    "batch": "before the model, in the batch",
    "weights": "before the step, in the weights",
    "forward": "in the forward pass",
    "loss": "in the loss",
    "backward": "in the backward pass",
    "update": "in the update of the weights",
}


def _cells(row: Row, first: bool) -> list[Text]:
    operation = row.operation
    mark = "→ began" if first else "made" if operation.made else ""
    style = "bold red" if first else ""
    out, into = (_all_said(values) for values in (operation.outputs, operation.inputs))
    cells = (mark, row.part, one_line(operation.name), operation.type, out, into)
    return [Text(cell, style) for cell in cells]


def _all_said(tensors: Sequence[Values]) -> str:
    """Say what a few tensors hold, those with NaN or Inf first."""
    more = [f"and {len(tensors) - _TENSORS} more"] if len(tensors) > _TENSORS else []
    listed = sorted(tensors, key=lambda one: not (one.nan or one.inf))
    return ", ".join([*(_said(one) for one in listed[:_TENSORS]), *more])


def _said(values: Values) -> str:
    """Return the range of a tensor, and how many of its values are NaN, Inf and 0."""
    odd = [(values.nan, "NaN"), (values.inf, "Inf"), (values.zero, "zero")]
    counts = [f"{count} {word}" for count, word in odd if count]
    finite = values.size - values.nan - values.inf
    span = (
        [f"{values.low:.3g}" if values.low == values.high else f"{values.low:.3g} … {values.high:.3g}"]
        if finite
        else []
    )
    return f"[{'; '.join([*span, *counts])}]" if span or counts else "[]"
