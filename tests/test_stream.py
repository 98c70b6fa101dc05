"""Statistics of the data as it arrives, and of predictions: each against a slow NumPy twin on a real training."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.asking import EVERYTHING, asking, values, watched
from tests.test_bit_identical import differences
from tfhealth import load_run
from tfhealth.capture.reductions import REDUCTIONS, Context
from tfhealth.series import Probe

ABOUT_INPUTS = [one for one in EVERYTHING if one.startswith("input.")]
ABOUT_OUTPUTS = [one for one in EVERYTHING if one.startswith(("label.", "prediction."))]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def inputs_of(folder, x, **settings):
    """Return {statistic: values, one a batch that was looked at} of what reaches the first layer."""
    run = run_on(folder, x, **settings)
    return {one: values(run, "input", "", one) for one in (name.split(".")[1] for name in ABOUT_INPUTS)}


def run_on(folder, x, **settings):
    """Return the run of a small model that was trained on `x`."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return watched(folder, model, x, np.zeros((len(x), 1)), *ABOUT_INPUTS, **settings)


def outputs_of(folder, y, loss, last, x=None, **settings):
    """Return ({kind.statistic: values, one a batch}, the untrained model's predictions of the first batch)."""
    keras.utils.set_random_seed(0)
    x = noise(len(y), 6) if x is None else x
    model = keras.Sequential([keras.Input(x.shape[1:]), last])
    first = model.predict(x[:32], verbose=0)
    model.compile(keras.optimizers.SGD(1e-6), loss)
    run = watched(folder, model, x, y, *ABOUT_OUTPUTS, **settings)
    return {name: _series(run, *name.split(".")) for name in ABOUT_OUTPUTS}, first


def _series(run, kind, statistic):
    (site,) = [one for one in run.sites if one.kind == kind]
    series = run.series(Probe(site, statistic))
    return None if series is None else series.values


def test_features_that_vary_and_features_that_do_not(tmp_path):
    """Share of constant features, offset and scale of the others, each feature over the batch."""
    x = noise(32, 5, 4) * np.linspace(1, 9, 4, dtype="float32") + np.float32(3)
    x[:, :2, 1] = 7.5
    seen = inputs_of(tmp_path, x)
    flat = x.reshape(32, 20).astype(np.float64)
    spread = flat.std(axis=0)
    varying = spread > 0
    assert seen["constant_fraction"] == pytest.approx([np.mean(~varying)])
    offset = np.abs(flat.mean(axis=0))[varying] / spread[varying]
    assert seen["feature_offset"] == pytest.approx([offset.max()], rel=1e-4)
    assert seen["feature_scale"] == pytest.approx([spread.max() / spread[varying].min()], rel=1e-4)
    assert seen["largest_feature_std"] == pytest.approx([spread.max()], rel=1e-5)
    assert seen["std"] == pytest.approx([flat.std()], rel=1e-5)
    assert seen["zero_fraction"] == seen["altered_fraction"] == [0]
    centered = flat - flat.mean(axis=0)
    assert seen["autocorrelation"] == pytest.approx(
        [np.sum(centered[1:] * centered[:-1]) / np.sum(centered**2)], rel=1e-4
    )
    sizes = np.sort(np.abs(flat).max(axis=1))
    assert seen["sample_scale"] == pytest.approx([sizes[28] / sizes[3]], rel=1e-5)  # without the 3 largest and smallest


def test_constant_inputs_have_no_offset(tmp_path):
    """Where nothing varies all features are constant, and an offset in units of the spread is no number."""
    seen = inputs_of(tmp_path, np.full((32, 4), 3.0, "float32"))
    assert seen["constant_fraction"] == [1]
    assert np.isnan(seen["feature_offset"]).all()


def test_batch_of_one_says_nothing_about_features(tmp_path):
    """In the last batch of 33 there is nothing to vary."""
    seen = inputs_of(tmp_path, noise(33, 4))
    assert seen["constant_fraction"][0] == 0
    assert seen["samples"].tolist() == [32, 1]
    for name in ("constant_fraction", "largest_feature_std", "sample_scale"):
        assert np.isnan(seen[name][1])


