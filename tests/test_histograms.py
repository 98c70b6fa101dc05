"""Histograms on demand: the right counts at a few steps, in the file and in the report, and none unasked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import KINDS, quiet, state
from tests.models import trained as plainly
from tfhealth import HealthCallback, evaluate, load_checklist, load_run
from tfhealth.capture.sketches import Sketches, counted
from tfhealth.errors import UsageError
from tfhealth.histograms import BINS, DECADES, FINITE, PER_DECADE, SIDE, SMALLEST, edges
from tfhealth.recorder import Recorder
from tfhealth.report.formats import page
from tfhealth.report.view import view
from tfhealth.series import Site


def twin(values):
    """Return the counts of values, one by one, float64[BINS]."""
    counts = np.zeros(BINS)
    limits = edges()
    for value in np.ravel(values).astype(np.float64):
        if not np.isfinite(value):
            counts[FINITE] += 1
        elif abs(value) < limits[0]:
            counts[SIDE] += 1
        else:
            place = min(int(np.searchsorted(limits, abs(value), "right")) - 1, SIDE - 1)
            counts[SIDE + 1 + place if value > 0 else SIDE - 1 - place] += 1
    return counts


def asked(folder, *globs, kind="dense", epochs=2, **settings):
    """Return the run of a fit with histograms of what the globs name, and the trained model."""
    callback = HealthCallback(**quiet(folder, histograms=globs, **settings.pop("watch", {})))
    model, _ = plainly(kind, [callback], epochs, **settings)
    return load_run(callback.run_dir), model


def test_the_bins_are_those_that_are_documented():
    """Four to a power of ten from 1e-8 to 1e4 of both signs, one around 0, one for what is not finite."""
    assert (PER_DECADE, SMALLEST, DECADES, SIDE, FINITE, BINS) == (4, -8, 12, 48, 97, 98)
    np.testing.assert_allclose(edges()[[0, 4, 48]], [1e-8, 1e-7, 1e4])


def test_counts_equal_those_of_a_slow_twin():
    """Values of all sizes and signs, zeros, and what is not finite."""
    rng = np.random.default_rng(0)
    values = (rng.choice([-1, 1], 3000) * 10.0 ** rng.uniform(-10, 6, 3000)).astype("float32")
    values[:6] = [0, -0.0, np.nan, np.inf, -np.inf, 1e38]
    counts = counted(tf.constant(values.reshape(30, 100))).numpy()
    # At an edge a logarithm in float32 may fall to the neighbor.
    assert np.abs(counts - twin(values)).sum() <= 4
    assert (counts[FINITE], counts.sum()) == (3, 3000)
    assert counts[SIDE] == twin(values)[SIDE]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the run of a dense net with histograms of all its layers."""
    return asked(tmp_path_factory.mktemp("runs"), "dense*")[0]


def test_weights_are_counted_as_they_are(whole):
    """The weights before the first step are those of the untrained model; each kind of tensor is there."""
    keras.utils.set_random_seed(1)
    start = KINDS["dense"][0]().get_weights()
    weights = [site for site in whole.histograms if site.kind == "weight"]
    assert [site.name.rpartition("/")[2] for site in weights] == ["kernel", "bias"] * 3
    for site, initial in zip(weights, start, strict=True):
        assert np.abs(whole.histograms[site].counts[0] - twin(initial)).sum() <= 2
    assert {site.kind for site in whole.histograms} == {"weight", "gradient", "update", "activation"}


@pytest.mark.parametrize("watch", [{"every": 7}, {"exact": True}])
def test_steps_are_few_and_spread(watch, tmp_path):
    """The first one, ever rarer ones, and the last one, whatever else is probed."""
    run, _ = asked(tmp_path, "dense*", epochs=5, watch=watch)
    steps = {tuple(one.steps.tolist()) for one in run.histograms.values()}
    assert steps == {(0, 1, 4, 16, 24)}
    kinds = {site.kind for site in run.histograms}
    assert kinds == {"weight", "gradient", "update", "activation"}


def test_steps_grow_by_four_over_any_length():
    """A million steps are looked at a dozen times; of an execution of many steps one is."""
    for count in (1, 32):
        sketches = Sketches(("x",), 999_999, [None])
        due = [step for step in range(0, 1_000_000, count) if sketches.due(step, count)]
        assert len(due) <= 12
        assert due[-1] == 1_000_000 - count
        assert due[0] == 0


