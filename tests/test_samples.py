"""The contact sheet: few samples, small, with labels; none where data are private, nothing from a bad file."""

from __future__ import annotations

import json
import re
from contextlib import closing
from sqlite3 import connect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.models import quiet
from tfhealth import HealthCallback, evaluate, load_checklist, load_run
from tfhealth.capture.sheet import Sheet
from tfhealth.capture.sites import Located
from tfhealth.errors import UsageError
from tfhealth.loading import DATABASE
from tfhealth.recorder import Recorder
from tfhealth.report.formats import page
from tfhealth.report.pdf import to_pdf
from tfhealth.report.png import png
from tfhealth.report.view import view
from tfhealth.run import Run
from tfhealth.samples import BYTES, MOST, NUMBERS, SIDE, Samples, decoded, encoded, fitted, pixels
from tfhealth.series import Site

RNG = np.random.default_rng(0)
INPUT, LABEL = Site("input", "conv"), Site("label", "output")
IMAGES = RNG.integers(0, 256, (32, 12, 10, 3)).astype("float32")


def trained(folder, x, y, stack, loss="mse", fits=1, **settings) -> Run:
    """Return the run of a short fit of a stack of layers, in the order of the data."""
    model = keras.Sequential([keras.Input(x.shape[1:]), *stack])
    model.compile("sgd", loss)
    callback = HealthCallback(**quiet(folder, **settings))
    for _ in range(fits):
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=[callback])
    return load_run(callback.run_dir)


def report_of(run: Run):
    checklist = load_checklist()
    return view(evaluate(checklist, run), run, checklist)


def sheet_of(tensor, most=4, **attributes) -> Samples:
    """Return what a sheet takes of one tensor."""
    sheet = Sheet(most)
    sheet.write([Located(INPUT, tensor, attributes)], tf.constant(7, tf.int64))
    (found,) = sheet.take()
    return found


def test_images_and_classes_come_back(tmp_path):
    """Of the last batch: pixels as they are, what black and white stand for, labels and what was predicted of them."""
    labels = np.arange(32) % 5
    stack = [layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(5, "softmax")]
    run = trained(tmp_path, IMAGES, labels, stack, "sparse_categorical_crossentropy", samples=4)
    image, predicted, label = run.samples
    assert (image.form, image.shape, image.low, image.high, image.step) == ("image", (12, 10, 3), 0.0, 255.0, 1)
    np.testing.assert_array_equal(image.values, IMAGES[16:20].astype(np.uint8))
    assert label.values[:, 0].tolist() == [1, 2, 3, 4]
    assert (predicted.form, predicted.shape, predicted.values.shape) == ("class", (5,), (4, 2))
    assert ((predicted.values[:, 1] >= 0.2) & (predicted.values[:, 1] <= 1)).all()
    given = report_of(run).given[-1]
    assert given.caption == "Each is 12 × 10 × 3 numbers; black is 0, white is 255."
    mean, *cards = given.cards
    guesses = [(int(guess), f"{share:.0%}") for guess, share in predicted.values]
    assert [card.lines for card in cards] == [
        (f"Label {place}", f"Predicted {guess} ({share})") for place, (guess, share) in enumerate(guesses, 1)
    ]
    assert [card.wrong for card in cards] == [guess != place for place, (guess, _) in enumerate(guesses, 1)]
    assert cards[1].alt.startswith("Sample 2 of 4 images, label 2, predicted ")
    assert (mean.lines, mean.alt) == (("Mean of 32",), "Mean of 32 images")
    np.testing.assert_allclose(mean.pixels, IMAGES.mean(0), atol=1)