def test_same_batch_has_the_same_fingerprint(tmp_path):
    """The order within the batch changes one of two fingerprints; the tiniest change of a value changes both."""
    batch = noise(32, 4)
    changed = batch.copy()
    changed[17, 2] = np.nextafter(changed[17, 2], np.float32(9))
    seen = inputs_of(tmp_path, np.concatenate([batch, batch, batch[::-1], changed]))
    one, again, turned, other = seen["fingerprint"]
    assert one == again == turned != other
    one, again, turned, other = seen["ordered_fingerprint"]
    assert one == again
    assert len({one, turned, other}) == 3


def test_fingerprints_do_not_depend_on_the_fit(tmp_path):
    """They are the same in another fit, with another seed, and compiled by XLA."""
    x = noise(64, 4)
    keras.utils.set_random_seed(1)
    first = inputs_of(tmp_path / "a", x)
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=True)
    run = watched(tmp_path / "b", model, x, np.zeros((64, 1)), "input.fingerprint", "input.ordered_fingerprint")
    for name in ("fingerprint", "ordered_fingerprint"):
        assert values(run, "input", "", name).tolist() == first[name].tolist()


@pytest.mark.parametrize(
    "batches",
    [
        np.random.default_rng(0).integers(0, 2, (200, 4, 9)),
        np.random.default_rng(1).integers(0, 30, (200, 4, 1)),
        np.random.default_rng(2).integers(0, 256, (200, 4, 3)).astype("float32"),
        np.eye(9)[np.random.default_rng(3).integers(0, 9, (200, 4))],
    ],
    ids=["bits", "one word", "pixels", "one-hot"],
)
def test_fingerprints_of_coarse_data_are_equal_only_for_equal_batches(batches, tmp_path):
    """Whole numbers and one-hot rows, whose sums over a batch are often equal, are told apart by order and content."""
    run = run_on(tmp_path, batches.reshape(-1, batches.shape[-1]), batch_size=4)
    (site,) = [one for one in run.sites if one.kind == "input"]
    for name, sort in (("fingerprint", sorted), ("ordered_fingerprint", list)):
        series = run.series(Probe(site, name))
        known = [tuple(sort(map(tuple, batches[step]))) for step in series.steps]
        pairs = set(zip(known, series.values.tolist(), strict=True))
        assert len(known) > 40
        assert len(pairs) == len(set(known)) == len(set(series.values.tolist()))


def test_duplicates_within_a_batch_are_counted(tmp_path):
    """A sample that is there three times is repeated twice."""
    x = noise(32, 3, 2)
    x[5] = x[9] = x[20]
    x[30] = x[31]
    assert inputs_of(tmp_path, x)["duplicate_fraction"] == [3 / 32]


def test_zeros_behind_the_end_of_a_sample_are_counted(tmp_path):
    """Not those in front of something, nor those within it."""
    x = np.array([[1, 2, 0, 0], [0, 0, 0, 3], [4, 0, 5, 0], [0, 0, 0, 0]], "float32")
    assert inputs_of(tmp_path, x)["trailing_zero_fraction"] == [(2 + 0 + 1 + 4) / 16]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.arange(24.0).reshape(8, 3), 3 * np.log2(7 * 3)),
        (np.tile([[0.0, 1.0]], (8, 1)), 0.0),
        (np.arange(8.0)[:, None] // 2 * [1, 0], -2 * np.log2((4 + 7) / 14)),
    ],
    ids=["nothing in common", "all alike", "some"],
)
def test_bits_that_tell_samples_apart(x, expected, tmp_path):
    """What is not seen once among the pairs of neighbors counts as seen once, so it takes pairs to say much."""
    assert inputs_of(tmp_path, x.astype("float32"))["sample_bits"] == pytest.approx([expected], abs=1e-5)


def test_feature_that_is_the_target_is_found(tmp_path):
    """It is the correlation that NumPy finds, of the feature where that is largest; 16 samples and more tell."""
    x, y = noise(40, 4), noise(40, 1)[:, 0]
    x[:, 2] = 3 - 0.5 * y
    expected = np.abs([np.corrcoef(x[:32, column], y[:32])[0, 1] for column in (0, 1, 3)]).max()
    for columns, largest in (([0, 1, 3], expected), ([0, 1, 2, 3], 1.0)):
        model = keras.Sequential([keras.Input((len(columns),)), layers.Dense(1)])
        model.compile("sgd", "mse")
        run = watched(tmp_path / str(largest), model, x[:, columns], y, "input.target_correlation")
        assert values(run, "input", "", "target_correlation") == pytest.approx([largest, np.nan], nan_ok=True, abs=1e-5)


