"""(Run) -> what all probed batches had in common: counts of classes, scales of features, mean images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfhealth.report.chart import Spans
from tfhealth.report.document import Card, Given, Picture
from tfhealth.report.words import clean, count, number, shorten
from tfhealth.run import Run
from tfhealth.samples import Samples
from tfhealth.series import Ints
from tfhealth.summaries import Summary

__all__ = ["mean_image", "summed"]

_ROWS = 24
_SITES = 6
_UNLIKE = 100.0  # times, from which on features are drawn on a scale of powers


def summed(run: Run) -> Iterator[Given]:
    """Yield a picture of the classes and of the features of the first inputs and labels."""
    for one in [one for one in run.summaries if one.form != "image"][:_SITES]:
        name = shorten(clean(one.site.name))
        if one.form == "classes":
            yield _classes(one, name)
        else:
            yield from _features(one, name)


def mean_image(one: Samples, run: Run) -> Card | None:
    """Return the mean of all images at the site of samples, as bright as these are; None where it is not known."""
    found = next((other for other in run.summaries if (other.site, other.form) == (one.site, "image")), None)
    if found is None or found.values.shape[2:] != one.values.shape[3:]:
        return None
    share = (np.nan_to_num(found.values) - one.low) / ((one.high - one.low) or 1.0)
    shown = np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return Card(shown, f"Mean of {count(found.samples, 'image')}", (f"Mean of {found.samples:,}",))


def _classes(one: Summary, name: str) -> Given:
    counts = one.values
    order = np.argsort(-counts, kind="stable")
    shown, some = _ends(order)
    never = int((counts == 0).sum())
    told = f"{len(counts):,} classes, from {counts.min():,.0f} labels (class {order[-1]}) to {counts.max():,.0f} "
    told += f"(class {order[0]})." + (f" Never seen: {never:,} of them." if never else "")
    caption = f"Labels of each class in the probed batches, {count(one.samples, 'sample')} together. {told}{some}"
    names = tuple(f"class {row}" for row in shown)
    chart = Spans(names, np.zeros(len(shown)), counts[shown], "labels")
    return Given(f"Classes of {name}", "", picture=_picture("classes", caption, chart))


def _features(one: Summary, name: str) -> Iterator[Given]:
    known, mean, std, least, most = one.values
    order = np.flatnonzero(known > 0)
    if not len(order):
        return
    order = order[np.argsort(-std[order], kind="stable")]
    shown, some = _ends(order)
    varying = std[shown][std[shown] > 0]
    chart = Spans(
        tuple(f"feature {row}" for row in shown),
        (mean - std)[shown],
        (mean + std)[shown],
        "value",
        least[shown],
        most[shown],
        powers=len(varying) > 0 and bool(varying.max() > _UNLIKE * varying.min()),
    )
    caption = (
        f"Each feature's mean and standard deviation (bar) and its range (line), over {count(one.samples, 'sample')}. "
        f"Standard deviations from {number(std[order[-1]])} (feature {order[-1]}) to {number(std[order[0]])} "
        f"(feature {order[0]}).{some}"
    )
    if one.size > len(known):
        caption += f" The first {len(known)} of {one.size:,} features were looked at."
    yield Given(f"Features of {name}", "", picture=_picture("features", caption, chart))


def _ends(order: Ints) -> tuple[Ints, str]:
    """Return which rows to show, in their own order: all, or the first and the last; and a sentence where not all."""
    if len(order) <= _ROWS:
        return np.sort(order), ""
    half = _ROWS // 2
    return np.concatenate([order[:half], order[-half:]]), f" Shown are the {half} largest and the {half} smallest."


def _picture(name: str, caption: str, chart: Spans) -> Picture:
    return Picture(name, "", caption, f"Bars, one below the other. {caption}", chart, narrow=True)