def test_tables_tokens_and_vectors_are_numbers(tmp_path):
    """The first numbers of a table with its target, and ids of tokens as ids."""
    x = RNG.normal(size=(32, 40)).astype("float32")
    run = trained(tmp_path, x, x[:, :1], [layers.Dense(1)])
    table, predicted, target = run.samples
    np.testing.assert_array_equal(table.values, x[16:24])
    np.testing.assert_array_equal(target.values, x[16:24, :1])
    assert (predicted.form, predicted.values.shape) == ("numbers", (8, 1))
    given = report_of(run).given[-1]
    assert given.table.head == ("Sample", "First values", "Label", "Predicted")
    assert len(given.table.rows) == 8
    assert given.table.rows[0][1].endswith(", …")
    tokens = RNG.integers(0, 30000, (32, 6))
    run = trained(tmp_path, tokens, x[:, :1], [layers.Embedding(30000, 2), layers.Flatten(), layers.Dense(1)])
    assert (run.samples[0].form, run.samples[0].values.tolist()) == ("ids", tokens[16:24].tolist())
    assert report_of(run).given[0].table.rows[0][1] == ", ".join(str(one) for one in tokens[16])


def test_none_are_kept_where_data_are_private(tmp_path):
    """samples=0: no row in the file, no byte of the data in it, no section in the report."""
    secret = np.full((32, 4), 1234.5678, "float32")
    kept, none = (trained(tmp_path, secret, secret[:, :1], [layers.Dense(1)], samples=count) for count in (2, 0))
    assert (len(kept.samples), none.samples) == (3, ())
    assert ([one.form for one in kept.summaries], none.summaries) == (["features"], ())
    files = [b"".join(one.read_bytes() for one in run.path.iterdir()) for run in (kept, none)]
    assert [secret[0].tobytes() in one for one in files] == [True, False]
    assert ["What the model was given" in page(report_of(run)) for run in (kept, none)] == [True, False]
    assert (report_of(none).given, report_of(none).given_intro) == ((), "")


@pytest.mark.parametrize("given", [-1, 17, 1.5, True, "8"])
def test_what_is_no_number_of_samples_is_refused(given):
    """At once, with what is legal."""
    with pytest.raises(UsageError, match=f"samples must be a whole number from 0 to {MOST}"):
        HealthCallback(samples=given)


def test_a_second_fit_takes_no_more(tmp_path):
    """Each run has the samples of one batch."""
    x = RNG.normal(size=(32, 4)).astype("float32")
    run = trained(tmp_path, x, x[:, :1], [layers.Dense(1)], fits=2)
    assert [(one.site.kind, one.step) for one in run.samples] == [("input", 3), ("prediction", 3), ("label", 3)]


@pytest.mark.parametrize(
    ("shape", "held"),
    [
        ((8, 224, 160, 3), (4, 56, 40, 3)),
        ((8, 64, 64, 1), (4, 64, 64, 1)),
        ((8, 65, 3, 4), (4, 33, 2, 4)),
        ((2, 5, 5, 3), (2, 5, 5, 3)),
        ((8, 5, 5, 2), (4, 50)),
        ((8, 30, 50), (4, NUMBERS)),
        ((8,), (4, 1)),
        ((1, 3), (1, 3)),
    ],
)
def test_samples_are_cut_to_size(shape, held):
    """Images to 64 pixels a side, all else to 64 numbers, whatever the batch has; the true shape is told."""
    found = sheet_of(tf.random.uniform(shape))
    assert (found.values.shape, found.shape, found.step) == (held, shape[1:], 7)


def test_sizes_that_vary_are_cut_within_the_step():
    """Unknown batch, height, width and length, as in a compiled step; an empty batch fails nothing."""
    sheet = Sheet(4)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, None), tf.int32)])
    def step(image, tokens):
        pairs = ((Site("input", "image"), image), (Site("input", "tokens"), tokens))
        sheet.write([Located(site, tensor, {}) for site, tensor in pairs], tf.constant(0, tf.int64))

    step(tf.ones((2, 100, 7, 3)), tf.constant([[1, 2, 3], [4, 5, 6]]))
    step(tf.zeros((2, 100, 7, 3)), tf.zeros((2, 3), tf.int32))
    image, tokens = sheet.take()
    assert (image.values.shape, image.shape, int(image.values.min())) == ((2, SIDE, SIDE, 3), (100, 7, 3), 255)
    assert tokens.values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert sheet.take() == []
    sheet = Sheet(4)
    step(tf.zeros((0, 9, 9, 3)), tf.zeros((0, 3), tf.int32))


