"""Curves, and where findings began -> plain numbers of small pictures, which a template draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfhealth.report.words import clean, number, shorten
from tfhealth.store.judging import BATCH_LOSS

__all__ = ["Curve", "Mark", "Sketch", "sketches"]

Points = Sequence[Sequence[float | None]]

_MOST = 12
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 354, 36, 150
_LETTER = 7  # about the width of one in a label
_NAMED = 4  # findings in one label
_WIDE = 100.0  # times the lowest value, from which on the axis is logarithmic


@dataclass(frozen=True)
class Curve:
    """One curve: its name, the style class of its look, and each unbroken stretch of it as `points` of SVG."""

    name: str
    look: str
    stretches: tuple[str, ...]
    last: str


@dataclass(frozen=True)
class Mark:
    """Numbers of findings that began close to each other, in a label that begins at x; each has a line at one of xs."""

    label: str
    x: float
    xs: tuple[float, ...]


@dataclass(frozen=True)
class Sketch:
    """A small picture of curves that belong together; `alt` says in words what it shows."""

    title: str
    alt: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...]
    low: str
    high: str
    steps: str


def sketches(curves: Mapping[str, Points], since: Mapping[int, int]) -> tuple[Sketch, ...]:
    """Return a picture of each log, what belongs to validation beside what belongs to training.

    Args:
        curves: as `judging.curves` makes them.
        since: {number of a finding: the step since which it holds}.
    """
    known = {name: points for name, points in curves.items() if points}
    groups: dict[str, dict[str, Points]] = {}
    for name, points in known.items():
        groups.setdefault("loss" if name == BATCH_LOSS else name.removeprefix("val_"), {})[name] = points
    return tuple(_sketch(title, group, since) for title, group in list(groups.items())[:_MOST])


def _sketch(title: str, group: Mapping[str, Points], since: Mapping[int, int]) -> Sketch:
    steps = [step for points in group.values() for step, _ in points if step is not None]
    values = [value for points in group.values() for _, value in points if value is not None]
    log = bool(values) and min(values) > 0 and max(values) > _WIDE * min(values)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    across = _Scale(min(steps), max(steps), _LEFT, _RIGHT)
    up = _Scale(low, high, _BOTTOM, _TOP, log)
    shown = tuple(_curve(name, points, across, up) for name, points in group.items())
    marks = _marks({one: across(step) for one, step in since.items() if min(steps) <= step <= max(steps)})
    heading = shorten(clean(title), 40)
    said = "; ".join(f"{curve.name}: last {curve.last}" for curve in shown)
    alt = f"{heading} over steps {min(steps):,.0f} to {max(steps):,.0f}. {said}; from {number(low)} to {number(high)}."
    top = f"{number(high)}, powers of ten" if log else number(high)
    return Sketch(heading, alt, shown, marks, number(low), top, f"step {max(steps):,.0f}")


def _marks(places: Mapping[int, float]) -> tuple[Mark, ...]:
    """Return what stands over the picture for {number of a finding: place}; labels that would touch become one."""
    made: list[Mark] = []
    for x, one in sorted((x, one) for one, x in places.items()):
        mark = _mark((x,), {one: x})
        while made and made[-1].x + _LETTER * (len(made[-1].label) + 1) > mark.x:
            mark = _mark((*made.pop().xs, *mark.xs), places)
        made.append(mark)
    return tuple(made)


def _mark(xs: tuple[float, ...], places: Mapping[int, float]) -> Mark:
    """Return the mark of the findings at some places; of many the first are named, and the others counted."""
    found = [str(one) for one, x in sorted(places.items()) if x in xs]
    more = len(found) - _NAMED
    label = " ".join(found) if more <= 0 else f"{' '.join(found[:_NAMED])} +{more}"
    return Mark(label, min(xs[0] - _LETTER / 2, _RIGHT - _LETTER * len(label)), xs)


def _curve(name: str, points: Points, across: _Scale, up: _Scale) -> Curve:
    stretches: list[list[str]] = [[]]
    for step, value in points:
        if step is None or value is None:  # NaN or Inf: the curve is broken here
            stretches.append([])
        else:
            stretches[-1].append(f"{across(step):.1f},{up(value):.1f}")
    look = "batch" if name == BATCH_LOSS else "validation" if name.startswith("val_") else "training"
    word = {"batch": "each probed batch", "validation": "validation", "training": "training"}[look]
    value = points[-1][1]
    drawn = tuple(" ".join(one * 2 if len(one) == 1 else one) for one in stretches if one)
    return Curve(word, look, drawn, "NaN or Inf" if value is None else number(value))


class _Scale:
    """Numbers from `first` to `last` -> places from `start` to `end`."""

    def __init__(self, first: float, last: float, start: float, end: float, log: bool = False) -> None:
        self._log = log
        self._first, self._start = self._of(first), start
        self._slope = (end - start) / ((self._of(last) - self._first) or 1.0)

    def __call__(self, value: float) -> float:
        return self._start + (self._of(value) - self._first) * self._slope

    def _of(self, value: float) -> float:
        return math.log(value) if self._log else value
