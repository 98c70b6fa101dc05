"""What the callback sees is what is there: every statistic against a slow NumPy twin on a real training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.asking import asking, values, watched
from tests.models import quiet
from tfhealth import HealthCallback, load_run
from tfhealth.capture import session
from tfhealth.capture.reductions import PART_OF, REDUCTIONS
from tfhealth.series import Probe, Site
from tfhealth.statistics import DEAD_WINDOW, STATISTICS, SUMS


def fit(model, x, y, out, *, loss="mse", optimizer=None, metrics=(), epochs=1, batch_size=32, **settings):
    """Fit with every step probed, without shuffling, and return the recorded run."""
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss, metrics=list(metrics))
    callback = HealthCallback(**quiet(out, every=1, **settings))
    model.fit(x, y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
    return load_run(callback.run_dir)


def first(run, kind, name, statistic):
    """Return the first value of a probe whose site's name ends with `name`."""
    site = next(site for site in run.sites if site.kind == kind and site.name.endswith(name))
    return run.series(Probe(site, statistic)).values[0]


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """One step of a model with one hidden layer, and all that NumPy needs to repeat it."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x, y = rng.normal(2.0, 3.0, (32, 4)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")
    hidden = layers.Dense(6, activation="relu", kernel_regularizer=keras.regularizers.L2(0.1), name="hidden")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1, kernel_initializer="ones")])
    before = [np.asarray(one).copy() for one in model.trainable_weights]
    run = fit(model, x, y, tmp_path_factory.mktemp("run"))
    after = [np.asarray(one) for one in model.trainable_weights]
    return x, y, before, after, run


def test_every_sum_has_a_reduction():
    """What statistics are made of is what the device can compute, and nothing else."""
    assert set(SUMS) == set(REDUCTIONS)
    assert {name for statistic in STATISTICS for name in statistic.sums} == set(SUMS)
    assert set(PART_OF) <= set(SUMS)


def test_input(linear):
    """Mean, spread and range of what reaches the first layer."""
    x, *_, run = linear
    for statistic, expected in {"mean": x.mean(), "std": x.std(), "minimum": x.min(), "maximum": x.max()}.items():
        assert first(run, "input", "hidden", statistic) == pytest.approx(expected, rel=1e-5)
    spread = x.std(axis=0)
    assert first(run, "input", "hidden", "feature_scale") == pytest.approx(spread.max() / spread.min(), rel=1e-4)
    assert first(run, "input", "hidden", "nonfinite_fraction") == 0


def test_activation(linear):
    """Spread of the hidden layer's output, after its ReLU."""
    x, _, (kernel, bias, *_), _, run = linear
    hidden = np.maximum(x @ kernel + bias, 0)
    assert first(run, "activation", "hidden", "std") == pytest.approx(hidden.std(), rel=1e-4)
    assert first(run, "activation", "hidden", "nonfinite") == 0


def test_loss_parts(linear):
    """Data loss and regularization of weights are told apart, before the first update."""
    x, y, (kernel, bias, out, _), _, run = linear
    prediction = np.maximum(x @ kernel + bias, 0) @ out
    assert first(run, "loss", "batch", "data") == pytest.approx(np.mean((prediction - y) ** 2), rel=1e-4)
    assert first(run, "loss", "batch", "weight_regularization") == pytest.approx(0.1 * np.sum(kernel**2), rel=1e-3)


def test_gradient_update_and_weight(linear):
    """Norms of gradient, update and weight; plain SGD makes the update the gradient times the learning rate."""
    _, _, before, after, run = linear
    names = [site.name for site in run.sites if site.kind == "update"]
    assert len(names) == 4
    for name, old, new in zip(names, before, after, strict=True):
        update = np.linalg.norm(new - old)
        assert run.series(Probe(Site("gradient", name), "norm")).values[0] == pytest.approx(update / 0.1, rel=1e-3)
    kernel = names[0]
    assert run.series(Probe(Site("update", kernel), "norm")).values[0] == pytest.approx(
        np.linalg.norm(after[0] - before[0]), rel=1e-4
    )
    assert run.series(Probe(Site("weight", kernel), "norm")).values[0] == pytest.approx(
        np.linalg.norm(before[0]), rel=1e-5
    )
    rms = np.sqrt(np.mean(((after[0] - before[0]) / 0.1) ** 2))
    assert run.series(Probe(Site("gradient", kernel), "rms")).values[0] == pytest.approx(rms, rel=1e-3)


