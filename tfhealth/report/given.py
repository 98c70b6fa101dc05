"""(Run) -> what the model was given: a few real samples with their labels, as images or as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfhealth.report.document import Card, Given, Table
from tfhealth.report.words import clean, count, number, shorten
from tfhealth.run import Run
from tfhealth.samples import Samples

__all__ = ["given", "given_intro"]

_INPUTS = 6
_NUMBERS = 16  # of a sample in a table
_LABEL_NUMBERS = 6


def given_intro(run: Run) -> str:
    """Return what the samples are; empty where the run keeps none."""
    if not run.samples:
        return ""
    kept, step = max(len(one.values) for one in run.samples), run.samples[0].step
    which = "sample" if kept == 1 else f"{kept} samples"
    return (
        f"The first {which} of the batch at step {step:,}, as the first layer got them. They are kept in the run; "
        "HealthCallback(samples=0) keeps none."
    )


def given(run: Run) -> tuple[Given, ...]:
    """Return the samples of each input, labels beside those of the first one; labels that are images stand apart."""
    inputs = [one for one in run.samples if one.site.kind == "input"][:_INPUTS]
    labels = [one for one in run.samples if one.site.kind == "label"]
    beside = [one for one in labels if one.form != "image"]
    shown = [_given(one, run, [] if place else beside) for place, one in enumerate(inputs)]
    apart = [one for one in labels if one.form == "image" or not inputs][:_INPUTS]
    return (*shown, *(_given(one, run, []) for one in apart))


def _given(one: Samples, run: Run, labels: Sequence[Samples]) -> Given:
    name = shorten(clean(one.site.name))
    title = f"{'Labels' if one.site.kind == 'label' else 'Input'} of {name}"
    shape = " × ".join(f"{size:,}" for size in one.shape)
    shape = "one number" if math.prod(one.shape) == 1 else f"{shape} numbers"
    if one.form == "image":
        caption = f"Each is {shape}; black is {number(one.low)}, white is {number(one.high)}."
        held = " × ".join(str(size) for size in one.values.shape[1:3])
        caption += "" if one.values.shape[1:] == one.shape else f" Shown with {held} pixels."
        return Given(title, caption, tuple(_card(one, place, run, labels) for place in range(len(one.values))))
    caption = f"Each is {shape}" + (", token ids." if one.form == "ids" and one.site.kind == "input" else ".")
    head = ("Sample", "First values" if math.prod(one.shape) > _NUMBERS else "Values", *_titles(labels))
    rows = [
        (f"{place + 1}", _numbers(one, place, _NUMBERS), *(_label(label, place, run) for label in labels))
        for place in range(len(one.values))
    ]
    return Given(title, caption, table=Table("", head, tuple(rows)))


def _titles(labels: Sequence[Samples]) -> list[str]:
    return ["Label" if len(labels) == 1 else f"Label of {shorten(clean(one.site.name), 24)}" for one in labels]


def _card(one: Samples, place: int, run: Run, labels: Sequence[Samples]) -> Card:
    pairs = zip(_titles(labels), labels, strict=True)
    lines = tuple(f"{title} {_label(label, place, run)}" for title, label in pairs)
    alt = ", ".join([f"Sample {place + 1} of {count(len(one.values), 'image')}", *(line.lower() for line in lines)])
    return Card(one.values[place], alt, lines)


def _label(label: Samples, place: int, run: Run) -> str:
    """Return a label in words: a class, or the first of its numbers."""
    if place >= len(label.values):
        return "–"
    if run.sites.get(label.site, {}).get("encoding") == "onehot" and label.values.shape[1] == math.prod(label.shape):
        return f"{int(label.values[place].argmax())}"
    return _numbers(label, place, _LABEL_NUMBERS)


def _numbers(one: Samples, place: int, most: int) -> str:
    shown = ", ".join(_plain(float(found)) for found in one.values[place][:most])
    return f"{shown}, …" if math.prod(one.shape) > most else shown


def _plain(found: float) -> str:
    """Return a number as short as in a table; ids and classes without separators."""
    return f"{int(found)}" if math.isfinite(found) and found == int(found) and abs(found) < 1e15 else number(found)