def shares_of_placeholders(folder, x):
    """Return `placeholder_share` of each batch."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Dense(1)])
    model.compile("sgd", "mse")
    run = watched(folder, model, x, np.zeros((len(x), 1)), "input.placeholder_share")
    return values(run, "input", "", "placeholder_share")


@pytest.mark.parametrize(
    ("expected", "value", "places"), [(0.25, -999.0, 8), (0.25, 9999.0, 8), (0.0, -1.0, 8), (0.0, -999.0, 1)]
)
def test_value_that_stands_for_missing(expected, value, places, tmp_path):
    """It lies far from all others and repeats; one that is near, or was seen once, may be a measurement."""
    x = noise(32, 3)
    x[:places, 1] = value
    assert shares_of_placeholders(tmp_path, x) == pytest.approx([expected])


def test_switch_is_no_value_that_stands_for_missing(tmp_path):
    """Of a feature of two values neither is far from numbers that differ."""
    x = noise(32, 3)
    x[:, 1] = np.arange(32) % 4 == 0
    assert shares_of_placeholders(tmp_path, x) == [0.0]


def test_answers_among_the_inputs_are_counted(tmp_path):
    """Each word is compared with the label at its own place."""
    words = np.arange(64).reshape(16, 4) % 5
    labels = np.where(np.arange(4) == 0, 4 - words, words)
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(5, 3), layers.Dense(5, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    run = watched(tmp_path, model, words, labels, "input.answer_fraction")
    assert values(run, "input", "", "answer_fraction") == pytest.approx([np.mean(words == labels)])


def test_words_are_hashed_as_the_integers_that_they_are(tmp_path):
    """Two token ids that float32 cannot tell apart are two samples."""
    x = np.array([[1 << 24], [(1 << 24) + 1]] * 2, "int64")
    model = keras.Sequential([keras.Input((1,), dtype="int64"), layers.Lambda(lambda ids: ids % 7), layers.Dense(1)])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, np.zeros((4, 1)), "input.duplicate_fraction")
    assert values(run, "input", "", "duplicate_fraction") == [0.5]


def test_classes_of_a_batch_and_of_the_stream(tmp_path):
    """Counts of classes, their share so far, their entropy, and how a batch differs from those before it."""
    y = np.array([0] * 20 + [1] * 9 + [2] * 3 + [1] * 32 + [0, 1, 2, 2] * 8)
    seen, _ = outputs_of(tmp_path, y, "sparse_categorical_crossentropy", layers.Dense(4, activation="softmax"))
    assert seen["label.classes_present"].tolist() == [3, 1, 3]
    assert seen["label.majority_share"] == pytest.approx([20 / 32, 41 / 64, 49 / 96], rel=1e-5)
    share = np.array([20, 9, 3]) / 32
    assert seen["label.class_entropy"][0] == pytest.approx(-np.sum(share * np.log(share)), rel=1e-5)
    assert seen["label.classes_seen"].tolist() == [3, 3, 3]
    assert seen["label.samples"].tolist() == [32, 32, 32]
    smallest = 3 + 2 * np.sqrt(3) + 3  # the fourth class was never seen
    assert seen["label.imbalance"][:2] == pytest.approx([20 / smallest, 41 / smallest], rel=1e-5)
    assert seen["label.class_mixing"][1] == 0
    drawn = np.sum(1 - (1 - np.array([28, 49, 19]) / 96) ** 32)
    assert seen["label.class_mixing"][2] == pytest.approx((3 - 1) / (drawn - 1), rel=1e-4)
    before, now = np.array([20, 9, 3]), np.array([0, 32, 0])
    chi_square = np.sum((now - before) ** 2 / (now + before))  # both batches have 32 samples
    assert np.isnan(seen["label.class_shift"][0])
    assert seen["label.class_shift"][1] == pytest.approx(chi_square / 2, rel=1e-5)


def test_mix_of_one_class_is_no_number(tmp_path):
    """While only one class was seen, nobody knows how mixed a batch should be."""
    y = np.array([0] * 32 + [1] * 32)
    seen, _ = outputs_of(tmp_path, y, "sparse_categorical_crossentropy", layers.Dense(2, activation="softmax"))
    assert np.isnan(seen["label.class_mixing"][0])
    assert seen["label.class_mixing"][1] == 0


@pytest.mark.parametrize("given", ["class_weight", "sample_weight"])
def test_weights_of_classes_are_those_of_their_samples(given, tmp_path):
    """Whoever gave them, as sums over all probes so far."""
    y, weight = np.array([0] * 20 + [1] * 12 + [0] * 16 + [2] * 16), np.array([1.0, 4.0, 0.25])
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    callback = asking(tmp_path, "label.weighted_imbalance")
    settings = {"class_weight": dict(enumerate(weight)), "sample_weight": weight[y]}
    model.fit(
        noise(64, 6), y, batch_size=32, shuffle=False, verbose=0, callbacks=[callback], **{given: settings[given]}
    )
    run = load_run(callback.run_dir)
    assert values(run, "label", "", "weighted_imbalance") == pytest.approx([48 / 20, 48 / 4])
    (site,) = [one for one in run.sites if one.kind == "label"]
    assert run.sites[site]["weighted"] is run.sites[site]["one_each"] is True
    assert run.sites[site]["input_rank"] == 2


@pytest.mark.parametrize(
    ("rank", "first"),
    [
        (3, [layers.Reshape((6, 1)), layers.Conv1D(2, 3), layers.Flatten()]),
        (3, [layers.Reshape((3, 2)), layers.Flatten()]),
        (2, [layers.Embedding(9, 2), layers.GlobalAveragePooling1D()]),
    ],
    ids=["window given its axis", "window flattened", "words"],
)
def test_windows_are_known_wherever_their_axis_of_time_is(rank, first, tmp_path):
    """By the largest rank before anything is learned of them."""
    model = keras.Sequential([keras.Input((6,)), *first, layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = asking(tmp_path, "label.autocorrelation")
    model.fit(abs(noise(32, 6)), noise(32, 1), verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    assert [run.sites[site]["input_rank"] for site in run.sites if site.kind == "label"] == [rank]


@pytest.mark.parametrize(
    ("dtype", "first"), [("int32", layers.Dense), ("float32", lambda units: layers.Embedding(9, units))]
)
def test_fractions_that_a_layer_for_whole_numbers_cuts_off(dtype, first, tmp_path):
    """By the dtype of the model's input, or by an embedding; whole numbers lose nothing."""
    x = np.array([[0.0, 2.0, 7.0, 1.0], [0.5, 1.25, 3.0, 2.99]] * 4, "float32")
    model = keras.Sequential([keras.Input((4,), dtype=dtype), first(2), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, np.zeros((8, 1)), "input.altered_fraction")
    assert values(run, "input", "", "altered_fraction") == [3 / 8]
    (site,) = [one for one in run.sites if one.kind == "input"]
    assert run.sites[site]["whole"] is True


def pair_order(labels):
    """Return by how much more often neighbors are equal than in all orders of the same labels, by counting pairs."""
    same = np.mean([a == b for a, b in itertools.pairwise(labels)])
    chance = np.mean([a == b for i, a in enumerate(labels) for j, b in enumerate(labels) if i != j])
    return (same - chance) / (1 - chance)


@pytest.mark.parametrize("encoding", ["index", "onehot", "binary"])
def test_order_of_classes(encoding, tmp_path):
    """Sorted labels are near 1, shuffled ones near 0, alternating ones below; one class has no order."""
    classes = 2 if encoding == "binary" else 4
    rng = np.random.default_rng(0)
    parts = [np.arange(32) * classes // 32, rng.integers(0, classes, 32), np.arange(32) % classes, np.zeros(32, int)]
    y = np.concatenate(parts)
    labels = {"index": y, "onehot": np.eye(4)[y % 4], "binary": y[:, None].astype("float32")}[encoding]
    loss = {"index": "sparse_categorical_", "onehot": "categorical_", "binary": "binary_"}[encoding] + "crossentropy"
    last = layers.Dense(1, activation="sigmoid") if encoding == "binary" else layers.Dense(4, activation="softmax")
    seen, _ = outputs_of(tmp_path, labels, loss, last)
    assert seen["label.class_order"][:3] == pytest.approx([pair_order(part) for part in parts[:3]], abs=1e-5)
    assert seen["label.class_order"][0] > 0.8
    assert abs(seen["label.class_order"][1]) < 0.5
    assert np.isnan(seen["label.class_order"][3])


def test_labels_beyond_the_output_are_not_counted(tmp_path):
    """A label that is no class of the output is in no count, and ends nothing."""
    y = np.array([0] * 16 + [7] * 8 + [-1] * 8)
    last = layers.Dense(3, name="last")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=7)
    seen, _ = outputs_of(tmp_path, np.where(y < 0, 7, y), loss, last)
    assert seen["label.classes_present"] == [1]
    assert seen["label.majority_share"] == [1]


def test_regression_targets(tmp_path):
    """Mean and spread far from zero, share of whole numbers, and how alike neighbors are."""
    walk = np.cumsum(noise(32, 2), axis=0) + np.float32(2000)
    walk[:8, 0] = np.round(walk[:8, 0])
    y = np.concatenate([walk, noise(32, 2)])
    seen, _ = outputs_of(tmp_path, y, "mse", layers.Dense(2))
    assert seen["label.mean"][0] == pytest.approx(walk.mean(), rel=1e-6)
    assert seen["label.std"][0] == pytest.approx(walk.astype(np.float64).std(), rel=1e-4)
    assert seen["label.integer_fraction"] == pytest.approx([np.mean(walk == np.round(walk)), 0])
    centered = walk.astype(np.float64) - walk.astype(np.float64).mean(axis=0)
    expected = np.sum(centered[1:] * centered[:-1]) / np.sum(centered**2)
    assert seen["label.autocorrelation"][0] == pytest.approx(expected, rel=1e-3)
    assert abs(seen["label.autocorrelation"][1]) < 0.3 < expected
    assert seen["label.class_order"] is seen["label.classes_present"] is seen["prediction.entropy"] is None


def test_one_hot_rows_that_do_not_add_up_to_one(tmp_path):
    """Two classes at once, or none, show in the sum of the row."""
    y = np.eye(4)[np.arange(64) % 4]
    y[40, 0] = y[40, 1] = 1
    seen, _ = outputs_of(tmp_path, y, "categorical_crossentropy", layers.Dense(4, activation="softmax"))
    assert seen["label.row_sum_error"] == pytest.approx([0, 1])
    assert seen["prediction.row_sum_error"] == pytest.approx([0, 0], abs=1e-5)
    assert seen["label.integer_fraction"] == pytest.approx([1, 1])


def softmax(x):
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("logits", [False, True])
def test_predicted_classes(logits, tmp_path):
    """Entropy, the class that is guessed most, and the share of right guesses, of probabilities and of logits."""
    y = np.arange(32) % 5
    last = layers.Dense(5, activation=None if logits else "softmax")
    seen, out = outputs_of(tmp_path, y, keras.losses.SparseCategoricalCrossentropy(from_logits=logits), last)
    shares = softmax(out) if logits else out
    guesses = out.argmax(axis=1)
    assert seen["prediction.entropy"] == pytest.approx([np.mean(-np.sum(shares * np.log(shares), axis=1))], rel=1e-5)
    assert seen["prediction.top_class_share"] == pytest.approx([np.bincount(guesses).max() / 32])
    assert seen["prediction.correct_share"] == pytest.approx([np.mean(guesses == y)])
    assert seen["prediction.std_over_batch"] == pytest.approx([np.sqrt(out.var(axis=0).mean())], rel=1e-4)


@pytest.mark.parametrize("logits", [False, True])
def test_predicted_yes_and_no(logits, tmp_path):
    """With one output the boundary is 0.5 for probabilities and 0 for logits."""
    y = (np.arange(32) % 3 == 0).astype("float32")[:, None]
    last = layers.Dense(1, activation=None if logits else "sigmoid")
    seen, out = outputs_of(tmp_path, y, keras.losses.BinaryCrossentropy(from_logits=logits), last)
    p = 1 / (1 + np.exp(-out)) if logits else out
    entropy = np.mean(-(p * np.log(p) + (1 - p) * np.log(1 - p)))
    assert seen["prediction.entropy"] == pytest.approx([entropy], rel=1e-5)
    assert seen["prediction.correct_share"] == pytest.approx([np.mean((p > 0.5) == (y > 0.5))])
    assert seen["prediction.top_class_share"] == pytest.approx([max(np.mean(p > 0.5), np.mean(p <= 0.5))])
    assert seen["prediction.row_sum_error"] is None


def test_output_that_may_be_anything_has_no_yes_or_no(tmp_path):
    """One linear unit with a loss that expects probabilities: what it means is not known."""
    y = (np.arange(32) % 2).astype("float32")[:, None]
    seen, _ = outputs_of(tmp_path, y, "binary_crossentropy", layers.Dense(1))
    assert seen["prediction.correct_share"] is seen["prediction.entropy"] is None
    assert seen["label.classes_present"] == [2]


@pytest.mark.parametrize(("loss", "units"), [("mse", 1), ("mae", 3), ("binary_crossentropy", 3)])
def test_yes_and_no_behind_a_sigmoid_whatever_the_loss(loss, units, tmp_path):
    """Each answer counts by itself; labels between 0 and 1 are no yes and no no."""
    y = (noise(64, units) > 0.3).astype("float32")
    y[40, 0] = 0.4
    seen, out = outputs_of(tmp_path, y, loss, layers.Dense(units, activation="sigmoid"))
    expected = [np.mean((out > 0.5) == (y[:32] > 0.5)), np.nan]
    assert seen["prediction.correct_share"] == pytest.approx(expected, nan_ok=True)
    assert seen["prediction.top_class_share"] is seen["prediction.entropy"] is None


def test_collapse_to_one_answer(tmp_path):
    """Inputs that do not reach the output leave one answer for all, which is guessed every time."""
    last = layers.Dense(4, activation="softmax", kernel_initializer="zeros", bias_initializer="random_normal")
    seen, _ = outputs_of(tmp_path, np.arange(33) % 4, "sparse_categorical_crossentropy", last)
    assert seen["prediction.std_over_batch"][0] == pytest.approx(0, abs=1e-7)
    assert seen["prediction.top_class_share"][0] == 1
    assert np.isnan(seen["prediction.std_over_batch"][1])  # a batch of one


def test_words_of_a_sequence_are_classes_without_an_order(tmp_path):
    """Every word counts as a label; neighbors are not compared, since they belong to one sample."""
    x, y = noise(32, 7, 3), np.random.default_rng(0).integers(0, 5, (32, 7))
    last = layers.Dense(5, activation="softmax")
    seen, out = outputs_of(tmp_path, y, "sparse_categorical_crossentropy", last, x=x)
    assert seen["label.class_order"] is None
    assert seen["label.majority_share"] == pytest.approx([np.bincount(y.ravel()).max() / y.size])
    assert seen["prediction.correct_share"] == pytest.approx([np.mean(out.argmax(-1) == y)], rel=1e-5)


def regression(loss, callbacks):
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(16, activation="tanh"), layers.Dense(16)]
    model = keras.Sequential([keras.Input((12,)), *hidden, layers.Dense(3)])
    model.compile("adam", loss)
    x = noise(72, 12)
    return model, model.fit(x, x[:, :3], batch_size=16, epochs=2, verbose=0, callbacks=callbacks).history


