"""Sites and what was measured at labels and inputs -> what each output is trained to do, with the evidence in words.

A task is read from the labels first, since a wrong loss or output must not hide it; the loss, the output and the
metrics decide where the labels alone do not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tfhealth.series import Attribute, Floats, Probe, Series, Site

__all__ = ["DERIVED", "FORMS", "NEEDS", "TASKS", "with_tasks"]

TASKS = ("binary", "multiclass", "multilabel", "regression", "sequence", "autoencoder", "unknown")
"""What `task` can be at a label or prediction; of several outputs that differ, the fact `task.kind` is `mixed`."""

FORMS = ("index", "onehot", "multihot", "binary", "signed", "distribution", "number")
"""What `labels` can be: how labels write what they say; None where it was not measured."""

DERIVED = frozenset({"task", "labels", "evidence"})
"""Attributes of labels and predictions that are known only once a run is read, and so cannot choose what to probe."""

NEEDS = (
    *(("label", name) for name in ("mean", "std", "minimum", "maximum", "integer_fraction", "row_sum_error")),
    ("input", "mean"),
)
"""The (kind, statistic) pairs that tasks are read from."""

_SPARSE = "sparse_categorical_crossentropy"
_FEWEST, _STILL = 8, 1e-4  # batches that a correlation takes, and means that differ by less are the same
_TOGETHER = 0.5  # correlation; of a thing with itself and noise of its own size it would be 0.7
_MANY = 30  # whole numbers up to here may be classes where nothing but a metric says so

_SAID = {
    "index": "whole numbers from {least:g} to {most:g}, one for each answer",
    "onehot": "rows of 0 and 1 with one 1 each",
    "multihot": "rows of 0 and 1 with any number of 1s",
    "binary": "0 and 1",
    "signed": "whole numbers from -1 to 1",
    "distribution": "rows of shares that add up to 1",
    "number": "numbers from {least:.3g} to {most:.3g}",
}

Sites = Mapping[Site, Mapping[str, Attribute]]


@dataclass(frozen=True, slots=True)
class _Labels:
    """What was seen of the labels of one output: their range, and how they are written."""

    form: str | None
    least: float
    most: float
    copied: bool

    @property
    def words(self) -> str:
        """What they are, for people."""
        if self.form is None:
            return "labels were not measured"
        return "labels are " + _SAID[self.form].format(least=self.least, most=self.most)


def with_tasks(sites: Sites, series: Callable[[Probe], Series | None]) -> dict[Site, Mapping[str, Attribute]]:
    """Return the sites with `task`, `labels` and `evidence` at labels and predictions, and with the fact `task`.

    Args:
        sites: every site of a run with its attributes.
        series: what a probe yielded; None where it was never measured.
    """
    found: dict[Site, Mapping[str, Attribute]] = dict(sites)
    outputs = [site for site, attributes in sites.items() if site.kind == "prediction" and "loss" in attributes]
    derived = {site.name: _derived(site, sites, series) for site in outputs}
    for site in sites:
        kind = site.kind.removeprefix("validation_")
        if kind in ("label", "prediction") and site.name in derived:
            found[site] = {**sites[site], **derived[site.name]}
    if derived:
        found[Site("fact", "task")] = {**_whole(derived), "weighted": _weighted(sites)}
    return found


def _whole(derived: Mapping[str, Mapping[str, Attribute]]) -> dict[str, Attribute]:
    """Return what a run is about: the task that all outputs share, and why each is thought to have its own."""
    return {
        "kind": _shared(derived, "task"),
        "labels": _shared(derived, "labels"),
        "outputs": len(derived),
        "evidence": "; ".join(f"{name}: {one['evidence']}" for name, one in derived.items()),
    }


def _weighted(sites: Sites) -> Attribute:
    """Whether samples or classes have weights; None where the loss was not seen."""
    found = [attributes.get("weighted") for site, attributes in sites.items() if site.kind == "loss"]
    return next((one for one in found if one is not None), None)


def _shared(derived: Mapping[str, Mapping[str, Attribute]], name: str) -> Attribute:
    found = list(dict.fromkeys(one[name] for one in derived.values()))
    return found[0] if len(found) == 1 else "mixed"


def _derived(output: Site, sites: Sites, series: Callable[[Probe], Series | None]) -> dict[str, Attribute]:
    prediction = sites[output]
    labels = _labels(Site("label", output.name), sites, series)
    metrics = str(sites.get(Site("fact", "compile"), {}).get("metrics") or "")
    task = _task(prediction, labels, "acc" in metrics)
    units, loss, activation = prediction.get("units"), prediction.get("loss"), prediction.get("activation")
    ending = f" ending in {activation}" if activation else ""
    wide = f"{units} unit" if units == 1 else f"{units} units"
    evidence = f"{labels.words}; {wide}{ending}, trained with {loss or 'a loss that is not known'}"
    return {"task": task, "labels": labels.form, "evidence": evidence}


def _task(prediction: Mapping[str, Attribute], labels: _Labels, accuracy: bool) -> str:
    if labels.copied:
        return "autoencoder"
    answer = _answer(prediction, labels, accuracy)
    rank = prediction.get("rank")
    return "sequence" if rank == 3 and answer != "unknown" else answer


def _answer(prediction: Mapping[str, Attribute], labels: _Labels, accuracy: bool) -> str:
    """Return what one answer of an output is: one of two, one of several, several at once, or a number."""
    form, loss, units = labels.form, str(prediction.get("loss")), prediction.get("units")
    activation = prediction.get("activation")
    crossentropy = "crossentropy" in loss
    if form in ("onehot", "distribution"):
        return "binary" if units == 2 else "multiclass"
    if form == "multihot":
        return "multilabel"
    if form in ("binary", "signed"):
        return "binary"
    if form == "index":
        few = labels.least in (0, 1) and labels.most <= _MANY
        classes = crossentropy or activation == "softmax" or (few and (accuracy or activation == "sigmoid"))
        return "multiclass" if classes else "regression"
    if form == "number":
        shares = labels.least >= 0 and labels.most <= 1 and loss in ("binary_crossentropy", "binary_focal_crossentropy")
        return ("binary" if units == 1 else "multilabel") if shares else "regression"
    return {_SPARSE: "multiclass", "categorical_crossentropy": "multiclass"}.get(loss, "unknown")


def _labels(site: Site, sites: Sites, series: Callable[[Probe], Series | None]) -> _Labels:
    least, most = _extreme(series, site, "minimum", np.min), _extreme(series, site, "maximum", np.max)
    if least is None or most is None:
        return _Labels(None, np.nan, np.nan, copied=False)
    whole = _extreme(series, site, "integer_fraction", np.min)
    uneven = _extreme(series, site, "row_sum_error", np.max)
    attributes = sites.get(site, {})
    form = _form(least, most, whole, uneven, _columns(attributes)) if whole is not None else None
    return _Labels(form, least, most, copied=form != "index" and _copied(site, sites, series))


def _form(least: float, most: float, whole: float | None, uneven: float | None, columns: int) -> str:
    """Return how labels are written, one of `FORMS`.

    Args:
        least: the smallest one.
        most: the largest one.
        whole: the share of whole numbers.
        uneven: how far the sum of a row is from 1; None where rows are no such thing.
        columns: numbers in a row.
    """
    shares = least >= 0 and most <= 1
    if columns > 1:
        even = shares and uneven is not None and uneven < 1e-3
        if whole == 1 and shares:
            return "onehot" if even else "multihot"
        return "distribution" if even else "number"
    if whole != 1:
        return "number"
    if shares:
        return "binary"
    if least == -1 and most == 1:
        return "signed"
    return "index" if least >= 0 else "number"


def _columns(attributes: Mapping[str, Attribute]) -> int:
    """Return how many numbers a row of labels has; sparse labels of a sequence are no rows."""
    sizes = _sizes(attributes.get("shape"))
    return sizes[-1] or 1 if len(sizes) > 1 and attributes.get("loss") != _SPARSE else 1


def _sizes(shape: Attribute) -> list[int | None]:
    """Return a recorded shape, such as "(None, 10)", as numbers."""
    return [None if one == "None" else int(one) for one in re.findall(r"None|\d{1,12}", str(shape or ""))]


def _copied(label: Site, sites: Sites, series: Callable[[Probe], Series | None]) -> bool:
    """Tell whether labels are what went in, with noise on one of them or not."""
    sizes = _sizes(sites.get(label, {}).get("shape"))[1:]
    target = [series(Probe(label, name)) for name in ("mean", "std")]
    for site, attributes in sites.items():
        same = site.kind == "input" and _sizes(attributes.get("shape"))[1:] == sizes
        if not same or math.prod(size or 2 for size in sizes) == 1:
            continue
        given = series(Probe(site, "mean"))
        if given is None or target[0] is None or target[1] is None:
            continue
        steps, mine, others = np.intersect1d(target[0].steps, given.steps, return_indices=True)
        asked, went_in = target[0].values[mine], given.values[others]
        spread = float(np.median(target[1].values))
        # The next values of a sequence have nearly the mean of the sequence, so there nothing but equality counts.
        close = 1e-4 if attributes.get("rank") == 3 else 0.1
        if (
            len(steps)
            and np.median(np.abs(asked - went_in)) <= close * spread
            and _move_together(asked, went_in, spread)
        ):
            return True
    return False


def _move_together(one: Floats, other: Floats, spread: float) -> bool:
    """Tell whether the means of two things rise and fall together from batch to batch, or hardly change at all.

    Args:
        one: the mean of each batch, float[n].
        other: that of the other thing, float[n].
        spread: the standard deviation of single values.
    """
    moving = min(np.std(one), np.std(other)) > _STILL * spread
    if len(one) < _FEWEST or not moving:
        return True
    return bool(np.corrcoef(one, other)[0, 1] > max(_TOGETHER, 2 / np.sqrt(len(one))))


def _extreme(
    series: Callable[[Probe], Series | None], site: Site, statistic: str, reduce: Callable[..., float]
) -> float | None:
    found = series(Probe(site, statistic))
    values = np.empty(0) if found is None else found.values[np.isfinite(found.values)]
    return float(reduce(values)) if len(values) else None
