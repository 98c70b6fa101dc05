"""A fit that is about to begin -> the same experiments as by `tfhealth.preflight`, on its model and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras

from tfhealth import report
from tfhealth.capture.ahead import TriedAhead
from tfhealth.capture.callback import HealthCallback
from tfhealth.console import summary
from tfhealth.loading import load
from tfhealth.preflight.run import Order, check_model, examine, remedied, validation_of
from tfhealth.preflight.source import gathered
from tfhealth.preflight.untouched import untouched

__all__ = ["after_fit", "before_fit"]

_SEED = 1234


def before_fit(callback: HealthCallback, model: Any, given: Mapping[str, Any]) -> TriedAhead:
    """Run what a callback asks for.

    Args:
        callback: what is to be tried, by which rules, and where the report goes.
        model: the model that will be trained.
        given: what `fit` was given, by the names of its arguments; x at least.

    Raises:
        UsageError: the model or the data cannot be tried.
        KeyboardInterrupt: Ctrl-C.
    """
    assert callback.ahead is not None
    check_model(model)
    name = callback.name or str(model.name)
    order = Order(callback.ahead, callback.checklist, callback.out, callback.formats, callback.verbose, name)
    x, y, validation = _split(given)
    with untouched(_SEED):
        samples = gathered(x, y, until=order.reads_until)
        others = None if validation is None else validation_of(validation, order.reads_until)
    size = given.get("batch_size")
    if isinstance(size, int) and not samples.taken:
        samples = replace(samples, batch_size=size)
    result, run = examine(model, replace(samples, taken=()), others, order)
    return TriedAhead(result, run)


def after_fit(callback: HealthCallback, model: Any, given: Mapping[str, Any]) -> None:
    """Try what the findings of a fit that has ended advise, and write its report anew; arguments as above."""
    assert callback.ahead is not None
    found, folder = callback.result, callback.run_dir
    if found is None or folder is None or not found.findings:
        return
    x, y, _ = _split(given)
    callback.result = remedied(found, model, x, y, callback.ahead.budget)
    written = report.write_report(callback.result, load(folder), callback.checklist, folder, callback.formats)
    if callback.verbose:
        print(summary(callback.result, written), flush=True)


def _split(given: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return x, y and the validation data; of arrays Keras takes the last ones where a share is asked for."""
    x, y, validation = given["x"], given.get("y"), given.get("validation_data")
    share = given.get("validation_split")
    if validation is not None or not share or y is None:
        return x, y, None if isinstance(validation, Iterator) else validation
    count = int(keras.tree.flatten(x)[0].shape[0] * (1 - share))
    first, last = (
        tuple(keras.tree.map_structure(lambda one, part=part: one[part], whole) for whole in (x, y))
        for part in (slice(count), slice(count, None))
    )
    return *first, last
