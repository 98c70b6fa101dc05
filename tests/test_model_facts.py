"""What is known of a model before its first step: its layers and their order, its training, the machine."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.models import KINDS, quiet
from tfhealth import HealthCallback, load_run
from tfhealth.capture.facts import collect, graph
from tfhealth.capture.facts.backbones import backbone_facts
from tfhealth.capture.facts.data import described, fit_data
from tfhealth.capture.facts.fit import fit_facts
from tfhealth.capture.monitors import Monitors

ROOT = Path(__file__).parent.parent


def compiled(*stack: keras.Layer, inputs: tuple[int, ...] = (4,)) -> keras.Model:
    model = keras.Sequential([keras.Input(inputs), *stack])
    model.compile("sgd", "mse")
    return model


def facts_of(model: keras.Model) -> dict:
    """Return the facts of a model, all of which could be recorded."""
    found, _, failed = collect(model, {}, [])
    assert failed == []
    return found


def layers_of(model: keras.Model) -> dict:
    """Return {the last part of a layer's name: attributes}."""
    return {site.name.rpartition("/")[2]: attributes for site, attributes, _ in collect(model, {}, [])[1]}


def named(model: keras.Model, attribute: str) -> dict:
    return {name: attributes[attribute] for name, attributes in layers_of(model).items()}


def test_a_layer_is_recorded_as_it_was_built():
    """Every setting that rules may ask for, without a call of the layer."""
    regularizer = keras.regularizers.L2(0.01)
    found = layers_of(
        compiled(
            layers.Dense(3, "relu", kernel_initializer="he_normal", kernel_regularizer=regularizer, name="hidden"),
            layers.Dropout(0.4, name="drop"),
            layers.Dense(2, use_bias=False, trainable=False, name="last"),
        )
    )
    assert found["hidden"] == {
        "layer": "Dense",
        "activation": "relu",
        "trainable": True,
        "parameters": 15,
        "kernel_initializer": "HeNormal",
        "bias_initializer": "Zeros",
        "kernel_regularizer": "l2",
        "kernel_regularizer_strength": pytest.approx(0.01),
        "regularized": True,
        "units": 3,
        "rate": None,
        "use_bias": True,
        "adapted": None,
        "frozen": False,
        "nested": False,
        "depth": 0,
        "dropout_before": None,
        "normalized_after": False,
        "linear_before": False,
        "linear_layers_before": 0,
        "unknown_weights": "none",
    }
    assert {name: found["drop"][name] for name in ("layer", "rate", "depth", "parameters")} == {
        "layer": "Dropout",
        "rate": 0.4,
        "depth": 1,
        "parameters": 0,
    }
    assert [found["last"][name] for name in ("frozen", "trainable", "use_bias", "depth")] == [True, False, False, 1]


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (None, (None, None)),
        (keras.regularizers.L1(0.5), ("l1", 0.5)),
        (keras.regularizers.L1L2(0.5, 0.25), ("l1_l2", 0.5)),
        (keras.regularizers.L1L2(0.0, 0.25), ("l2", 0.25)),
        (keras.regularizers.OrthogonalRegularizer(0.5), ("OrthogonalRegularizer", 0.5)),
        (lambda weights: 0.0, ("<lambda>", None)),
    ],
)
def test_a_regularizer_has_a_name_and_a_strength(regularizer, expected):
    """The larger strength of two; none where Keras does not know it."""
    found = layers_of(compiled(layers.Dense(2, kernel_regularizer=regularizer, name="one")))["one"]
    assert (found["kernel_regularizer"], found["kernel_regularizer_strength"]) == expected


def test_depth_counts_weighted_layers_on_the_longest_path():
    """Through nested models, sums and shared layers; layers without weights add nothing."""
    block = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu", name="in_0"), layers.Dense(4, name="in_1")])
    left, right = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(4, "relu", name="shared")
    summed = layers.Add(name="sum")([block(shared(left)), shared(right)])
    model = keras.Model({"a": left, "b": right}, layers.Dense(1, name="last")(layers.ReLU(name="relu")(summed)))
    model.compile("sgd", "mse")
    assert named(model, "depth") == {"shared": 0, "in_0": 1, "in_1": 2, "sum": 3, "relu": 3, "last": 3}
    assert facts_of(model)["model"]["weighted_depth"] == 4
    assert named(model, "nested") == {name: name.startswith("in_") for name in named(model, "nested")}