def test_all_sites_share_the_room():
    """Many large inputs: fewer samples of each, the same ones everywhere, and never more than the limit."""
    big = [
        Samples(Site("input", str(place)), "image", 0, np.zeros((16, 64, 64, 4), np.uint8), (64, 64, 4))
        for place in range(4)
    ]
    kept = fitted(big)
    assert [len(one.values) for one in kept] == [3] * 4
    assert sum(one.values.nbytes for one in kept) <= BYTES
    assert fitted(big * 8) == []


@pytest.mark.parametrize(
    ("values", "low", "high", "first"),
    [
        ([0.0, 0.5], 0, 1, [0, 128]),
        ([0.0, 200.0], 0, 255, [0, 200]),
        ([-1.0, 1.0], -1, 1, [0, 255]),
        ([-30.0, 10.0], -30, 10, [0, 255]),
        ([np.nan, 0.25], 0, 1, [0, 64]),
        ([np.inf, -np.inf, 0.5], 0, 1, [255, 0, 128]),
        ([np.nan, np.nan], 0, 1, [0, 0]),
        ([300.0, 300.0], 300, 300, [0, 0]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_brightness_is_that_of_the_usual_range(values, low, high, first):
    """A dark image looks dark; what leaves the usual ranges is stretched over its own."""
    found = pixels(np.array(values, np.float32).reshape(1, 1, -1, 1))
    assert (found[0].ravel().tolist(), found[1], found[2]) == (first, low, high)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_holds_the_pixels(channels):
    """Signature, checksums, and the rows behind their filters."""
    shown = RNG.integers(0, 256, (5, 7, channels)).astype(np.uint8)
    data = png(shown)
    decoded_by_tensorflow = tf.io.decode_png(data, channels=channels).numpy()
    np.testing.assert_array_equal(decoded_by_tensorflow, shown)


GOOD = Samples(INPUT, "image", 3, np.zeros((2, 4, 4, 1), np.uint8), (4, 4, 1), 0.0, 1.0)


def changed(**keys):
    about, data = encoded(GOOD)
    return json.dumps(json.loads(about) | keys), data


def test_what_is_written_is_read():
    """A round trip through text and bytes."""
    back = decoded("input", "conv", 3, *encoded(GOOD))
    assert (back.site, back.form, back.step, back.shape, back.low, back.high) == (
        INPUT,
        "image",
        3,
        (4, 4, 1),
        0.0,
        1.0,
    )
    np.testing.assert_array_equal(back.values, GOOD.values)


BAD = [
    ("input", "x", 0, "{", b""),
    ("input", "x", 0, "[]", b""),
    ("input", "x", 0, *changed(form="png")),
    ("input", "x", 0, *changed(held=[2, 4, 4])),
    ("input", "x", 0, *changed(held=[2, 4, 4, 2])),
    ("input", "x", 0, *changed(held=[2, 65, 4, 1])),
    ("input", "x", 0, *changed(held=[17, 4, 4, 1])),
    ("input", "x", 0, *changed(held=[-2, -4, 4, 1])),
    ("input", "x", 0, *changed(held=[True, 4, 4, 1])),
    ("input", "x", 0, *changed(held=[0, 4, 4, 1])),
    ("input", "x", 0, *changed(shape=[1 << 60])),
    ("input", "x", 0, *changed(shape="<script>")),
    ("input", "x", 0, *changed(low=float("nan"))),
    ("input", "x", 0, *changed(form="numbers", held=[2, 65])),
    ("input", "x", 0, changed()[0], b"\x89PNG\r\n\x1a\n<script>alert(1)</script>"),
    ("input", "x", 0, changed()[0], 7),
    ("weight", "x", 0, *changed()),
    ("prediction", "x", 0, *changed(form="class", held=[2, 3])),
    ("input", "x", 0, *changed(form="class", held=[2, 2])),
    ("input", "x", 1e999, *changed()),
]


@pytest.mark.parametrize("row", BAD)
def test_a_row_that_makes_no_sense_is_left_out(row, tmp_path):
    """A file that somebody changed: the run says that it is damaged, and is read without the row."""
    recorder = Recorder(tmp_path)
    recorder.samples([GOOD])
    recorder.close()
    with closing(connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO sample (kind, name, step, about, data) VALUES (?, ?, ?, ?, ?)", row)
    run = load_run(tmp_path)
    assert [one.site for one in run.samples] == [INPUT]
    assert run.damage == "sample: has rows that make no sense"


def test_no_file_makes_a_page_large(tmp_path):
    """Hundreds of rows, each of them well formed: no more is read than a recorder writes."""
    recorder = Recorder(tmp_path)
    large = Samples(INPUT, "image", 0, np.zeros((8, 64, 64, 1), np.uint8), (64, 64, 1))
    recorder.samples([large])
    recorder.close()
    with closing(connect(tmp_path / DATABASE)) as connection, connection:
        columns = "kind, name, step, about, data"
        for _ in range(7):
            connection.execute(f"INSERT INTO sample ({columns}) SELECT {columns} FROM sample")
    run = load_run(tmp_path)
    assert sum(one.values.nbytes for one in run.samples) <= BYTES
    assert run.damage == "sample: has more than is kept of a run"
    assert len(page(report_of(run))) < 1_000_000


def test_a_page_shows_colors_and_escaped_names_only(tmp_path):
    """Names from the file are text, pictures are made anew from the pixels, and the PDF is made of the same page."""
    recorder = Recorder(None)
    hostile = Site("input", "<script>alert(1)</script>")
    recorder.site(LABEL, {"encoding": "onehot"})
    onehot = Samples(LABEL, "numbers", 0, np.eye(3, dtype=np.float32)[[2, 0]], (3,))
    image = Samples(hostile, "image", 0, np.full((2, 4, 4, 3), 60, np.uint8), (400, 400, 3), 0.0, 1.0)
    recorder.samples([image, onehot])
    run = recorder.snapshot()
    recorder.close()
    text = page(report_of(run))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    sources = re.findall(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]+)" alt="Sample', text)
    assert len(sources) == 2
    assert [card.lines for card in report_of(run).given[0].cards] == [("Label 2",), ("Label 0",)]
    assert "Shown with 4 × 4 pixels." in text
    assert to_pdf(text).startswith(b"%PDF")


def test_a_run_of_the_second_schema_is_read(tmp_path):
    """It has samples, and no table of summaries to look into."""
    recorder = Recorder(tmp_path)
    recorder.meta(schema_version=2)
    recorder.samples([GOOD])
    recorder.close()
    with closing(connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DROP TABLE summary")
    run = load_run(tmp_path)
    assert ([one.site for one in run.samples], run.summaries, run.damage) == ([INPUT], (), "")


def test_a_run_of_the_first_schema_is_read(tmp_path):
    """Runs that were written before there were samples and histograms have none, and no damage."""
    recorder = Recorder(tmp_path)
    recorder.meta(schema_version=1, name="old")
    recorder.close()
    with closing(connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DROP TABLE sample")
        connection.execute("DROP TABLE histogram")
        connection.execute("DROP TABLE summary")
    run = load_run(tmp_path)
    assert (run.samples, run.histograms, run.damage, run.meta["name"]) == ((), {}, "", "old")
