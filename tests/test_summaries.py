"""What all batches had in common: classes, features and mean images, against NumPy; nothing from a bad file."""

from __future__ import annotations

import json
from contextlib import closing
from sqlite3 import connect

import numpy as np
import pytest
import tensorflow as tf

from tfhealth import load_run
from tfhealth.capture.sheet import Sheet
from tfhealth.capture.sites import Located
from tfhealth.capture.totals import Totals
from tfhealth.loading import DATABASE
from tfhealth.recorder import Recorder
from tfhealth.report.drawing import draw
from tfhealth.report.given import given
from tfhealth.report.summed import summed
from tfhealth.samples import Samples
from tfhealth.series import Site
from tfhealth.summaries import CLASSES, FEATURES, Summary, decoded, encoded

RNG = np.random.default_rng(0)
INPUT, LABEL = Site("input", "dense"), Site("label", "output")


def totals_of(batches, site=INPUT, replicas=1, **attributes):
    """Return the summaries of batches, of which the replicas take turns."""
    totals = Totals([None] * replicas)
    for place, batch in enumerate(batches):
        totals.write([Located(site, tf.constant(batch), attributes)], place % replicas)
    return list(totals.take())


def run_with(*found: Summary, samples=()):
    """Return a run that holds summaries."""
    recorder = Recorder(None)
    recorder.site(LABEL, {"encoding": "index"})
    recorder.samples(samples)
    recorder.summaries(found)
    run = recorder.snapshot()
    recorder.close()
    return run


@pytest.mark.parametrize("replicas", [1, 2])
def test_figures_of_features_are_those_of_all_batches(replicas):
    """Far from 0 too, over batches of several sizes; what is not finite is left out, an empty batch changes nothing."""
    x = (RNG.normal(size=(300, 3)) * [1e-3, 1.0, 1e3] + [1.0, -50.0, 1e4]).astype(np.float32)
    x[7, 1] = np.nan
    x[100:, 2] = np.inf
    (found,) = totals_of([x[:128], x[128:128], x[128:256], x[256:]], replicas=replicas)
    finite = np.where(np.isfinite(x), x, np.nan).astype(np.float64)
    assert (found.form, found.samples, found.size) == ("features", 300, 3)
    np.testing.assert_array_equal(found.values[0], [300, 299, 100])
    np.testing.assert_allclose(found.values[1], np.nanmean(finite, 0), rtol=1e-5)
    np.testing.assert_allclose(found.values[2], np.nanstd(finite, 0), rtol=1e-3)
    np.testing.assert_allclose(found.values[3:], [np.nanmin(finite, 0), np.nanmax(finite, 0)], rtol=1e-6)


def test_classes_are_counted():
    """As numbers, as one-hot rows, in every position of a sequence; what is no class is not counted."""
    labels = RNG.integers(0, 4, (6, 5))
    known = {"classes": 4, "encoding": "index"}
    (found,) = totals_of([labels, np.array([[9, -1, 2, 0, 0]])], LABEL, **known)
    whole = np.bincount(np.r_[labels.ravel(), 2, 0, 0], minlength=4)
    assert (found.values.tolist(), found.samples) == (whole.tolist(), 7)
    (onehot,) = totals_of([np.eye(4)[labels[:, 0]]], LABEL, classes=4, encoding="onehot")
    assert onehot.values.tolist() == np.bincount(labels[:, 0], minlength=4).tolist()
    assert totals_of([labels], LABEL, classes=CLASSES + 1, encoding="index") == []
    assert totals_of([labels], LABEL, classes=None, encoding=None) == []


def test_a_mean_image_is_the_mean_of_the_images():
    """Of every second pixel where the images are large; a pixel that is not finite counts as the mean so far."""
    images = RNG.uniform(size=(10, 100, 20, 3)).astype(np.float32)
    (found,) = totals_of([images[:4], images[4:]])
    assert (found.form, found.values.shape, found.size) == ("image", (50, 10, 3), 6000)
    np.testing.assert_allclose(found.values, images[:, ::2, ::2].mean(0), rtol=1e-5)
    broken = images[4:].copy()
    broken[0] = np.nan
    (found,) = totals_of([images[:4], broken])
    assert np.isfinite(found.values).all()


def test_what_has_no_fixed_features_is_left_out():
    """Tokens, sequences and sizes that vary; of many features the first ones are kept."""
    assert totals_of([RNG.integers(0, 9, (4, 6))]) == []
    assert totals_of([np.ones((4, 6), np.float32)], consumer="Embedding") == []
    assert totals_of([np.ones((4, 6, 2), np.float32)]) == []
    (found,) = totals_of([np.ones((4, FEATURES + 5), np.float32)])
    assert (found.values.shape, found.size) == ((5, FEATURES), FEATURES + 5)