def test_unit_difference_is_measured_once(tmp_path):
    """How much units differ is measured before the first update, and is not a number later."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(2)])
    kernel = np.asarray(model.layers[0].kernel).copy()
    run = fit(model, x, x[:, :2], tmp_path)
    values = run.panel("weight", "unit_difference").values[0]
    assert values[0] == pytest.approx(np.abs(kernel - kernel[:, :1]).max(), rel=1e-6)
    assert np.isnan(values[1:]).all()


def test_dead_units_are_units_that_never_fire(tmp_path):
    """Half of the units get a bias that no input overcomes; nothing is said before enough samples were seen."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).uniform(-1, 1, (640, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    model.layers[0].bias.assign([-50.0] * 4 + [0.5] * 4)
    run = fit(model, x, x[:, :1], tmp_path, optimizer=keras.optimizers.SGD(1e-4), batch_size=64)
    values = run.panel("activation", "dead_fraction").values[0]
    unknown = DEAD_WINDOW // 64 - 1
    assert np.isnan(values[:unknown]).all()
    assert values[unknown:].tolist() == [0.5] * (10 - unknown)


@pytest.mark.parametrize(
    ("activation", "derivative"),
    [
        ("tanh", lambda y: 1 - y**2),
        ("sigmoid", lambda y: 4 * y * (1 - y)),
        ("softsign", lambda y: (1 - np.abs(y)) ** 2),
    ],
)
def test_saturated_outputs_are_where_the_slope_is_gone(activation, derivative, tmp_path):
    """An output is saturated where the activation's derivative is below 5 % of its maximum."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(0, 6, (32, 4)).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(40, activation=activation, name="hidden"), layers.Dense(1)]
    )
    out = np.asarray(model.layers[0](x))
    run = fit(model, x, x[:, :1], tmp_path)
    flat = np.mean(derivative(out) < 0.05)
    assert 0.02 < flat < 0.9
    assert first(run, "activation", "hidden", "saturated_fraction") == pytest.approx(flat)


def test_class_counts_add_up_over_batches(tmp_path):
    """Imbalance is the largest class over the upper limit of the smallest, counted since the beginning."""
    labels = np.array([0] * 90 + [1] * 30 + [2] * 8)
    x = np.zeros((128, 4), "float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    run = fit(model, x, labels, tmp_path, loss="sparse_categorical_crossentropy")
    expected = 90 / (8 + 2 * np.sqrt(8) + 3)
    assert run.panel("label", "imbalance").values[0, -1] == pytest.approx(expected, rel=1e-5)


def test_chance_is_known_before_training(tmp_path):
    """The loss of a uniform guess is ln C, and the untrained zero model has exactly that."""
    x, y = np.ones((32, 4), "float32"), np.arange(32) % 7
    model = keras.Sequential([keras.Input((4,)), layers.Dense(7, activation="softmax", kernel_initializer="zeros")])
    run = fit(model, x, y, tmp_path, loss="sparse_categorical_crossentropy")
    assert first(run, "loss", "batch", "chance") == pytest.approx(np.log(7), rel=1e-6)
    assert first(run, "loss", "batch", "data") == pytest.approx(np.log(7), rel=1e-5)


def test_what_the_model_prepares_itself_is_not_yet_input(tmp_path):
    """With a Rescaling layer in front, the input that counts is what reaches the first real layer."""
    x = np.random.default_rng(0).integers(0, 256, (32, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Rescaling(1 / 255), layers.Dense(1)])
    run = fit(model, x, x[:, :1], tmp_path)
    assert first(run, "input", "", "maximum") <= 1.0
    assert sum(site.kind == "input" for site in run.sites) == 1


class Places(layers.Layer):
    """Embed words and their places, as Keras's example of a transformer does."""

    def __init__(self, words, length):
        super().__init__()
        self.word, self.place = layers.Embedding(words, 4, name="word"), layers.Embedding(length, 4, name="place")

    def call(self, x):
        return self.word(x) + self.place(keras.ops.arange(0, keras.ops.shape(x)[-1]))