@pytest.mark.parametrize("settings", [{"steps_per_execution": 4}, {"run_eagerly": True}, {"jit_compile": True}])
def test_every_way_to_run_counts(settings, tmp_path):
    """Several steps at once, eager, XLA: each element of a weight is counted at each step."""
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(5)])
    model.compile("sgd", "mse", **settings)
    callback = HealthCallback(**quiet(tmp_path, histograms=["kernel"]))
    x = np.random.default_rng(0).normal(size=(48, 12)).astype("float32")
    model.fit(x, x[:, :5], batch_size=4, verbose=0, callbacks=[callback])
    found = load_run(callback.run_dir).histograms
    assert [site.kind for site in found] == ["weight", "gradient", "update"]
    for one in found.values():
        assert one.counts.sum(1).tolist() == [60.0] * len(one.steps)
        assert one.steps.tolist() == ([0, 4, 8] if "steps_per_execution" in settings else [0, 1, 4, 11])


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_training_is_bit_identical(kind, tmp_path):
    """With histograms of everything and samples, the weights are those without us."""
    plain, _ = plainly(kind, [])
    _, model = asked(tmp_path, "*", kind=kind, watch={"every": 1, "samples": 16})
    one, other = state(plain), state(model)
    assert all(np.array_equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_nothing_is_counted_unasked(tmp_path):
    """Without names there are none, and with names that fit nothing there are none either."""
    assert asked(tmp_path)[0].histograms == {}
    assert asked(tmp_path, "no_such_layer")[0].histograms == {}


@pytest.mark.parametrize("given", ["dense*", [1], [""], 3])
def test_what_is_no_list_of_names_is_refused(given):
    """At once, with what is legal."""
    with pytest.raises(UsageError, match="histograms must be a list of names"):
        HealthCallback(histograms=given)


@pytest.mark.parametrize(
    "row",
    [
        ("loss", "batch", 0, np.zeros(BINS).tobytes()),
        ("weight", "a", 0, b"\0" * 8),
        ("weight", "a", 0, np.full(BINS, np.nan).tobytes()),
        ("weight", "a", 0, np.full(BINS, -1.0).tobytes()),
        ("weight", "a", 0, np.full(BINS, 1e300).tobytes()),
        ("weight", "a", "x", np.zeros(BINS).tobytes()),
        ("weight", "a", float("inf"), np.zeros(BINS).tobytes()),
        ("weight", "a", 0, 7),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out(row, tmp_path):
    """A file that somebody changed: the run says that it is damaged, and is read without the row."""
    recorder = Recorder(tmp_path)
    recorder.histograms(3, {Site("weight", "b"): np.ones(BINS)})
    recorder._connection.execute("INSERT INTO histogram (kind, name, step, data) VALUES (?, ?, ?, ?)", row)
    recorder.close()
    run = load_run(tmp_path)
    assert list(run.histograms) == [Site("weight", "b")]
    assert run.damage == "histogram: has rows that make no sense"


def test_the_report_has_a_picture_of_each_layer(whole):
    """Weights, biases, gradients, updates and activations side by side, with words for who cannot see them."""
    run = whole
    checklist = load_checklist()
    report = view(evaluate(checklist, run), run, checklist)
    shown = [one for one in report.pictures if one.name.startswith("histogram")]
    assert len(shown) == 3
    assert "Histograms of weights, biases, gradients, updates, activations of " in shown[0].alt
    assert [len(one.chart.panels) for one in shown] == [5, 5, 5]
    text = page(report)
    assert text.count('id="picture-histogram-') == 3
    assert shown[0].alt in text


def test_a_picture_of_odd_histograms_can_be_drawn():
    """Nothing but zeros, nothing but NaN, one value, no value at all."""
    odd = [np.eye(BINS)[SIDE], np.eye(BINS)[FINITE], np.eye(BINS)[0] * 1e17, np.zeros(BINS)]
    recorder = Recorder(None)
    for step, counts in enumerate(odd):
        recorder.histograms(step, {Site("weight", "$x^2$/kernel"): counts, Site("activation", "é#2"): counts})
    run = recorder.snapshot()
    recorder.close()
    checklist = load_checklist()
    report = view(evaluate(checklist, run), run, checklist)
    assert [one.title for one in report.pictures] == ["Values of $x^2$", "Values of é"]
    assert "NaN or Inf at step 1." in report.pictures[0].caption
    assert page(report).count("data:image/svg+xml") >= 2
