"""Statistics of layers, variables and the loss: each against a slow NumPy twin on a real training."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.asking import EVERYTHING, asking, values, watched
from tests.models import KINDS, trained
from tests.test_bit_identical import differences
from tfhealth import load_run
from tfhealth.capture.initializers import expected_std
from tfhealth.capture.initializers import fan_in as fan_in_of
from tfhealth.statistics import find


def first(run, kind, name, statistic):
    return values(run, kind, name, statistic)[0]


def known(run, kind):
    """Return the attributes of all sites of a kind, by the last two parts of their names."""
    return {"/".join(site.name.split("/")[-2:]): a for site, a in run.sites.items() if site.kind == kind}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_shares_and_ends_of_a_layer(tmp_path):
    """Zeros, smallest and largest output of a ReLU layer."""
    keras.utils.set_random_seed(0)
    x = noise(32, 4)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(9, activation="relu", name="hidden"), layers.Dense(1)])
    out = np.asarray(model.layers[0](x))
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, x[:, :1], "activation.zero_fraction", "activation.minimum", "activation.maximum")
    assert 0.2 < np.mean(out == 0) < 0.8
    assert first(run, "activation", "hidden", "zero_fraction") == pytest.approx(np.mean(out == 0))
    assert first(run, "activation", "hidden", "minimum") == 0
    assert first(run, "activation", "hidden", "maximum") == pytest.approx(out.max(), rel=1e-6)


def softmax_derivative(y):
    """Return the largest derivative of each row, over that of two equal outputs, at every output of the row."""
    return np.repeat((4 * y * (1 - y)).max(axis=-1, keepdims=True), y.shape[-1], axis=-1)


@pytest.mark.parametrize(
    ("activation", "derivative"),
    [
        ("softmax", softmax_derivative),
        ("hard_sigmoid", lambda y: (y > 0) & (y < 1)),
        ("sparse_sigmoid", lambda y: (y > 0) & (y < 1)),
        ("hard_tanh", lambda y: np.abs(y) < 1),
        ("relu6", lambda y: (y > 0) & (y < 6)),
    ],
)
def test_saturated_outputs_have_lost_their_slope(activation, derivative, tmp_path):
    """Of softmax whole rows, of the hard variants what lies at their ends."""
    keras.utils.set_random_seed(0)
    x = 6 * noise(32, 4)
    hidden = layers.Dense(6, activation=activation, name="hidden")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)])
    out = np.asarray(hidden(x))
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, x[:, :1], "activation.saturated_fraction")
    flat = np.mean(derivative(out) < 0.05)
    assert 0.1 < flat < 0.99
    assert first(run, "activation", "hidden", "saturated_fraction") == pytest.approx(flat)


def test_outputs_of_some_activations_do_not_tell_whether_they_are_saturated(tmp_path):
    """Then nothing is measured, and nothing breaks."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="gelu"), layers.Dense(1, name="plain")])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 4), noise(32, 1), "activation.saturated_fraction", "activation.mean")
    assert {probe.statistic for table in run.tables for probe in table.probes} == {"mean", "learning_rate"}
    assert [note.subject for note in run.notes] == ["loss.chance"]


@pytest.fixture(scope="module")
def skewed(tmp_path_factory):
    """One step of a layer with oddly spread weights: its kernel before and after, and the run."""
    x = noise(32, 12, seed=1)
    model = keras.Sequential([keras.Input((12,)), layers.Dense(20, name="odd")])
    kernel = np.random.default_rng(2).gamma(1.5, 0.2, (12, 20)).astype("float32")
    model.layers[0].kernel.assign(kernel)
    model.compile(keras.optimizers.SGD(0.5), "mse")
    names = [one for one in EVERYTHING if one.split(".")[0] in ("weight", "gradient", "update")]
    run = watched(tmp_path_factory.mktemp("run"), model, x, noise(32, 20), *names)
    return kernel, np.asarray(model.layers[0].kernel), run


def shape_of(x):
    z = (x - x.mean()) / x.std()
    return {"skew": np.mean(z**3), "kurtosis": np.mean(z**4) - 3, "maximum_absolute": np.abs(x).max()}


def test_shape_of_weights_and_updates(skewed):
    """Skew, excess kurtosis and the largest element, in float64 from the same numbers."""
    before, after, run = skewed
    for statistic, expected in shape_of(before.astype(np.float64)).items():
        assert first(run, "weight", "odd/kernel", statistic) == pytest.approx(expected, rel=1e-4)
    for statistic, expected in shape_of(after.astype(np.float64) - before).items():
        assert first(run, "update", "odd/kernel", statistic) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert shape_of(before)["skew"] > 1


