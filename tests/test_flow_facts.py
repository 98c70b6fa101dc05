"""What a model's graph says of the signal's way: linear layers in a row, narrow ones, and axes that are mistaken."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from tests.test_model_facts import compiled, facts_of, layers_of
from tfhealth.capture.facts.machine import conflicts
from tfhealth.capture.initializers import initializer_of, looks_drawn


def model_fact(model: keras.Model, name: str):
    return facts_of(model)["model"][name]


@pytest.mark.parametrize(
    ("stack", "in_a_row", "linear"),
    [
        ([layers.Dense(8), layers.Dense(6), layers.Dense(5)], 2, True),
        ([layers.Rescaling(0.5), layers.Dense(8), layers.Dropout(0.1), layers.Dense(5, "softmax")], 1, True),
        ([layers.Dense(8, "relu"), layers.Dense(6), layers.Dense(5)], 1, False),
        ([layers.Dense(8), layers.ReLU(), layers.Dense(5)], 0, False),
        ([layers.Dense(2), layers.Dense(4)], 0, False),
        ([layers.Dense(8), layers.Dense(2), layers.Dense(8), layers.Dense(4)], 1, False),
        ([layers.Dense(3), layers.Dense(9), layers.Dense(2)], 1, True),
        ([layers.Dense(5)], 0, False),
    ],
    ids=[
        *("linear", "linear with softmax", "half", "separate activation", "bottleneck", "autoencoder"),
        *("narrow between wide ones", "one layer"),
    ],
)
def test_linear_layers_that_add_no_power_are_counted(stack, in_a_row, linear):
    """A layer narrower than both of its sides has a purpose; the activation of the output bends nothing before it."""
    model = compiled(*stack)
    counted = [one["linear_layers_before"] for one in layers_of(model).values()]
    assert max(count for count in counted if count is not None) == in_a_row
    assert model_fact(model, "linear") is linear


def test_depthwise_convolution_is_half_of_a_separable_one():
    """It is followed by a pointwise one without anything between, and max pooling bends what passes it."""
    stack = [
        layers.DepthwiseConv2D(3),
        layers.Conv2D(8, 1, name="a"),
        layers.MaxPooling2D(),
        layers.Conv2D(4, 2, name="b"),
    ]
    found = layers_of(compiled(*stack, inputs=(8, 8, 3)))
    assert [found[name]["linear_layers_before"] for name in "ab"] == [0, 0]


def test_narrowest_layer_is_one_that_all_of_the_signal_passes():
    """A gate beside the main path, however narrow, and the output are none."""
    inputs = keras.Input((6,))
    wide = layers.Dense(8, "relu")(inputs)
    gate = layers.Dense(8, "sigmoid")(layers.Dense(1, "relu")(wide))
    narrow = layers.Dense(3, "relu")(wide * gate)
    model = keras.Model(inputs, layers.Dense(12)(narrow))
    model.compile("sgd", "mse")
    assert (model_fact(model, "narrowest"), model_fact(model, "narrowest_share")) == (3, 0.25)


@pytest.mark.parametrize(
    ("mix", "mixes"),
    [
        (lambda x: layers.Softmax(axis=0)(x), True),
        (lambda x: layers.Softmax()(x), False),
        (lambda x: keras.ops.softmax(x, axis=0), True),
        (lambda x: layers.Concatenate(axis=0)([x, x]), True),
        (lambda x: keras.ops.transpose(x), True),
        (lambda x: keras.ops.mean(x, axis=0, keepdims=True), True),
        (lambda x: keras.ops.mean(x, axis=1, keepdims=True), False),
        (lambda x: keras.ops.take(np.eye(5, dtype="float32"), keras.ops.cast(x[:, 0], "int32"), axis=0), False),
    ],
)
def test_what_works_along_the_batch_axis_is_named(mix, mixes):
    """By its axis, or because the samples do not come out as the first axis."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, mix(inputs))
    model.compile("sgd", "mse")
    assert (model_fact(model, "over_batch") != "none") is mixes


