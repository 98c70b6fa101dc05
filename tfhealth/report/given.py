"""(Run) -> what the model was given: some samples with labels and predictions, and what all batches had in common."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfhealth.report.document import Card, Given, Table
from tfhealth.report.summed import mean_image, summed
from tfhealth.report.words import clean, count, number, shorten
from tfhealth.run import Run
from tfhealth.samples import Samples

__all__ = ["given", "given_intro"]

_INPUTS = 6
_NUMBERS = 16  # of a sample in a table
_LABEL_NUMBERS = 6
_TITLES = {"input": "Input", "label": "Labels", "prediction": "Predictions"}
_BESIDE = {"label": "Label", "prediction": "Predicted"}


def given_intro(run: Run) -> str:
    """Return what the samples are; empty where the run keeps none."""
    if not run.samples:
        return ""
    kept, step = max(len(one.values) for one in run.samples), run.samples[0].step
    which = "sample" if kept == 1 else f"{kept} samples"
    text = f"The first {which} of the batch at step {step:,}, as the first layer got them"
    if any(one.site.kind == "prediction" for one in run.samples):
        text += ", with what the model predicted in that step, in training mode"
    return f"{text}. They are kept in the run; HealthCallback(samples=0) keeps none, and no figures of the data."


def given(run: Run) -> tuple[Given, ...]:
    """Return the samples of each input, labels and predictions beside those of the first one; images stand apart.

    What all batches had in common comes first.
    """
    kinds = {kind: [one for one in run.samples if one.site.kind == kind] for kind in _TITLES}
    beside = [one for kind in _BESIDE for one in kinds[kind] if one.form != "image"]
    shown = [_given(one, run, [] if place else beside) for place, one in enumerate(kinds["input"][:_INPUTS])]
    apart = [one for kind in _BESIDE for one in kinds[kind] if one.form == "image" or not shown][:_INPUTS]
    return (*summed(run), *shown, *(_given(one, run, []) for one in apart))


def _given(one: Samples, run: Run, beside: Sequence[Samples]) -> Given:
    title = f"{_TITLES[one.site.kind]} of {shorten(clean(one.site.name))}"
    shape = " × ".join(f"{size:,}" for size in one.shape)
    shape = "one number" if math.prod(one.shape) == 1 else f"{shape} numbers"
    if one.form == "image":
        caption = f"Each is {shape}; black is {number(one.low)}, white is {number(one.high)}."
        held = " × ".join(str(size) for size in one.values.shape[1:3])
        caption += "" if one.values.shape[1:] == one.shape else f" Shown with {held} pixels."
        cards = [_card(one, place, run, beside) for place in range(len(one.values))]
        mean = mean_image(one, run)
        return Given(title, caption, (*([mean] if mean else []), *cards))
    caption = f"Each is {shape}" + (", token ids." if one.form == "ids" and one.site.kind == "input" else ".")
    head = ("Sample", "First values" if math.prod(one.shape) > _NUMBERS else "Values", *_titles(beside))
    rows = [
        (f"{place + 1}", _told(one, place, run), *(_told(other, place, run) for other in beside))
        for place in range(len(one.values))
    ]
    return Given(title, caption, table=Table("", head, tuple(rows)))


def _titles(beside: Sequence[Samples]) -> list[str]:
    """Return what labels and predictions are called, with the output's name where there are several."""
    alone = {kind: sum(one.site.kind == kind for one in beside) == 1 for kind in _BESIDE}
    return [
        _BESIDE[one.site.kind]
        if alone[one.site.kind]
        else f"{_BESIDE[one.site.kind]} of {shorten(clean(one.site.name), 24)}"
        for one in beside
    ]


def _card(one: Samples, place: int, run: Run, beside: Sequence[Samples]) -> Card:
    pairs = zip(_titles(beside), beside, strict=True)
    lines = tuple(f"{title} {_told(other, place, run)}" for title, other in pairs)
    wrong = any(_wrong(other, place, run, beside) for other in beside if other.form == "class")
    told = [f"Sample {place + 1} of {count(len(one.values), 'image')}", *(line.lower() for line in lines)]
    return Card(one.values[place], ", ".join([*told, *(["wrong"] if wrong else [])]), lines, wrong)


def _wrong(predicted: Samples, place: int, run: Run, beside: Sequence[Samples]) -> bool:
    """Return whether a predicted class is another than that of the label of the same output."""
    label = next((one for one in beside if (one.site.kind, one.site.name) == ("label", predicted.site.name)), None)
    if label is None or place >= min(len(label.values), len(predicted.values)):
        return False
    return _told(label, place, run) != _plain(float(predicted.values[place, 0]))


def _told(one: Samples, place: int, run: Run) -> str:
    """Return a sample in words: a class, or the first of its numbers."""
    if place >= len(one.values):
        return "–"
    if one.form == "class":
        found, share = (float(value) for value in one.values[place])
        return f"{_plain(found)} ({share:.0%})" if math.isfinite(share) else "NaN"
    onehot = one.site.kind == "label" and run.sites.get(one.site, {}).get("encoding") == "onehot"
    if onehot and one.values.shape[1] == math.prod(one.shape):
        return f"{int(one.values[place].argmax())}"
    return _numbers(one, place, _NUMBERS if one.site.kind == "input" else _LABEL_NUMBERS)


def _numbers(one: Samples, place: int, most: int) -> str:
    shown = ", ".join(_plain(float(found)) for found in one.values[place][:most])
    return f"{shown}, …" if math.prod(one.shape) > most else shown


def _plain(found: float) -> str:
    """Return a number as short as in a table; ids and classes without separators."""
    return f"{int(found)}" if math.isfinite(found) and found == int(found) and abs(found) < 1e15 else number(found)