@pytest.mark.parametrize(
    ("loss", "read"), [("mse", True), ("huber", True), (lambda y, p: keras.ops.mean(keras.ops.tanh(p), -1), False)]
)
def test_output_is_not_read_where_the_loss_may_be_fused_with_it(loss, read, tmp_path):
    """A loss that begins with an activation is one kernel with the last layer; reading between would change it."""
    callback = asking(tmp_path)
    assert differences(regression(loss, []), regression(loss, [callback])) == []
    run = load_run(callback.run_dir)
    assert len(run.panel("prediction", "std")) == read
    assert ("prediction" in {note.subject for note in run.notes}) != read


def test_distance_of_numbers_from_their_labels(tmp_path):
    """The mean squared error, whatever the loss is, also where Keras squeezes the labels' last axis."""
    y = noise(32)
    seen, out = outputs_of(tmp_path, y, "mae", layers.Dense(1))
    assert seen["prediction.squared_error"] == pytest.approx([np.mean((out[:, 0] - y) ** 2)], rel=1e-5)
    seen, _ = outputs_of(tmp_path, np.arange(32) % 5, "sparse_categorical_crossentropy", layers.Dense(5))
    assert seen["prediction.squared_error"] is None


def test_samples_that_differ_in_two_places_have_hashes_of_their_own():
    """Images of zeros and ones are hard to tell apart by sums; an unknown length makes no other hashes."""
    places = [(first, second) for first in range(60) for second in range(first)]
    images = np.zeros((len(places), 60), "float32")
    for row, pair in enumerate(places):
        images[row, list(pair)] = 1

    def hashed(tensor):
        context = Context(tensor, {}, state=None)
        return [REDUCTIONS[name](context) for name in ("duplicate_count", "fingerprint", "ordered_fingerprint")]

    known = [float(one) for one in hashed(tf.constant(images))]
    unknown = tf.function(hashed, input_signature=[tf.TensorSpec((None, None))])(images)
    assert known[0] == 0
    assert known == [float(one) for one in unknown]
