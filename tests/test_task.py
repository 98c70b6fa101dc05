"""What each output is trained to do, read from labels, loss and output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfhealth.plan import Plan
from tfhealth.rules import load_checklist
from tfhealth.series import Probe, Series, Site
from tfhealth.task import NEEDS, with_tasks

INDEX = {"minimum": 0.0, "maximum": 9.0, "integer_fraction": 1.0}
ROWS = {"minimum": 0.0, "maximum": 1.0, "integer_fraction": 1.0}
NUMBERS = {"minimum": -2.1, "maximum": 2.4, "integer_fraction": 0.01}
SPARSE = "sparse_categorical_crossentropy"


def output(seen: dict[str, float], units: int = 1, label_shape: tuple[int | None, ...] = (None, 1), **settings: Any):
    """Return the sites and series of one output whose labels showed these numbers."""
    prediction = {"loss": "mean_squared_error", "activation": "linear", "units": units, "rank": 2, **settings}
    label = {"loss": prediction["loss"], "units": units, "shape": str(label_shape), "rank": len(label_shape)}
    sites = {Site("prediction", "out"): prediction, Site("label", "out"): label}
    values = {Probe(Site("label", "out"), name): value for name, value in seen.items()}
    return sites, {probe: Series(np.arange(1), np.array([value])) for probe, value in values.items()}


def task(sites: dict, series: dict) -> tuple[Any, Any]:
    attributes = with_tasks(sites, series.get)[Site("prediction", "out")]
    return attributes["task"], attributes["labels"]


@pytest.mark.parametrize(
    ("expected", "seen", "settings"),
    [
        (("multiclass", "index"), INDEX, {"units": 10, "loss": SPARSE, "label_shape": (None,)}),
        (("multiclass", "index"), INDEX, {"loss": "binary_crossentropy", "activation": "sigmoid"}),
        (("regression", "index"), {**INDEX, "maximum": 346.0}, {"activation": "sigmoid"}),
        (("regression", "index"), INDEX, {}),
        (("multiclass", "onehot"), {**ROWS, "row_sum_error": 0.0}, {"units": 10, "label_shape": (None, 10)}),
        (("multilabel", "multihot"), {**ROWS, "row_sum_error": 2.0}, {"units": 5, "label_shape": (None, 5)}),
        (("binary", "binary"), ROWS, {}),
        (("binary", "signed"), {**ROWS, "minimum": -1.0}, {"loss": "hinge"}),
        (("regression", "number"), NUMBERS, {}),
        (("binary", "number"), {**NUMBERS, "minimum": 0.05, "maximum": 0.95}, {"loss": "binary_crossentropy"}),
        (("sequence", "index"), INDEX, {"units": 10, "rank": 3, "loss": SPARSE, "label_shape": (None, 10)}),
        (("unknown", None), {}, {"loss": None}),
    ],
    ids=str,
)
def test_task_is_read_from_labels_first(expected, seen, settings):
    """The same labels with another loss or output are another task only where they leave it open."""
    assert task(*output(seen, **settings)) == expected


def test_metric_tells_classes_from_counts():
    """Small whole numbers with a squared error are classes for somebody who asks for their accuracy."""
    sites, series = output(INDEX)
    sites[Site("fact", "compile")] = {"metrics": "accuracy"}
    assert task(sites, series) == ("multiclass", "index")


@pytest.mark.parametrize(("mean", "expected"), [(0.31, "autoencoder"), (0.9, "regression")])
def test_labels_that_are_the_inputs_make_an_autoencoder(mean, expected):
    """Labels of the inputs' shape and mean are the inputs, or the inputs with noise."""
    seen = {"minimum": 0.0, "maximum": 1.0, "integer_fraction": 0.2, "mean": 0.3, "std": 0.3}
    sites, series = output(seen, units=64, label_shape=(None, 64))
    sites[Site("input", "dense")] = {"shape": "(None, 64)"}
    series[Probe(Site("input", "dense"), "mean")] = Series(np.arange(1), np.array([mean]))
    assert task(sites, series)[0] == expected


@pytest.mark.parametrize(("noise", "expected"), [(0.01, "autoencoder"), (0.7, "multilabel"), (1.0, "multilabel")])
def test_labels_with_the_mean_of_the_inputs_are_copies_only_where_both_move_together(noise, expected):
    """Rows of bits and others that share few bits with them have the same mean, and each batch of them has its own."""
    sites, series = output(ROWS | {"row_sum_error": 4.0}, units=8, label_shape=(None, 8))
    sites[Site("input", "dense")] = {"shape": "(None, 8)"}
    rng, steps = np.random.default_rng(0), np.arange(60)
    means = rng.normal(0.5, 0.025, 60)
    series[Probe(Site("label", "out"), "mean")] = Series(steps, means)
    series[Probe(Site("label", "out"), "std")] = Series(steps, np.full(60, 0.5))
    others = (1 - noise) * means + noise * rng.normal(0.5, 0.025, 60)
    series[Probe(Site("input", "dense"), "mean")] = Series(steps, others)
    assert task(sites, series) == (expected, "multihot")


def test_run_has_one_kind_of_task_or_is_mixed():
    """The fact `task` says what all outputs share, how many there are, and why."""
    sites, series = output(NUMBERS)
    assert with_tasks(sites, series.get)[Site("fact", "task")] == {
        "kind": "regression",
        "labels": "number",
        "outputs": 1,
        "evidence": "out: labels are numbers from -2.1 to 2.4; 1 unit ending in linear, "
        "trained with mean_squared_error",
        "weighted": None,
    }
    sites[Site("prediction", "other")] = {"loss": None}
    assert with_tasks(sites, series.get)[Site("fact", "task")]["kind"] == "mixed"


def test_run_without_outputs_has_no_task():
    """A training whose loss was not seen says nothing of a task."""
    assert with_tasks({Site("fact", "fit"): {}}, {}.get) == {Site("fact", "fit"): {}}


def test_rules_on_tasks_pull_what_tasks_are_read_from():
    """What chooses by the task is probed everywhere, for the task is not known yet; the labels' range with it."""
    plan = Plan.of(load_checklist())
    asked = {(kind, statistic) for kind, statistic, where in plan.requests if not where}
    assert set(NEEDS) <= asked
    assert not any("task" in where for _, _, where in plan.requests)