def test_vectors_that_are_summed_together_keep_apart(tmp_path):
    """Norms of biases of several lengths, one of which holds NaN."""
    x = noise(32, 5, seed=3)
    model = keras.Sequential([keras.Input((5,)), *[layers.Dense(units, name=f"of_{units}") for units in (3, 7, 2)]])
    biases = {units: noise(units, seed=units) for units in (3, 7, 2)}
    biases[7][1] = np.nan
    for layer, bias in zip(model.layers, biases.values(), strict=True):
        layer.bias.assign(bias)
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, noise(32, 2), "weight.norm", "weight.nonfinite")
    for units in (3, 2):
        expected = np.linalg.norm(biases[units].astype(np.float64))
        assert first(run, "weight", f"of_{units}/bias", "norm") == pytest.approx(expected, rel=1e-6)
    assert [first(run, "weight", f"of_{units}/bias", "nonfinite") for units in (3, 7, 2)] == [0, 1, 0]


def test_gradient_beside_the_update_that_it_made(skewed):
    """With plain SGD the gradient is the update over the learning rate."""
    before, after, run = skewed
    gradient = (before - after).astype(np.float64) / 0.5
    assert first(run, "gradient", "odd/kernel", "mean") == pytest.approx(gradient.mean(), rel=1e-3)
    assert first(run, "gradient", "odd/kernel", "std") == pytest.approx(gradient.std(), rel=1e-4)
    assert first(run, "gradient", "odd/kernel", "maximum_absolute") == pytest.approx(np.abs(gradient).max(), rel=1e-3)
    assert first(run, "gradient", "odd/kernel", "zero_fraction") == 0


def test_equal_weights_have_no_shape(skewed):
    """Of a bias of zeros skew and kurtosis are not numbers, and the expected spread has nothing to be set against."""
    run = skewed[-1]
    assert np.isnan(first(run, "weight", "odd/bias", "skew"))
    assert np.isnan(first(run, "weight", "odd/bias", "kurtosis"))
    assert first(run, "weight", "odd/bias", "maximum_absolute") == 0
    assert len(values(run, "weight", "odd/bias", "std_over_expected")) == 0


def test_weights_against_what_their_initializer_draws(skewed):
    """The spread is set against Glorot's, the gain is the layer's effect on inputs that are not correlated."""
    before, _, run = skewed
    expected = before.std() / np.sqrt(2 / (12 + 20))
    assert first(run, "weight", "odd/kernel", "std_over_expected") == pytest.approx(expected, rel=1e-4)
    assert first(run, "weight", "odd/kernel", "gain") == pytest.approx(np.sqrt(12 * np.mean(before**2)), rel=1e-5)
    attributes = known(run, "weight")["odd/kernel"]
    assert (attributes["initializer"], attributes["fan_in"], attributes["depth"]) == ("GlorotUniform", 12, 1)


@pytest.mark.parametrize(("factor", "offset"), [(1, 0.0), (20, 5.0), (1e-3, 0.0)])
def test_weights_against_what_their_fan_in_asks_for(factor, offset, tmp_path):
    """The spread is set against the nearest of three formulas, the mean against its spread and what chance allows."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12,)), layers.Dense(20, name="one", kernel_initializer="lecun_normal")])
    model.layers[0].kernel.assign(factor * model.layers[0].kernel + offset)
    before = np.asarray(model.layers[0].kernel, np.float64)
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 12), noise(32, 20), "weight.std_over_fan", "weight.off_center")
    low, high = np.sqrt(2 / (12 + 20)), np.sqrt(2 / 12)
    expected = before.std() / min(max(before.std(), low), high)
    off = max(abs(before.mean()) / before.std() - 4 / np.sqrt(before.size), 0)
    assert first(run, "weight", "one/kernel", "std_over_fan") == pytest.approx(expected, rel=1e-4)
    assert first(run, "weight", "one/kernel", "off_center") == pytest.approx(off, rel=1e-3, abs=1e-6)


def test_equal_weights_have_no_scale(tmp_path):
    """Zeros are another fault, or none, and a bias has no inputs to add up."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="one", kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 4), noise(32, 3), "weight.std_over_fan", "weight.off_center")
    assert np.isnan(first(run, "weight", "one/kernel", "std_over_fan"))
    assert np.isnan(first(run, "weight", "one/kernel", "off_center"))
    assert len(values(run, "weight", "one/bias", "std_over_fan")) == 0