def test_depth_behind_a_model_whose_inside_is_not_known_is_not_guessed():
    """A subclassed model in a functional one hides how deep it is, and whether it has a skip path."""

    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(4, name="inner")

        def call(self, x):
            return self.inner(x) + x

    inputs = keras.Input((4,))
    hidden = Hidden()(layers.Dense(4, "relu", name="first")(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="last")(hidden))
    model.compile("sgd", "mse")
    assert named(model, "depth") == {"first": 0, "inner": None, "last": None}
    assert [facts_of(model)["model"][name] for name in ("weighted_depth", "residual")] == [None, None]


def concatenated(x):
    return layers.Concatenate()([x, layers.Dense(4)(x)])


def side_by_side(x):
    return layers.Concatenate()([layers.Dense(4)(x), layers.Dense(4)(layers.Dense(4, "relu")(x))])


def gated(x):
    return layers.Multiply()([x, layers.Dense(4, "sigmoid")(x)])


def operated(x):
    return x + layers.Dense(4)(layers.Dense(4, "relu")(x))


def projected(x):
    return layers.Add()([layers.Dense(4)(x), layers.Dense(4)(layers.Dense(4, "relu")(x))])


class Joined(layers.Layer):
    """A layer of the user's own that takes two tensors."""

    def call(self, one, other):
        return one + other


def joined(x):
    return Joined()(x, layers.Dense(4)(x))


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        *((concatenated, True), (operated, True), (projected, True)),
        *((side_by_side, False), (gated, False), (joined, None)),
    ],
)
def test_a_skip_path_is_told_from_branches_and_gates(join, expected):
    """Sums of paths of different length, and what is kept beside what is made of it."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(join(layers.Dense(4, "relu")(inputs))))
    model.compile("sgd", "mse")
    assert facts_of(model)["model"]["residual"] is expected


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([layers.Dropout(0.2), layers.BatchNormalization(name="norm")], True),
        ([layers.Dropout(0.2), layers.ReLU(), layers.BatchNormalization(name="norm")], True),
        ([layers.Dropout(0.0), layers.BatchNormalization(name="norm")], False),
        ([layers.BatchNormalization(name="norm"), layers.Dropout(0.2)], False),
        ([layers.Dropout(0.2), layers.Dense(4), layers.BatchNormalization(name="norm")], False),
        ([layers.SpatialDropout1D(0.2), layers.LayerNormalization(name="norm")], True),
    ],
)
def test_dropout_directly_before_a_normalization(stack, expected):
    """With nothing that has weights between."""
    model = compiled(layers.Dense(4, "relu"), layers.Reshape((2, 2)), *stack)
    assert layers_of(model)["norm"]["dropout_before"] is expected


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ([layers.Dense(4)], True),
        ([layers.Dense(4), layers.Dropout(0.1), layers.BatchNormalization(), layers.Flatten()], True),
        ([layers.Dense(4, "tanh")], False),
        ([layers.Dense(4), layers.ReLU()], False),
        ([layers.Dense(4), layers.LayerNormalization()], False),
        ([layers.Dense(4), layers.Activation("linear"), layers.Activation("relu")], False),
        ([], False),
    ],
)
def test_a_stack_of_linear_layers_is_seen(between, expected):
    """A weighted layer on top of a linear one has no more power than one of both."""
    assert layers_of(compiled(*between, layers.Dense(2, name="top")))["top"]["linear_before"] is expected


def test_a_normalization_that_follows_is_seen():
    """Directly, or behind an activation."""
    stack = [layers.Dense(4, name="a"), layers.ReLU(), layers.BatchNormalization(), layers.Dense(2, name="b")]
    assert [named(compiled(*stack), "normalized_after")[name] for name in "ab"] == [True, False]


def test_a_recurrent_layer_stands_for_its_cells():
    """One site, with the weights of all cells."""
    found = layers_of(
        compiled(layers.LSTM(3, trainable=False, name="lstm"), layers.Dense(1, name="last"), inputs=(5, 2))
    )
    assert (list(found), found["lstm"]["parameters"], found["lstm"]["frozen"]) == (["lstm", "last"], 72, True)


def test_facts_of_the_whole_model():
    """What normalizes, drops, regularizes, augments, is of the user's own or is frozen is counted."""

    class Own(layers.Layer):
        def call(self, x):
            return x

    model = compiled(
        layers.RandomFlip(),
        layers.Conv2D(2, 3, kernel_regularizer="l2"),
        layers.GroupNormalization(1),
        layers.SpatialDropout2D(0.3),
        layers.Flatten(),
        layers.Dense(4, bias_regularizer="l1", trainable=False),
        layers.Dropout(0.5),
        Own(),
        inputs=(6, 6, 1),
    )
    expected = {
        "normalization_layers": 1,
        "dropout_layers": 2,
        "highest_dropout": 0.5,
        "regularized_layers": 2,
        "augmentation_layers": 1,
        "augmentation_strength": 0.0,
        "stateful_layers": 0,
        "vector_batch_normalizations": 0,
        "custom_layers": 1,
        "frozen_parameters": 132,
        "frozen_random_kernels": 1,
        "weighted_depth": 2,
        "residual": False,
        "backbone": None,
        "backbone_input": "none",
    }
    found = facts_of(model)["model"]
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[("vgg16", "caffe"), ("resnet50", "caffe"), ("resnet50v2", "unit"), ("inception_v3", "unit")],
        *[("mobilenet_1.00_224", "unit"), ("densenet121", "standard"), ("MobileNetV3Small", "raw")],
        *[("efficientnetv2-b0", "raw"), ("convnext_tiny", "raw"), ("my_own", "none")],
    ],
)
def test_input_of_a_backbone_is_known_by_its_name(name, expected):
    """Each family of `keras.applications` was trained on pixels prepared in its own way."""
    network = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name=name.replace(".", "_"))
    network.name = name
    assert backbone_facts([network])["backbone_input"] == expected