def test_axes_of_images_that_are_mistaken():
    """Channels first where they are expected last, and statistics for rows; not where the layer was told so."""
    stack = [layers.Conv2D(4, 3, padding="same", name="conv"), layers.BatchNormalization(axis=1, name="norm")]
    wrong = compiled(*stack, inputs=(1, 28, 28))
    right = compiled(layers.Conv2D(4, 3), layers.BatchNormalization(), inputs=(28, 28, 1))
    names = ("channels_first", "rows_normalized")
    assert [model_fact(wrong, name) for name in names] == ["conv", "norm"]
    assert [model_fact(right, name) for name in names] == ["none", "none"]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.LayerNormalization(name="a"), (8, 1), "a"),
        (layers.LayerNormalization(axis=[1, 2]), (8, 1), "none"),
        (layers.RMSNormalization(name="b"), (1,), "b"),
        (layers.GroupNormalization(groups=-1, name="c"), (6,), "c"),
        (layers.GroupNormalization(groups=-1), (4, 4, 6), "none"),
        (layers.GroupNormalization(groups=3), (6,), "none"),
        (layers.BatchNormalization(), (1,), "none"),
    ],
    ids=str,
)
def test_normalizations_of_single_values_are_named(layer, shape, expected):
    """By what they were built for, so that it is known of a subclassed model too."""

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = [layer, layers.Dense(2)]

        def call(self, x):
            return self.stack[1](self.stack[0](x))

    model = Own()
    model.compile("sgd", "mse")
    model(np.ones((2, *shape), "float32"))
    assert model_fact(model, "normalized_alone").rpartition("/")[2] == expected


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([layers.Embedding(9, 4), layers.LSTM(3, name="a")], "a"),
        ([layers.Embedding(9, 4), layers.GRU(3, return_sequences=True), layers.GRU(2, name="b")], "b"),
        ([layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)], "none"),
        ([layers.Embedding(9, 4), layers.Masking(), layers.LSTM(3)], "none"),
        ([layers.Embedding(9, 4), layers.LSTM(3, go_backwards=True)], "none"),
        ([layers.Embedding(9, 4), layers.Bidirectional(layers.LSTM(3))], "none"),
        ([layers.Embedding(9, 4), layers.LSTM(3, return_sequences=True)], "none"),
    ],
    ids=["last step", "two layers", "mask", "masking", "backwards", "both ways", "all steps"],
)
def test_recurrent_layers_that_end_on_padding_are_named(stack, expected):
    """They give what they hold after the last step, and nothing before them says where a sample ends."""
    assert model_fact(compiled(*stack, inputs=(5,)), "unmasked") == expected


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "lecun_uniform", "random_uniform", "orthogonal"])
def test_drawn_weights_are_told_from_trained_ones(name):
    """By their spread, and a uniform distribution by its ends as well."""
    keras.utils.set_random_seed(0)
    layer = layers.Dense(32, kernel_initializer=name)
    layer.build((None, 64))
    (kernel, _) = layer.variables
    assert looks_drawn(kernel, initializer_of(kernel, layer)) is True
    kernel.assign(kernel * 1.3)
    assert looks_drawn(kernel, initializer_of(kernel, layer)) is False


def test_nobody_knows_what_a_function_of_ones_own_draws():
    """Then nothing is said."""
    layer = layers.Dense(4, kernel_initializer=lambda shape, dtype: keras.random.normal(shape, dtype=dtype))
    layer.build((None, 4))
    assert looks_drawn(layer.kernel, initializer_of(layer.kernel, layer)) is None


def test_what_is_in_use_beyond_a_bare_model_is_listed():
    """Layers, and settings of the optimizer."""
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model = compiled(layers.GaussianNoise(0.1), layers.Dropout(0.1), layers.Dense(2, kernel_regularizer="l2"))
    model.compile(keras.optimizers.AdamW(schedule), "mse")
    said = "dropout, noise, regularization, weight decay, a learning rate schedule"
    assert model_fact(model, "extras") == said
    assert model_fact(compiled(layers.Dense(2)), "extras") == "none"


def test_weights_of_a_known_architecture():
    """Drawn at random, frozen like that, or anything else."""
    base = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, include_top=False)
    seen = []
    for change in (lambda: None, lambda: setattr(base, "trainable", False), lambda: halve(base)):
        change()
        model = compiled(base, layers.GlobalAveragePooling2D(), layers.Dense(2), inputs=(32, 32, 3))
        seen.append(model_fact(model, "backbone_weights"))
    assert seen == ["random", "random and frozen", "loaded"]


def halve(model: keras.Model) -> None:
    model.set_weights([weight / 2 for weight in model.get_weights()])


def test_versions_that_do_not_go_together_are_found(tmp_path, monkeypatch):
    """Requirements with extras or for other systems do not count, nor packages that are not there."""
    folder = tmp_path / "brittle-1.0.dist-info"
    folder.mkdir()
    asked = ["numpy<1", "keras>=3", "absent>2", 'numpy>99; extra == "new"', 'numpy>99; sys_platform == "plan9"']
    lines = ["Metadata-Version: 2.1", "Name: brittle", "Version: 1.0", *(f"Requires-Dist: {one}" for one in asked)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert conflicts("brittle", "not-installed") == [f"brittle asks for numpy<1, found {np.__version__}"]