def test_gradient_with_zeros_is_told_apart_from_a_small_one(tmp_path):
    """Units that never fire get no gradient: its zeros are counted."""
    x = np.abs(noise(32, 4))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu", name="hidden"), layers.Dense(1)])
    model.layers[0].kernel.assign(np.hstack([np.full((4, 6), -1.0), np.full((4, 2), 1.0)]))
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, x[:, :1], "gradient.zero_fraction")
    assert first(run, "gradient", "hidden/kernel", "zero_fraction") == 0.75


@pytest.mark.parametrize(
    ("clipping", "twin"),
    [
        ({"clipnorm": 0.3}, lambda g, _: g * min(1, 0.3 / np.linalg.norm(g))),
        ({"global_clipnorm": 0.3}, lambda g, whole: g * min(1, 0.3 / whole)),
        ({"clipvalue": 0.05}, lambda g, _: np.clip(g, -0.05, 0.05)),
        ({"clipnorm": 1e6}, lambda g, _: g),
    ],
)
@pytest.mark.parametrize("scaled", [False, True])
def test_gradient_after_clipping(clipping, twin, scaled, tmp_path):
    """The norm before and after; plain SGD shows the clipped gradient in its update."""
    keras.utils.set_random_seed(0)
    x = noise(32, 4)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="a"), layers.Dense(1, name="b")])
    sgd = keras.optimizers.SGD(1.0, **clipping)
    model.compile(keras.optimizers.LossScaleOptimizer(sgd) if scaled else sgd, "mse")
    with_clipping = [np.asarray(one).copy() for one in model.trainable_variables]
    run = watched(tmp_path, model, x, 3 * x[:, :1], "gradient.norm", "gradient.clipped_norm")
    names = [site.name for site in run.sites if site.kind == "gradient"]
    before = [first(run, "gradient", name, "norm") for name in names]
    for variable, old, norm, name in zip(model.trainable_variables, with_clipping, before, names, strict=True):
        clipped = first(run, "gradient", name, "clipped_norm")
        assert clipped == pytest.approx(np.linalg.norm(np.asarray(variable) - old), rel=1e-4)
        assert clipped <= norm * (1 + 1e-5)
        if "clipvalue" not in clipping:
            assert clipped == pytest.approx(twin(norm, np.linalg.norm(before)), rel=1e-4)


def test_clipping_that_cannot_be_seen_is_not_measured(tmp_path):
    """Accumulated gradients are clipped once they are complete; without clipping there is nothing to measure."""
    for settings in ({"clipnorm": 1.0, "gradient_accumulation_steps": 2}, {}):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1, **settings), "mse")
        x = noise(64, 4)
        run = watched(tmp_path, model, x, x[:, :1], "gradient.clipped_norm", "gradient.norm")
        assert {probe.statistic for table in run.tables for probe in table.probes} == {"norm", "learning_rate"}


@pytest.mark.parametrize(
    ("initializer", "shape"),
    [
        ("glorot_uniform", (40, 60)),
        ("glorot_normal", (40, 60)),
        ("he_uniform", (3, 3, 8, 30)),
        ("he_normal", (40, 60)),
        ("lecun_normal", (40, 60)),
        ("orthogonal", (40, 60)),
        ("orthogonal", (60, 40)),
        ("zeros", (40, 60)),
        ("ones", (40, 60)),
        (keras.initializers.Constant(0.3), (40, 60)),
        (keras.initializers.RandomNormal(0.5, 0.2), (40, 60)),
        (keras.initializers.RandomUniform(-0.1, 0.5), (40, 60)),
        (keras.initializers.TruncatedNormal(0.0, 0.2), (40, 60)),
        (keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"), (40, 60)),
        (keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform"), (3, 8, 90)),
    ],
)
def test_expected_spread_is_that_of_drawn_values(initializer, shape):
    """What is computed from an initializer and a shape is what it draws, within the error of a sample."""
    keras.utils.set_random_seed(0)
    found = keras.initializers.get(initializer)
    drawn = np.asarray(found(shape)).std()
    assert expected_std(found, shape) == pytest.approx(drawn, rel=0.05, abs=1e-6)


def test_no_spread_is_expected_of_what_is_not_known(tmp_path):
    """An initializer of the user's own, a forget bias, and a variable without an initializer's name have none."""
    lstm = layers.LSTM(4, name="lstm")
    dense = layers.Dense(2, kernel_initializer=lambda shape, dtype: keras.ops.ones(shape, dtype), name="own")
    model = keras.Sequential([keras.Input((5, 3)), lstm, dense])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 5, 3), noise(32, 2), "weight.std_over_expected", "weight.gain")
    expected = {name: a["expected_std"] for name, a in known(run, "weight").items()}
    assert expected["own/kernel"] is expected["lstm_cell/bias"] is None
    assert expected["lstm_cell/kernel"] == pytest.approx(np.sqrt(2 / (3 + 16)))
    assert expected["lstm_cell/recurrent_kernel"] == pytest.approx(1 / 4)
    assert len(values(run, "weight", "own/kernel", "gain")) == 1