@pytest.mark.parametrize("length", [6, None], ids=["known length", "unknown length"])
def test_places_that_are_counted_are_no_input(tmp_path, length):
    """Of what two embeddings take, the words are data, and the places are the same in every batch."""
    pooled = [layers.GlobalAveragePooling1D(), layers.Dense(1)]
    model = keras.Sequential([keras.Input((length,)), Places(9, 6), *pooled])
    x = np.random.default_rng(0).integers(0, 9, (32, 6))
    run = fit(model, x, x[:, :1].astype("float32"), tmp_path)
    assert [site.name.rpartition("/")[2] for site in run.sites if site.kind == "input"] == ["word"]


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")  # Keras says so as well
def test_sites_name_layers_and_their_attributes(tmp_path):
    """A layer that is called twice has two sites; the last one is the output; a cut gradient is not connected."""
    inputs = keras.Input((6,))
    shared = layers.Dense(6, activation="relu", name="shared")
    cut = layers.Lambda(keras.ops.stop_gradient)(layers.Dense(6, name="cut")(inputs))
    out = layers.Dense(2, activation="softmax", name="out")(layers.add([shared(shared(inputs)), cut]))
    x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
    run = fit(keras.Model(inputs, out), x, np.arange(32) % 2, tmp_path, loss="sparse_categorical_crossentropy")
    names = [site.name for site in run.sites if site.kind == "activation"]
    assert [name for name in names if "shared" in name] == ["shared", "shared#2"]
    outputs = [site.name for site, a in run.sites.items() if site.kind == "activation" and a["output"]]
    assert outputs == ["out"]
    connected = {site.name: a["connected"] for site, a in run.sites.items() if site.kind == "gradient"}
    assert connected == {
        "shared/kernel": True,
        "shared/bias": True,
        "cut/kernel": False,
        "cut/bias": False,
        "out/kernel": True,
        "out/bias": True,
    }
    prediction = next(a for site, a in run.sites.items() if site.kind == "prediction")
    assert (prediction["activation"], prediction["units"], prediction["repaired"]) == ("softmax", 2, True)


def test_only_what_rules_ask_for_is_probed(tmp_path):
    """A folder with one rule measures what that rule reads and, as every run, the learning rate, and nothing else."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "ONE001-x.yaml").write_text(
        "id: ONE001\ntitle: x\nchecklist: grad.exploding\nmeasure: {site: gradient, statistic: norm}\n"
        "condition: {error: {above: 1e9}}\nmessage: m\nwhy: w\nadvice: a\nreferences: [r]\n"
        "examples: [{values: '1', verdict: pass}, {values: '1e10', verdict: fail}]\n"
    )
    x = np.ones((32, 4), "float32")
    run = fit(keras.Sequential([keras.Input((4,)), layers.Dense(1)]), x, x[:, :1], tmp_path / "out", rules=rules)
    probes = [probe for table in run.tables for probe in table.probes]
    read = [("gradient", "norm")] * 2
    assert sorted((probe.site.kind, probe.statistic) for probe in probes) == [*read, ("optimizer", "learning_rate")]


def test_mixed_precision_gradients_are_unscaled(tmp_path):
    """Under mixed_float16 the recorded gradient is the true one, not the one multiplied by the loss scale."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    policy = keras.DTypePolicy("mixed_float16")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, dtype=policy, kernel_initializer="ones")])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=256.0)
    prediction = x.sum(axis=1)
    expected = np.linalg.norm(2 * (x * (prediction - x[:, 0])[:, None]).mean(axis=0))
    run = fit(model, x, x[:, :1], tmp_path, optimizer=optimizer)
    assert first(run, "gradient", "kernel", "norm") == pytest.approx(expected, rel=1e-2)