def test_samples_are_taken_anew_as_training_goes_on():
    """So that predictions are those of a trained model: within the last eighth of the steps."""
    sheet = Sheet(2)

    @tf.function
    def step(number):
        values = tf.cast(tf.fill([2, 3], number), tf.float32)
        sheet.write([Located(INPUT, values, {})], number)

    for number in range(1000, 1100):
        step(tf.constant(number, tf.int64))
    (found,) = sheet.take()
    assert 1100 - 100 / 8 - 1 <= found.step < 1100
    assert found.values.tolist() == [[found.step] * 3] * 2
    assert sheet.take() == []


COUNTS = Summary(LABEL, "classes", 60, np.array([40.0, 0.0, 20.0]), 3)
SCALES = Summary(INPUT, "features", 9, np.array([[9, 9], [0.0, 5], [1, 1e4], [-3, -2e4], [3, 3e4]]), 2)


def test_pictures_say_what_they_show():
    """Classes with the fewest and the most, features with the widest and the narrowest; both can be drawn."""
    classes, features = summed(run_with(COUNTS, SCALES))
    assert "from 0 labels (class 1) to 40 (class 0). Never seen: 1 of them." in classes.picture.caption
    assert "Standard deviations from 1 (feature 0) to 10,000 (feature 1)." in features.picture.caption
    assert [one.picture.chart.powers for one in (classes, features)] == [False, True]
    for one in (classes, features):
        assert draw(one.picture.chart).count("<text") > 4


def test_many_rows_are_cut_to_both_ends():
    """The largest and the smallest, 24 together."""
    many = Summary(LABEL, "classes", 5000, np.arange(100.0)[::-1], 100)
    (found,) = summed(run_with(many))
    chart = found.picture.chart
    assert (chart.names[0], chart.names[-1], len(chart.names)) == ("class 0", "class 99", 24)
    assert "Shown are the 12 largest and the 12 smallest." in found.picture.caption


def test_a_mean_of_nothing_finite_can_be_shown():
    """Features that are all NaN have no picture, and such an image is black."""
    nothing = np.array([[0.0] * 2, *[[np.nan] * 2] * 4])
    image = Summary(INPUT, "image", 3, np.full((2, 2, 1), np.nan), 4)
    shown = Samples(INPUT, "image", 0, np.zeros((1, 2, 2, 1), np.uint8), (2, 2, 1), 0.0, 1.0)
    assert list(summed(run_with(Summary(INPUT, "features", 3, nothing, 2)))) == []
    (found,) = given(run_with(image, samples=[shown]))
    assert found.cards[0].pixels.max() == 0


def test_what_is_written_is_read():
    """A round trip through text and bytes; what is recorded later takes the place of what was before."""
    back = decoded("label", "output", *encoded(COUNTS))
    assert (back.site, back.form, back.samples, back.size) == (LABEL, "classes", 60, 3)
    assert back.values.tolist() == [40, 0, 20]
    later = Summary(LABEL, "classes", 99, np.array([50.0, 20.0, 29.0]), 3)
    recorder = Recorder(None)
    for one in (COUNTS, later):
        recorder.summaries([one])
    assert [one.samples for one in recorder.snapshot().summaries] == [99]
    recorder.close()


def changed(**keys):
    about, data = encoded(COUNTS)
    return json.dumps(json.loads(about) | keys), data


@pytest.mark.parametrize(
    "row",
    [
        ("input", *changed()),
        ("weight", *changed()),
        ("label", "{", b""),
        ("label", *changed(form="image")),
        ("label", *changed(held=[4])),
        ("label", *changed(held=[-3])),
        ("label", *changed(held=[3, True])),
        ("label", *changed(samples=0)),
        ("label", *changed(size=1 << 70)),
        ("label", changed()[0], np.array([1.0, np.nan, 2.0]).tobytes()),
        ("label", changed()[0], 7),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out(row, tmp_path):
    """A file that somebody changed: the run says that it is damaged, and is read without the row."""
    recorder = Recorder(tmp_path)
    recorder.close()
    kind, about, data = row
    with closing(connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO summary VALUES (?, ?, ?, ?)", (kind, "x", about, data))
    run = load_run(tmp_path)
    assert (run.summaries, run.damage) == ((), "summary: has rows that make no sense")