def test_what_normalizes_vectors_what_keeps_a_state_and_how_strong_augmentation_is():
    """Of augmentation the largest factor in size; images have many numbers a channel to take statistics of."""
    stack = [layers.RandomTranslation(0.1, (-0.4, 0.2)), layers.RandomRotation(0.05), layers.Conv2D(2, 3)]
    stack += [layers.BatchNormalization(), layers.Flatten(), layers.Dense(4), layers.BatchNormalization()]
    found = facts_of(compiled(*stack, layers.BatchNormalization(trainable=False), inputs=(6, 6, 1)))["model"]
    assert (found["augmentation_strength"], found["vector_batch_normalizations"]) == (0.4, 1)
    recurrent = keras.Sequential([keras.Input(batch_shape=(2, 5, 1)), layers.GRU(3, stateful=True), layers.Dense(1)])
    recurrent.compile("sgd", "mse")
    assert facts_of(recurrent)["model"]["stateful_layers"] == 1


def test_a_known_backbone_is_named():
    """By what `keras.applications` calls it, also in another model."""
    base = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), include_top=False, alpha=0.35)
    base.trainable = False
    model = compiled(base, layers.GlobalAveragePooling2D(), layers.Dense(2), inputs=(32, 32, 3))
    found = facts_of(model)["model"]
    assert (found["backbone"], found["weighted_depth"], found["residual"]) == ("MobileNetV2", 53, True)
    assert found["backbone_input"] == "unit"
    joined = keras.Model(base.input, layers.Dense(2)(layers.Flatten()(base.output)))
    assert backbone_facts(joined.layers) == {name: found[name] for name in found if name.startswith("backbone")}
    assert found["frozen_parameters"] == base.count_params() - sum(
        int(np.prod(one.shape)) for one in base.weights if "moving" in one.name
    )


def test_a_structure_is_the_same_whatever_layers_are_called():
    """And another one where a layer differs; a model that is not built has none."""

    def structure(*stack: keras.Layer) -> object:
        return facts_of(compiled(*stack))["fit"]["structure"]

    first = structure(layers.Dense(3, "relu"), layers.Dense(1))
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert structure(layers.Dense(3, "relu", name="other"), layers.Dense(1)) == first
    assert structure(layers.Dense(3, "tanh"), layers.Dense(1)) != first
    unbuilt = keras.Sequential([layers.Dense(1)])
    unbuilt.compile("sgd", "mse")
    assert [facts_of(unbuilt)[site][name] for site, name in (("fit", "structure"), ("model", "weighted_depth"))] == [
        None,
        None,
    ]