def test_facts_say_how_to_repeat_the_training(tmp_path):
    """Settings, versions, hardware and seed are recorded."""
    keras.utils.set_random_seed(11)
    x = np.ones((32, 4), "float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    run = fit(model, x, x[:, :1], tmp_path, optimizer=keras.optimizers.Adam(0.02))
    assert run.fact("optimizer.learning_rate") == pytest.approx(0.02)
    assert run.fact("seed.keras") == 11
    assert run.fact("model.parameters") == 5
    assert run.fact("fit.initial_step") == 0
    assert run.fact("versions.keras") == keras.__version__
    assert run.fact("tracking.unrecorded") == 0


def test_a_sound_training_leaves_no_note_but_the_expected_one(linear):
    """Nothing fails to be measured in a plain fit; only the loss at chance has no value for a regression."""
    run = linear[-1]
    assert [note.subject for note in run.notes] == ["loss.chance"]


def counting_reads(monkeypatch):
    """Return a callback before ours, one behind it, and how often the host read a tensor between them, one a step."""
    reads, tensor = [], type(keras.ops.zeros(()))

    def counting(original):
        def counted(*args, **kwargs):
            if reads and reads[-1] is not None:
                reads[-1] += 1
            return original(*args, **kwargs)

        return counted

    for name in ("numpy", "__array__", "__int__", "__float__", "__index__"):
        owner = next(one for one in tensor.__mro__ if name in vars(one))
        monkeypatch.setattr(owner, name, counting(vars(owner)[name]))
    begins = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs=None: reads.append(0))
    ends = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs=None: reads.append(None))
    begins.async_safe = ends.async_safe = True  # else Keras reads the logs of each step for them
    return begins, ends, reads


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("settings", [{}, {"exact": True}])
def test_only_a_flush_brings_something_to_the_host(flushed, settings, tmp_path, monkeypatch):
    """Every step is probed, and none reads a tensor unless it flushes; then each one does."""
    monkeypatch.setattr(session, "_FLUSH_SECONDS", -1.0 if flushed else 1e9)
    monkeypatch.setattr(session, "_WRITING_SHARE", 1e9)  # a slow disk puts no flush off
    begins, ends, reads = counting_reads(monkeypatch)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = HealthCallback(**quiet(tmp_path, every=1, **settings))
    x = np.ones((64, 4), "float32")
    model.train_on_batch(x, x[:, :1])  # to make variables, TensorFlow asks whether they are there
    model.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=[begins, callback, ends])
    assert load_run(callback.run_dir).steps.tolist()[-4:] == [5, 6, 7, 8]
    assert [count > 0 for count in reads if count is not None] == [flushed] * 8


@pytest.mark.parametrize("executions", [1, 5])
def test_what_changes_slowly_is_taken_seldom(executions, tmp_path):
    """At the first twenty steps and at every seventh after them, while norms of gradients are taken at every step."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="hidden"), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=executions)
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    names = ("gradient.norm", "weight.norm", "update.norm", "input.seen_fraction")
    run = watched(tmp_path, model, x, x[:, :1], *names, batch_size=1)
    steps = {kind: run.panel(kind, "norm").steps.tolist() for kind in ("gradient", "weight", "update")}
    seldom = [*range(20), 26, 33]
    assert steps == {"gradient": [*range(40)], "weight": seldom, "update": seldom}
    assert len(values(run, "input", "", "seen_fraction")) == 22


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("executions", [1, 2])
def test_step_that_found_no_data_comes_again_and_is_what_it_was(executions, tmp_path):
    """At the end of data of unknown length nothing is written and nothing is passed over, here of step 26."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=executions)
    x = np.random.default_rng(0).normal(size=(13, 4)).astype("float32")
    batches = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).filter(lambda *_: True).batch(1)
    callback = asking(tmp_path, "gradient.norm", "weight.norm")
    model.fit(batches, epochs=3, shuffle=False, verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    steps = {kind: run.panel(kind, "norm").steps.tolist() for kind in ("gradient", "weight")}
    assert steps == {"gradient": [*range(39)], "weight": [*range(20), 26, 33]}


def test_steps_that_are_probed_far_apart_all_take_everything(tmp_path):
    """Of every eighth step nothing is left out."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    run = watched(tmp_path, model, x, x[:, :1], "gradient.norm", "weight.norm", batch_size=1, every=8)
    steps = {kind: run.panel(kind, "norm").steps.tolist() for kind in ("gradient", "weight")}
    assert steps == {"gradient": [0, 8, 16, 24, 32], "weight": [0, 8, 16, 24, 32]}
