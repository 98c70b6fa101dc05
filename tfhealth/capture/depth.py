"""Layer calls of a tapped step -> what lies behind a tensor, and how deep each call lies."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from tfhealth.capture.layers import weighted
from tfhealth.capture.tap import Called

__all__ = ["behind", "depths", "fixed", "unread"]

_ANCESTRY = 200  # operations to look back through for where a tensor came from
_WITHOUT_DATA = ("Const", "Rank", "Shape", "ShapeN", "Size")


def behind(tensor: Any, known: Container[int]) -> list[int]:
    """Return the ids of the nearest `known` tensors that `tensor` is computed from, or is itself.

    Looks back through the step's graph; a step that runs eagerly has none.
    """
    found: list[int] = []
    queue = [tensor]
    for _ in range(_ANCESTRY):
        if not queue:
            break
        one = queue.pop()
        if id(one) in known:
            found.append(id(one))
        elif hasattr(one, "graph"):
            queue += list(one.op.inputs)
    return found


def fixed(tensor: Any) -> bool:
    """Tell whether a tensor of the step's graph is made of constants and shapes alone, as positions are.

    What an eager step passes on cannot be told, and counts as data.
    """
    if not hasattr(tensor, "graph"):
        return False
    queue = [tensor]
    for _ in range(_ANCESTRY):
        if not queue:
            break
        op = queue.pop().op
        if op.type in _WITHOUT_DATA:
            continue
        if not op.inputs or op.op_def.is_stateful:
            return False
        queue += list(op.inputs)
    return not queue


def depths(calls: Sequence[Called]) -> list[int]:
    """Return for each call how many layers with a kernel lie on the longest way to its output, itself included."""
    made: dict[int, int] = {}
    found = []
    for call in calls:
        has_kernel = weighted(call.layer)
        before = call.inputs if has_kernel else call.outputs  # what a layer of layers does is known from those in it
        depth = has_kernel + max((made[one] for tensor in before for one in behind(tensor, made)), default=0)
        found.append(depth)
        for tensor in call.outputs:
            made[id(tensor)] = max(depth, made.get(id(tensor), 0))
    return found


def unread(calls: Sequence[Called]) -> list[Called]:
    """Return the calls of layers with a kernel that no other such layer reads, and what is made of them alone."""
    made: dict[int, set[int]] = {}
    sources: list[set[int]] = []  # of each call the calls with a kernel that its output was last computed from
    read: set[int] = set()
    for place, call in enumerate(calls):
        has_kernel = weighted(call.layer)
        before = call.inputs if has_kernel else call.outputs
        found = {one for tensor in before for known in behind(tensor, made) for one in made[known]}
        if has_kernel:
            read |= found
        sources.append({place} if has_kernel else found)
        for tensor in call.outputs:
            made.setdefault(id(tensor), sources[-1])
    return [call for call, found in zip(calls, sources, strict=True) if found and not found & read]