@pytest.mark.parametrize(
    ("layer", "shape", "name", "fan_in"),
    [
        (layers.Conv2D(4, 3, groups=2), (8, 8, 6), "kernel", 27),
        (layers.DepthwiseConv2D(3), (8, 8, 6), "kernel", 9),
        (layers.SeparableConv1D(4, 5), (8, 6), "pointwise_kernel", 6),
        (layers.EinsumDense("abc,cde->abde", (None, 2, 5)), (7, 6), "kernel", 6),
        (layers.EinsumDense("abcd,cde->abe", (None, 5)), (7, 2, 3), "kernel", 6),
        (layers.GRU(4), (8, 6), "recurrent_kernel", 4),
        (layers.Conv2DTranspose(4, 3), (8, 8, 6), "kernel", None),
        (layers.Embedding(9, 4), (8,), "embeddings", None),
    ],
)
def test_fan_in_is_the_number_of_inputs_that_add_up_to_one_output(layer, shape, name, fan_in):
    """Whatever Keras's initializers take it for."""
    layer.build((None, *shape))
    variable = next(one for one in layer.trainable_variables if one.name == name)
    assert fan_in_of(variable, layer) == fan_in


def test_regularizers_are_named_with_their_strength(tmp_path):
    """L1, L2, both and another one; a variable without one says so."""
    kinds = {"l1": "l1", "both": keras.regularizers.L1L2(0.1, 0.2), "ortho": keras.regularizers.OrthogonalRegularizer()}
    stack = [layers.Dense(4, kernel_regularizer=one, name=name) for name, one in kinds.items()]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 4), noise(32, 4), "weight.norm")
    found = {name: (a["regularizer"], a["strength"]) for name, a in known(run, "weight").items()}
    assert found["l1/kernel"] == ("L1", pytest.approx(0.01))
    assert found["both/kernel"] == ("L1L2", pytest.approx(0.3))
    assert found["ortho/kernel"] == ("OrthogonalRegularizer", pytest.approx(0.01))
    assert found["l1/bias"] == (None, None)


def test_gradient_of_the_regularizer_beside_that_of_the_data(tmp_path):
    """L2 has the gradient 2λw; the rest of the whole gradient is the data's."""
    keras.utils.set_random_seed(0)
    x = noise(32, 4)
    layer = layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.7), name="heavy")
    model = keras.Sequential([keras.Input((4,)), layer])
    kernel = np.asarray(layer.kernel).copy()
    model.compile(keras.optimizers.SGD(1.0), "mse")
    run = watched(tmp_path, model, x, x[:, :3], "gradient.regularization_norm", "gradient.data_norm", "gradient.norm")
    whole = kernel - np.asarray(layer.kernel)
    part = 2 * 0.7 * kernel
    assert first(run, "gradient", "heavy/kernel", "regularization_norm") == pytest.approx(
        np.linalg.norm(part), rel=1e-4
    )
    assert first(run, "gradient", "heavy/kernel", "data_norm") == pytest.approx(np.linalg.norm(whole - part), rel=1e-3)
    assert len(values(run, "gradient", "heavy/bias", "data_norm")) == 0


class Counting(keras.regularizers.Regularizer):
    """A regularizer with a side effect, which must not happen twice."""

    def __init__(self):
        self.calls = keras.Variable(0.0, trainable=False)

    def __call__(self, x):
        self.calls.assign_add(1.0)
        return 0.1 * keras.ops.sum(x**2)


@pytest.mark.filterwarnings("ignore:tfhealth:UserWarning")
def test_regularizer_with_an_effect_is_not_run_again(tmp_path):
    """It is refused while it is traced apart; the user's own call is the only one that counts."""
    regularizer = Counting()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, kernel_regularizer=regularizer)])
    model.compile("sgd", "mse")
    before = float(regularizer.calls)
    run = watched(tmp_path, model, noise(64, 4), noise(64, 3), "gradient.data_norm", "gradient.norm")
    assert float(regularizer.calls) - before == 2
    assert "a regularizer must have no effect beside its value" in "".join(note.why for note in run.notes)


