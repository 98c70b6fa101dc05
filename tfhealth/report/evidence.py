"""(Finding, Rule, Run) -> the chart that proves a finding: what the rule judged, its limits and since when."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from tfhealth.conditions import Bound
from tfhealth.decide import switched_off
from tfhealth.panels import NOWHERE, Undecided, measured
from tfhealth.report.chart import Band, Chart, Dots, Flag, Line, Lines, leaves, sinks, thin, wants_log
from tfhealth.report.document import Picture
from tfhealth.report.words import clean, count, limit, number, shorten
from tfhealth.result import Finding
from tfhealth.rules.checklist import Override
from tfhealth.rules.model import Measure, Rule
from tfhealth.rules.wording import active_in_words
from tfhealth.run import Run
from tfhealth.series import Floats, Ints, Panel, Series, Site

__all__ = ["bound_of", "evidence", "panel_of", "rest_of"]

_CURVES = 5
_DOTS = 12
_SAME_SCALE = ("each", "first", "last", "mean", "median", "minimum", "maximum")  # looks whose limits fit the chart


def panel_of(measure: Measure, run: Run, off: Container[Site] = NOWHERE) -> Panel | None:
    """Return the panel that a measure yields without the sites in `off`; None where it yields none."""
    try:
        panel = measured(measure, run, off)
    except Undecided:
        return None
    return panel if len(panel) and len(panel.steps) else None


def bound_of(finding: Finding, rule: Rule) -> Bound | None:
    """Return the test that the finding breached."""
    return rule.condition.bound(finding.severity)


def evidence(finding: Finding, rule: Rule, run: Run, overrides: Sequence[Override] = ()) -> Picture | None:
    """Return the series of the worst sites with the limits they broke; None where one number says it all.

    Args:
        finding: what was found.
        rule: the form of the rule that found it.
        run: where it was found.
        overrides: where the rule differs; sites at which it is switched off are not shown.
    """
    if rule.measure.attribute is not None:
        return None
    panel = panel_of(rule.measure, run, switched_off(rule, run, overrides))
    if panel is None:
        return None
    places = {(site.kind, site.name): row for row, site in enumerate(panel.sites)}
    worst = [places[one.kind, one.name] for one in finding.sites if (one.kind, one.name) in places]
    bound = bound_of(finding, rule)
    bands = tuple(_bands(bound)) if bound else ()
    label = _label(rule.measure)
    chart: Chart | None
    if panel.measured.sum(axis=1).max() > 1:
        chart = _curves(panel, worst, label, bands, finding.step)
    else:
        chart = _dots(panel, worst, label, bands)
    if chart is None:
        return None
    lines = panel.take(worst[:_CURVES]).series()
    caption = f"What the rule judged: {label}.{_window(rule)} {_legend(bands, chart)}".strip()
    return Picture("", "", caption, _alt(label, lines, bound, finding), chart)


def _label(measure: Measure) -> str:
    text = measure.expr or f"{measure.kind} {measure.statistic}"
    if measure.relative_to is not None:
        text = f"{text}, relative to its {measure.relative_to}"
    if measure.across is not None:
        text = f"{text}, {measure.across.replace('_', ' ')} across layers"
    return shorten(text, 60)


def _bands(bound: Bound, shaded: bool = True) -> list[Band]:
    """Return the limits of a test that lie on the scale of its values; nested tests are lines without shade."""
    found = [band for one in bound.nested for band in _bands(one, shaded=False)]
    if bound.look not in _SAME_SCALE:
        return found
    allowed, sick = ("allowed", "sick") if shaded else ("", "")
    if bound.above is not None:
        found.append(Band(None, bound.above, allowed))
    if bound.below is not None:
        found.append(Band(bound.below, None, allowed))
    if bound.outside is not None:
        found.append(Band(*bound.outside, allowed))
    if bound.inside is not None:
        found.append(Band(*bound.inside, sick))
    return found


def _curves(panel: Panel, worst: Sequence[int], label: str, bands: tuple[Band, ...], step: int | None) -> Lines:
    shown = list(worst[:_CURVES]) or list(range(min(len(panel), _CURVES)))
    several = len({site.kind for site in panel.sites}) > 1
    lines = tuple(
        Line(f"{site.kind} " * several + shorten(clean(site.name), 52), *thin(*_known(series), len(shown)))
        for site, series in panel.take(shown).series()
    )
    rest = rest_of(panel, [row for row in range(len(panel)) if row not in shown])
    limits = np.array([end for band in bands for end in (band.low, band.high) if end is not None])
    everything = np.concatenate([*(line.values for line in lines), limits])
    # A chart that begins far from where it happened still marks it.
    flags = (Flag(step, f"since step {step:,}"),) if step is not None and step >= panel.steps[0] else ()
    return Lines(lines, label, wants_log(everything), bands, flags, rest)


def _known(series: Series) -> tuple[Ints, Floats]:
    """Leave out a beginning of NaN that numbers follow: some statistics need several probes before they know."""
    finite = np.isfinite(series.values)
    first = int(finite.argmax()) if finite.any() and np.isnan(series.values[: finite.argmax()]).all() else 0
    return series.steps[first:], series.values[first:]


def rest_of(panel: Panel, rows: Sequence[int]) -> tuple[Ints, Floats, Floats, str] | None:
    """Return the range of the finite values at the sites `rows`, at most about 200 steps of it."""
    if not rows:
        return None
    some = panel.take(rows)
    keep = np.unique(np.linspace(0, len(some.steps) - 1, min(len(some.steps), 200)).round().astype(int))
    values, known = some.values[:, keep], some.measured[:, keep]
    finite = known & np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=0)
    high = np.where(finite, values, -np.inf).max(axis=0)
    inside = finite.any(axis=0)
    if inside.sum() < 2:
        return None
    return some.steps[keep][inside], low[inside], high[inside], f"range of {count(len(rows), 'other site')}"


def _dots(panel: Panel, worst: Sequence[int], label: str, bands: tuple[Band, ...]) -> Dots | None:
    others = [row for row in range(len(panel)) if row not in worst]
    chosen = [row for row in [*worst, *others] if panel.measured[row].any()][:_DOTS]
    if len(chosen) < 2:
        return None
    values = np.array([panel.values[row][panel.measured[row]][0] for row in chosen])
    names = tuple(shorten(clean(panel.sites[row].name), 44) for row in chosen)
    return Dots(names, values, label, wants_log(values), bands)


def _window(rule: Rule) -> str:
    if rule.active.until_step == 1:
        return " Only step 0 counts."
    text = " ".join(active_in_words(rule.active))
    return f" Only what lies {text} counts." if text else ""


def _legend(bands: Sequence[Band], chart: Chart) -> str:
    parts = []
    shades = {band.shade for band in bands}
    if "allowed" in shades:
        parts.append("Green: within the limits.")
    if "sick" in shades:
        parts.append("Red: what the rule objects to.")
    if isinstance(chart, Lines) and any(not np.isfinite(line.values).all() for line in chart.lines):
        parts.append("Crosses at the upper edge: NaN or Inf.")
    if isinstance(chart, Lines) and sinks(chart):
        parts.append("Values on the lower edge are smaller still.")
    if isinstance(chart, Lines) and chart.log and leaves(chart):
        parts.append("Curves that leave the chart go on rising.")
    return " ".join(parts)


def _alt(label: str, lines: Sequence[tuple[Site, Series]], bound: Bound | None, finding: Finding) -> str:
    told = []
    for site, series in lines:
        if len(series):
            ends = f"{number(series.values[0])} at step {series.steps[0]:,}, {number(series.values[-1])} at step "
            told.append(f"{shorten(clean(site.name))}: {ends}{series.steps[-1]:,}")
    text = f"Chart of {label}. {'; '.join(told)}."
    if bound is not None:
        text += f" The rule objects to values {limit(bound)}."
    return text if finding.step is None else f"{text} It did from step {finding.step:,}."