def test_what_compile_was_told():
    """Losses and metrics by name, without the loss among the metrics, for several outputs as well."""
    inputs = keras.Input((4,))
    outputs = {"a": layers.Dense(3, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)}
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd",
        loss={"a": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "b": "mse"},
        loss_weights={"a": 1.0, "b": 0.5},
        metrics={"a": ["accuracy"], "b": [keras.metrics.RootMeanSquaredError()]},
        weighted_metrics={"b": ["mae"]},
    )
    assert facts_of(model)["compile"] == {
        "loss": "sparse_categorical_crossentropy, mse",
        "from_logits": True,
        "custom_loss": False,
        "loss_weights": "{'a': 1.0, 'b': 0.5}",
        "metrics": "accuracy, root_mean_squared_error",
        "weighted_metrics": "mae",
    }


def test_a_loss_of_the_users_own_has_no_known_logits():
    """A function says nothing of what it takes."""

    def own(y_true, y_pred):
        return keras.ops.mean(y_true - y_pred)

    model = compiled(layers.Dense(1))
    model.compile("sgd", own)
    found = facts_of(model)["compile"]
    assert [found[name] for name in ("loss", "from_logits", "custom_loss", "metrics")] == ["own", None, True, "none"]


def test_every_setting_of_an_optimizer():
    """Clipping, averaging, accumulation and schedule, and the optimizer inside where the loss is scaled."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, dtype="float32")])
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0, use_ema=True, gradient_accumulation_steps=2), "mse")
    found = facts_of(model)
    expected = {
        "class": "LossScaleOptimizer",
        "inner_class": "Adam",
        "learning_rate": None,
        "schedule": "ExponentialDecay",
        "schedule_decay_steps": 10,
        "schedule_decay_rate": 0.5,
        "clipped": True,
        "clipnorm": 1.0,
        "use_ema": True,
        "gradient_accumulation_steps": 2,
        "dynamic_growth_steps": 2000,
    }
    assert {name: found["optimizer"][name] for name in expected} == expected
    assert found["fit"]["precision"] == "float16"


def test_the_process_is_recorded():
    """Versions, and what the machine has."""
    found = facts_of(compiled(layers.Dense(1)))
    assert found["versions"] == {
        **{package: found["versions"][package] for package in ("python", "numpy", "tfhealth", "cuda")},
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "conflicts": "none",
        "cuda_build": tf.test.is_built_with_cuda(),
    }
    assert found["hardware"]["memory_gb"] is None or found["hardware"]["memory_gb"] > 0.1
    assert found["hardware"]["gpus"] == len(tf.config.list_physical_devices("GPU"))
    assert found["fit"]["strategy"] == "DefaultDistributionStrategy"


@pytest.mark.parametrize(("steps", "expected"), [(12, 36), (None, None)])
def test_a_fit_tells_how_many_steps_it_is_asked_for(steps, expected):
    """Epochs times steps of each; of data without a known length nobody knows."""
    assert fit_facts(compiled(layers.Dense(1)), {"epochs": 3, "steps": steps})["steps"] == expected


def test_a_layer_that_raises_costs_only_itself(tmp_path):
    """The others are recorded, and the note says which one is not."""

    class Hostile(layers.Layer):
        @property
        def units(self):
            raise RuntimeError("no units here")

        def call(self, x):
            return x

    model = compiled(layers.Dense(2, name="good"), Hostile(name="bad"), layers.Dense(1, name="last"))
    callback = HealthCallback(**quiet(tmp_path))
    model.fit(np.zeros((8, 4)), np.zeros((8, 1)), verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    seen = [site.name.rpartition("/")[2] for site in run.sites if site.kind == "layer"]
    assert seen == ["good", "last"]
    assert [note.why for note in run.notes if note.subject.endswith("bad")] == ["RuntimeError: no units here"]


def test_a_graph_that_cannot_be_read_costs_only_what_it_says(monkeypatch):
    """What Keras keeps to itself may change: layers are known, and their places are not."""

    def broken(model):
        raise AttributeError("_nodes_by_depth")

    monkeypatch.setattr(graph, "read", broken)
    model = compiled(layers.Dense(2, name="one"))
    found, sites, failed = collect(model, {}, [])
    assert [(attributes["units"], attributes["depth"]) for _, attributes, _ in sites] == [(2, None)]
    assert (found["model"]["weighted_depth"], found["model"]["parameters"]) == (None, 10)
    assert failed == [("layer", "what lies before and after: AttributeError: _nodes_by_depth")]


def test_layers_of_one_name_are_told_apart():
    """The second is numbered, as second calls are."""
    inputs = keras.Input((4,))
    twins = [
        keras.Sequential([keras.Input((4,)), layers.Dropout(rate, name="drop"), layers.Dense(2)]) for rate in (0.1, 0.2)
    ]
    model = keras.Model(inputs, layers.Add()([twin(inputs) for twin in twins]))
    model.compile("sgd", "mse")
    rates = {site.name: one["rate"] for site, one, _ in collect(model, {}, [])[1] if "drop" in site.name}
    assert rates == {"drop": 0.1, "drop#2": 0.2}


@pytest.mark.parametrize("kind", KINDS)
def test_no_model_is_changed_by_being_looked_at(kind):
    """Variables, random state and attributes are what they were."""
    model = KINDS[kind][0]()
    model.compile("adam", "mse")
    marks = {name: id(value) for name, value in vars(model).items()}
    values = [one.numpy().copy() for one in model.variables]
    drawn = []
    for look in (lambda model: None, facts_of):
        keras.utils.set_random_seed(3)
        look(model)
        drawn.append([keras.random.uniform((3,)).numpy(), np.random.random(3), tf.random.uniform((3,)).numpy()])
    assert {name: id(value) for name, value in vars(model).items()} == marks
    np.testing.assert_array_equal(*drawn)
    for old, new in zip(values, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def documented() -> dict[str, set[str]]:
    """Return {fact site: names} of the tables of the guide."""
    page = (ROOT / "docs/guide/facts.md").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title = re.match(r"`(\w+)`", part)
        if title:
            found[title.group(1)] = set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))
    return found


def test_every_fact_is_in_the_guide(tmp_path):
    """What a rule may ask for is listed, and nothing else is; settings of optimizers are as many as optimizers."""
    model, callback = compiled(layers.Dense(1)), HealthCallback(**quiet(tmp_path))
    model.fit(np.zeros((8, 4)), np.zeros((8, 1)), verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    found = {site.name: set(attributes) for site, attributes in run.sites.items() if site.kind == "fact"}
    rows, told = np.zeros((8, 4)), {"batch_size", "shuffle", "validation", "class_weight", "sample_weight"}
    dataset = tf.data.Dataset.from_tensor_slices((rows, rows))
    found["data"] |= set(fit_data({"x": rows, "class_weight": {0: 1.0}, "validation_data": dataset.batch(2)}))
    found["data"] |= set(described(dataset.shuffle(2).batch(2))) | {"unread"}
    found["fit"] |= told
    found["callbacks"] = set(Monitors([], model).facts([]))
    found["end"] = {"error"}  # of a fit that died
    listed = documented()
    assert listed.pop("optimizer") <= found.pop("optimizer") | {"schedule", "learning_rate_schedule"}
    assert listed.pop("layer") == set(runpy.run_path(str(ROOT / "docs/generator/words.py"))["RECORDED"]["layer"])
    assert listed == found


def test_normalization_that_saw_no_data_is_told_from_others():
    """Numbers it was made with are as good as those of some data."""
    shown, told, empty = layers.Normalization(), layers.Normalization(mean=0.0, variance=1.0), layers.Normalization()
    shown.adapt(np.arange(6.0).reshape(3, 2))
    _, found, failed = collect(compiled(shown, told, empty, inputs=(2,)), {}, [])
    assert failed == []
    assert [attributes["adapted"] for _, attributes, _ in found] == [True, True, False]
