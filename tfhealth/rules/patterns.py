"""(glob, name of a site) -> whether one is for the other: `*`, `?`, `[..]` in a segment, `**` across segments."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

__all__ = ["matches"]

# Of a layer's further outputs and of the further calls of a shared layer: `dense:1`, `dense#2`, `dense:1#2`.
_FURTHER = re.compile(r"(:\d{1,9})?(#\d{1,9})?\Z")


def matches(pattern: str, name: str) -> bool:
    """Return whether `pattern` is for the site or layer `name`, in time proportional to their product.

    Both are cut at `/`. A segment of the pattern may hold `*`, `?` and `[..]`; a segment `**` stands for any number of
    segments, also for none. What matches a layer matches everything below it, and its further outputs and calls.

    >>> matches("encoder/**/kernel", "encoder/block_2/dense/kernel")
    True
    >>> matches("dense_1", "dense_1/kernel"), matches("dense_1", "dense_10"), matches("dense_1", "dense_1#2")
    (True, False, True)
    """
    wanted = pattern.strip("/").split("/")
    *parents, last = name.split("/")
    reached = _past_stars(wanted, {0})
    for segment in parents:
        reached = _step(wanted, reached, (segment,))
        if len(wanted) in reached:
            return True
    return len(wanted) in _step(wanted, reached, _spellings(last))


def _step(wanted: list[str], reached: set[int], spellings: tuple[str, ...]) -> set[int]:
    """Return the places in the pattern after one more segment of the name, from those before it."""
    found = set()
    for place in reached:
        if place == len(wanted):
            continue
        if wanted[place] == "**":
            found.add(place)
        elif any(fnmatchcase(one, wanted[place]) for one in spellings):
            found.add(place + 1)
    return _past_stars(wanted, found)


def _past_stars(wanted: list[str], reached: set[int]) -> set[int]:
    """Return the places with those added that follow a `**`, which may stand for nothing."""
    found = set(reached)
    for place in range(len(wanted)):
        if place in found and wanted[place] == "**":
            found.add(place + 1)
    return found


def _spellings(segment: str) -> tuple[str, ...]:
    """Return the last segment of a name as it is, and without the numbers of its call and its output."""
    found = _FURTHER.search(segment)
    assert found is not None  # both parts are optional
    output, call = found.group(1) or "", found.group(2) or ""
    without_call = segment.removesuffix(call)
    return segment, without_call, without_call.removesuffix(output)
