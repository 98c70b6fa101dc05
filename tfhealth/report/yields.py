"""What an experiment yielded -> charts of its longer series, tables of short ones, and its single numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfhealth.report.chart import Flag, Line, Lines, thin, wants_log
from tfhealth.report.document import Pair, Picture, Table
from tfhealth.report.words import clean, count, number, shorten
from tfhealth.series import Floats, Ints, Series, Site

__all__ = ["Found", "numbers_of", "pictures_of", "tables_of"]

_CURVES = 5
_POINTS_SHARE = 3  # of the points of a page-wide chart: these are many
_FEW = 12  # numbers of a series, that are a table: one for each repeat, layer or variable rather than steps
_MOST_ROWS = 40
_ACROSS = "rate"
"""A statistic over which the others of the same length are drawn, instead of over steps."""
_GRID = {"rate", "batch_size"}
"""Statistics that make a table of those of the same length: each row is one setting."""
Found = Mapping[str, Series]
"""{statistic: what an experiment yielded}"""


def pictures_of(site: Site, found: Found) -> Iterator[Picture]:
    """Yield a chart of each group of series that can share one."""
    name = shorten(clean(site.name), 30)
    for group in _groups(found):
        rates = found.get(_ACROSS)
        first = group[0][1]
        over = rates is not None and len(rates) == len(first)
        lines = tuple(
            Line(statistic if len(group) > 1 else name, *_thinned(series, rates if over else None, len(group)))
            for statistic, series in group
        )
        label = shorten(", ".join(statistic for statistic, _ in group), 60)
        log = wants_log(np.concatenate([line.values for line in lines]))
        marks = tuple(_marks(found)) if over else ()
        chart = Lines(lines, label, log, flags=marks, across="learning rate" if over else "step", log_across=over)
        caption = _told(group, "" if over else f" over {count(len(first), 'step')}", marks)
        yield Picture("", "", caption, f"{label} of {name}. {caption}", chart, narrow=True)


def _thinned(series: Series, rates: Series | None, curves: int) -> tuple[Ints | Floats, Floats]:
    if rates is not None:
        return thin(rates.values, series.values, _POINTS_SHARE * curves)
    return thin(series.steps, series.values, _POINTS_SHARE * curves)


def _groups(found: Found) -> list[list[tuple[str, Series]]]:
    """Return the longer series, those of the same length whose ranges overlap together."""
    if _is_grid(found):
        return []
    groups: list[list[tuple[str, Series]]] = []
    for statistic, series in found.items():
        if len(series) <= _FEW or (statistic == _ACROSS and _has_company(found)):
            continue
        home = next((one for one in groups if len(one) < _CURVES and _alike(one[0][1], series)), None)
        if home is None:
            groups.append([(statistic, series)])
        else:
            home.append((statistic, series))
    return groups


def _has_company(found: Found) -> bool:
    return sum(len(one) == len(found[_ACROSS]) for one in found.values()) > 1


def _is_grid(found: Found) -> bool:
    return set(found) >= _GRID and len(found["batch_size"]) == len(found[_ACROSS])


def _alike(one: Series, other: Series) -> bool:
    """Whether two series fit on one axis: more than half of the shorter range lies within the other."""
    if len(one) != len(other):
        return False
    (low, high), (least, most) = _range(one), _range(other)
    common = min(high, most) - max(low, least)
    return bool(common >= 0.5 * min(high - low, most - least))


def _range(series: Series) -> tuple[float, float]:
    finite = series.values[np.isfinite(series.values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _marks(found: Found) -> Iterator[Flag]:
    """Yield the learning rates that a range test compares, where they are known."""
    for statistic, text in (("in_use", "in use"), ("suggested", "suggested")):
        series = found.get(statistic)
        if series is not None and len(series) == 1 and np.isfinite(series.values[0]) and series.values[0] > 0:
            value = float(series.values[0])
            yield Flag(value, f"{text} {number(value)}")


def _told(group: Sequence[tuple[str, Series]], over: str, marks: Sequence[Flag]) -> str:
    ends = [f"{name} from {number(one.values[0])} to {number(one.values[-1])}" for name, one in group]
    text = f"{'; '.join(ends)}{over}."
    if any(not np.isfinite(one.values).all() for _, one in group):
        text += " Crosses at the upper edge: NaN or Inf."
    if marks:
        text += f" Marked: {', '.join(mark.text for mark in marks)}."
    return text[0].upper() + text[1:]


def numbers_of(found: Found) -> tuple[Pair, ...]:
    """Return the single numbers, and the few of a short series that has no other of its length beside it."""
    return tuple(
        Pair(name.replace("_", " "), ", ".join(number(float(value)) for value in series.values))
        for name, series in found.items()
        if len(series) == 1 or (len(series) <= _FEW and len(_beside(found, series)) == 1)
    )


def tables_of(found: Found) -> Iterator[Table]:
    """Yield short series of the same length side by side; a grid of settings may be longer."""
    for series in {len(one): one for one in found.values()}.values():
        columns = {name.replace("_", " "): one.values for name, one in _beside(found, series).items()}
        rows = list(zip(*columns.values(), strict=True))
        if _is_grid(found) and len(series) == len(found[_ACROSS]):
            yield _grid(tuple(columns), rows)
        elif 1 < len(series) <= _FEW and len(columns) > 1:
            yield _grid(("Number", *columns), [(place, *row) for place, row in enumerate(rows, 1)])


def _beside(found: Found, series: Series) -> Found:
    """Return what is as long as a series, itself included."""
    return {name: one for name, one in found.items() if len(one) == len(series)}


def _grid(head: tuple[str, ...], rows: Sequence[tuple[float, ...]]) -> Table:
    left = len(rows) - _MOST_ROWS
    shown = tuple(tuple(number(float(cell)) for cell in row) for row in rows[:_MOST_ROWS])
    return Table("", head, shown, f"and {left:,} more in the run's file" if left > 0 else "")
