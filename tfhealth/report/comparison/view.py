"""Comparison -> ComparisonReport: facts into words; nothing here knows of HTML."""

from __future__ import annotations

import math
import shlex
from itertools import groupby

from tfhealth.comparison import Comparison, End, Fate, Judged, Seen, Setting, Shift
from tfhealth.report.comparison.curves import curves
from tfhealth.report.comparison.document import ComparisonReport, ShiftPart, Side
from tfhealth.report.document import Badge, Pair, Table
from tfhealth.report.words import VERDICTS, clean, count, day, duration, number, shorten, value, visible

__all__ = ["FATES", "view"]

FATES: dict[Fate, str] = {
    "new": "new",
    "worse": "worse",
    "stays": "stays",
    "better": "better",
    "unknown": "not judged",
    "gone": "gone",
}
"""{what became of a finding: its word}, the most urgent first."""

_TELLING: tuple[Fate, ...] = ("new", "worse", "gone", "unknown")
_MOST_SETTINGS = 50


def view(comparison: Comparison) -> ComparisonReport:
    """Put what differs between two runs into words."""
    before, after = comparison.before, comparison.after
    first = _side("A", before) if before else Side("A", "baseline", None, "The findings that were accepted.", ())
    return ComparisonReport(
        title=f"tfhealth: {first.name} and {shorten(clean(after.result.run.name), 80)} compared",
        sentence=_sentence(comparison),
        sides=(first, _side("B", after)),
        shifts_intro=_shifts_intro(comparison),
        shifts=tuple(_shift(one) for one in comparison.shifts),
        rows=_rows(comparison),
        ends=_ends(comparison.ends),
        pictures=curves(before.run, after.run) if before else (),
        settings_intro=_settings_intro(comparison),
        settings=tuple(_settings(comparison)),
        commands=_commands(comparison),
        footer=f"tfhealth {after.result.tfhealth}; A and B are judged by the same rules, those in force today.",
    )


def _side(letter: str, judged: Judged) -> Side:
    result, run = judged.result, judged.run
    info = result.run
    took = duration(info.started, info.ended)
    pairs = [
        ("Run", shorten(clean(info.path), 120) if info.path else ""),
        ("Started", day(info.started) + (f", took {took}" if took else "")),
        ("Status", clean(info.status) + ("" if info.complete else ", incomplete")),
        ("Seen", count(info.steps, "step")),
        ("Revision", value(run.fact("code.revision")) if run.fact("code.revision") else ""),
    ]
    badge = Badge(result.verdict, *VERDICTS[result.verdict])
    identity = tuple(Pair(name, text) for name, text in pairs if text)
    return Side(letter, shorten(clean(info.name), 80), badge, clean(result.sentence), identity)


def _sentence(comparison: Comparison) -> str:
    """Return what matters most: what is new and what is gone, and where the loss ends."""
    amounts = {fate: len(comparison.with_fate(fate)) for fate in FATES}
    parts = []
    if not comparison.shifts:
        parts.append("Neither has a finding")
    else:
        told = [f"{amounts[fate]} {FATES[fate]}" for fate in _TELLING if amounts[fate]]
        stay = amounts["stays"] + amounts["better"] + amounts["worse"]
        told += [f"{stay} in both"] if stay else []
        parts.append(f"Findings of B beside A: {', '.join(told)}")
    ends = {one.name: one for one in comparison.ends}
    named = next((ends[name] for name in ("val_loss", "loss") if name in ends), None)
    if named is not None:
        parts.append(f"{named.name} ends at {number(named.after)} after {number(named.before)}")
    return "; ".join(parts) + "."


def _shifts_intro(comparison: Comparison) -> str:
    if not comparison.shifts:
        return "No rule found anything to object to, on either side."
    text = "What became of each finding from A to B, the new ones first."
    if comparison.with_fate("unknown"):
        text += " What could not be judged in B is not gone."
    return text


def _shift(shift: Shift) -> ShiftPart:
    seen = shift.seen
    return ShiftPart(
        shift.fate,
        FATES[shift.fate],
        seen.rule,
        clean(seen.title),
        seen.checklist,
        _seen(shift.before),
        _seen(shift.after),
    )


def _seen(seen: Seen | None) -> str:
    if seen is None:
        return ""
    others = f" And {count(seen.sites - 1, 'more site')}." if seen.sites > 1 else ""
    return f"{seen.severity}: {clean(seen.message)}{others}"


def _rows(comparison: Comparison) -> Table | None:
    if not comparison.rows:
        return None
    rows = [(row.asks, VERDICTS[row.before][1], VERDICTS[row.after][1]) for row in comparison.rows]
    return Table("Rows of the checklist whose verdict differs", ("Question", "A", "B"), tuple(rows))


def _ends(ends: tuple[End, ...]) -> Table | None:
    if not ends:
        return None
    rows = [
        (clean(one.name), *(_known(found) for found in (one.before, one.after, one.lowest_before, one.lowest_after)))
        for one in ends
    ]
    return Table("What Keras logged", ("Name", "A, last", "B, last", "A, lowest", "B, lowest"), tuple(rows))


def _known(found: float) -> str:
    return "–" if math.isnan(found) else number(found)


def _settings_intro(comparison: Comparison) -> str:
    if comparison.before is None:
        return "A baseline knows no settings."
    if not comparison.settings:
        return "Every setting that was recorded is the same in both."
    return f"{count(len(comparison.settings), 'setting')} of those recorded {_differ(len(comparison.settings))}."


def _differ(amount: int) -> str:
    return "differs" if amount == 1 else "differ"


def _settings(comparison: Comparison) -> list[Table]:
    def site(one: Setting) -> str:
        return one.site

    made = []
    for name, group in groupby(sorted(comparison.settings, key=site), site):
        rows = [(shorten(clean(one.attribute)), value(one.before), value(one.after)) for one in group]
        left = len(rows) - _MOST_SETTINGS
        more = f"and {left:,} more" if left > 0 else ""
        made.append(Table(shorten(clean(name)), ("Setting", "A", "B"), tuple(rows[:_MOST_SETTINGS]), more))
    return made


def _commands(comparison: Comparison) -> tuple[Pair, ...]:
    paths = [one.result.run.path for one in (comparison.before, comparison.after) if one is not None]
    quoted = [shlex.quote(visible(path)) for path in paths if path]
    if len(quoted) < len(paths) or comparison.before is None:
        return ()
    return (Pair("Write this again", f"tfhealth compare {' '.join(quoted)}"),)