def test_parts_of_the_loss(tmp_path):
    """Weight regularizers, activity regularizers and add_loss apart from the data's loss."""

    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(0.25 * keras.ops.mean(x**2))
            return x

    keras.utils.set_random_seed(0)
    x, y = noise(32, 4), noise(32, 3)
    dense = layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1), activity_regularizer="l2")
    model = keras.Sequential([keras.Input((4,)), Adding(), dense])
    kernel = np.asarray(dense.kernel).copy()
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, x, y, *(f"loss.{name}" for name in ("added", "weight_regularization", "data")))
    out = x @ kernel
    added = 0.25 * np.mean(x**2) + 0.01 * np.sum(out**2) / 32
    assert first(run, "loss", "batch", "data") == pytest.approx(np.mean((out - y) ** 2), rel=1e-5)
    assert first(run, "loss", "batch", "added") == pytest.approx(added, rel=1e-5)
    assert first(run, "loss", "batch", "weight_regularization") == pytest.approx(0.1 * np.sum(kernel**2), rel=1e-4)


def two_outputs():
    inputs = keras.Input((4,))
    hidden = layers.Dense(8, activation="relu")(inputs)
    outputs = {"class": layers.Dense(3, activation="softmax")(hidden), "value": layers.Dense(1)(hidden)}
    model = keras.Model(inputs, outputs)
    loss = {"class": "sparse_categorical_crossentropy", "value": "mse"}
    model.compile(keras.optimizers.SGD(0.01), loss, loss_weights={"class": 2.0, "value": 0.5})
    return model


def test_each_output_has_a_loss_of_its_own(tmp_path):
    """Times its weight, beside its share and what guessing would cost; together they are the data's loss."""
    keras.utils.set_random_seed(0)
    model = two_outputs()
    x, classes, numbers = noise(32, 4), np.arange(32) % 3, 5 * noise(32, 1)
    out = model.predict(x, verbose=0)
    names = [one for one in EVERYTHING if one.startswith("loss.")]
    run = watched(tmp_path, model, x, {"class": classes, "value": numbers}, *names)
    crossentropy = 2.0 * -np.mean(np.log(out["class"][np.arange(32), classes]))
    squares = 0.5 * np.mean((out["value"] - numbers) ** 2)
    assert first(run, "loss", "class", "output") == pytest.approx(crossentropy, rel=1e-4)
    assert first(run, "loss", "value", "output") == pytest.approx(squares, rel=1e-4)
    assert first(run, "loss", "batch", "data") == pytest.approx(crossentropy + squares, rel=1e-4)
    assert first(run, "loss", "value", "output_share") == pytest.approx(squares / (crossentropy + squares), rel=1e-4)
    assert first(run, "loss", "class", "output_chance") == pytest.approx(2 * np.log(3), rel=1e-5)
    assert len(values(run, "loss", "value", "output_chance")) == 0
    assert len(values(run, "loss", "class", "data")) == len(values(run, "loss", "batch", "output")) == 0


def test_depth_counts_the_layers_with_a_kernel_on_the_longest_way(tmp_path):
    """Activations, dropout and sums keep the depth of what they are given, also inside a layer of layers."""
    inputs = keras.Input((6,))
    block = keras.Sequential([layers.Dense(6, name="one"), layers.ReLU(name="fire"), layers.Dense(6, name="two")])
    long = layers.Dropout(0.1, name="drop")(block(inputs))
    short = layers.Dense(6, name="short")(inputs)
    out = layers.Dense(1, name="out")(keras.ops.concatenate([long, short], axis=-1) * 2.0)
    model = keras.Model(inputs, out)
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, noise(32, 6), noise(32, 1), "activation.std", "weight.norm")
    depth = {name.split("/")[-1]: a["depth"] for name, a in known(run, "activation").items()}
    assert (depth["fire"], depth["drop"]) == (1, 2)
    kernels = {name: a["depth"] for name, a in known(run, "weight").items()}
    assert kernels["one/kernel"] == kernels["one/bias"] == kernels["short/kernel"] == 1
    assert (kernels["two/kernel"], kernels["out/kernel"]) == (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_asking_for_everything_changes_nothing(kind, tmp_path):
    """Weights, optimizer, seeds and history are equal bit by bit, and each value is one that its statistic can have."""
    callback = asking(tmp_path)
    assert differences(trained(kind, [], epochs=1), trained(kind, [callback], epochs=1)) == []
    run = load_run(callback.run_dir)
    assert {note.subject for note in run.notes} <= {"loss.chance"}
    seen = {(probe.site.kind, probe.statistic) for table in run.tables for probe in table.probes}
    assert len(seen) > 60
    for site_kind, name in seen:
        low, high = find(site_kind, name).legal
        found = run.panel(site_kind, name).values
        finite = found[np.isfinite(found)]
        assert ((low <= finite) & (finite <= high)).all(), (site_kind, name)
