"""Every way to set up a training that the docs name: a compiled model each, and what it is fitted with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tests.models import CLASSES, SAMPLES

Setup = tuple[keras.Model, dict[str, Any]]
SPARSE = "sparse_categorical_crossentropy"


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(SAMPLES, *shape)).astype("float32")


def labels(classes: int = CLASSES) -> np.ndarray:
    return np.random.default_rng(6).integers(0, classes, SAMPLES)


def plain(optimizer: Any = "adam", *, dtype: str | None = None, **settings: Any) -> keras.Model:
    """Return a compiled model with two dense layers, `hidden` and `out`."""
    stack = [layers.Dense(16, "relu", name="hidden", dtype=dtype), layers.Dense(CLASSES, "softmax", name="out")]
    model = keras.Sequential([keras.Input((12,)), *stack], name="plain")
    model.compile(optimizer, SPARSE, metrics=["accuracy"], **settings)
    return model


def arrays(**settings: Any) -> dict[str, Any]:
    return {"x": numbers(12), "y": labels(), "batch_size": 16, **settings}


def dataset(*, repeat: bool = False) -> tf.data.Dataset:
    made = tf.data.Dataset.from_tensor_slices((numbers(12), labels())).shuffle(SAMPLES, seed=3).batch(16)
    return made.repeat() if repeat else made


def two_by_name() -> Setup:
    left, right = keras.Input((12,), name="left"), keras.Input((4,), name="right")
    both = layers.Concatenate()([layers.Dense(8, "relu", name="wide")(left), layers.Dense(4, name="narrow")(right)])
    outputs = {"kind": layers.Dense(CLASSES, "softmax", name="kind")(both), "size": layers.Dense(1, name="size")(both)}
    model = keras.Model({"left": left, "right": right}, outputs)
    model.compile("adam", {"kind": SPARSE, "size": "mse"}, loss_weights={"kind": 1.0, "size": 0.5})
    x = {"left": numbers(12), "right": numbers(4)}
    return model, {"x": x, "y": {"kind": labels(), "size": numbers(1)}, "batch_size": 16}


def two_by_place() -> Setup:
    inputs = [keras.Input((12,)), keras.Input((4,))]
    both = layers.Concatenate()([layers.Dense(8, "relu", name="wide")(inputs[0]), inputs[1]])
    model = keras.Model(inputs, [layers.Dense(1, name="one")(both), layers.Dense(2, name="two")(both)])
    model.compile("adam", ["mse", "mae"])
    return model, {"x": [numbers(12), numbers(4)], "y": [numbers(1), numbers(2)], "batch_size": 16}


def nested() -> Setup:
    inner = keras.Sequential([keras.Input((12,)), layers.Dense(8, "relu", name="deep"), layers.Dropout(0.2)], name="in")
    inputs = keras.Input((12,))
    model = keras.Model(inputs, layers.Dense(CLASSES, "softmax", name="out")(inner(inputs)))
    model.compile("adam", SPARSE)
    return model, arrays()


def shared() -> Setup:
    inputs, layer = keras.Input((12,)), layers.Dense(12, "tanh", name="twice")
    model = keras.Model(inputs, layers.Dense(CLASSES, "softmax", name="out")(layer(layer(inputs))))
    model.compile("adam", SPARSE)
    return model, arrays()


def masked() -> Setup:
    stack = [
        layers.Embedding(30, 6, mask_zero=True, name="words"),
        layers.Bidirectional(layers.GRU(5, return_sequences=True), name="both"),
        layers.LSTM(4, dropout=0.2, name="last"),
        layers.Dense(CLASSES, "softmax", name="out"),
    ]
    model = keras.Sequential([keras.Input((7,)), *stack])
    model.compile("adam", SPARSE)
    return model, {"x": np.random.default_rng(0).integers(0, 30, (SAMPLES, 7)), "y": labels(), "batch_size": 16}


class Optional(keras.Model):
    """Has an input that may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(8, name="first"), layers.Dense(8, name="second")
        self.out = layers.Dense(CLASSES, "softmax", name="out")

    def call(self, inputs):
        hidden = self.first(inputs["always"])
        if inputs["sometimes"] is not None:
            hidden = hidden + self.second(inputs["sometimes"])
        return self.out(hidden)


def missing_input() -> Setup:
    model = Optional()
    model.compile("adam", SPARSE)
    return model, {"x": {"always": numbers(12), "sometimes": None}, "y": labels(), "batch_size": 16}


def rows_of_words() -> tf.RaggedTensor:
    """Return sequences of one to six words."""
    lengths = np.random.default_rng(2).integers(1, 7, SAMPLES)
    return tf.RaggedTensor.from_row_lengths(np.random.default_rng(3).integers(1, 30, lengths.sum()), lengths)


def unequal() -> Setup:
    stack = [layers.Embedding(30, 6, mask_zero=True, name="words"), layers.GRU(5, name="units"), layers.Dense(CLASSES)]
    model = keras.Sequential(stack)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batches = tf.data.Dataset.from_tensor_slices((rows_of_words(), labels())).batch(16)
    return model, {"x": batches.map(lambda x, y: (x.to_tensor(0), y)), "shuffle": False}


class Ragged(keras.Model):
    """Takes a `tf.RaggedTensor` and makes it dense itself."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.mean = layers.Embedding(30, 6, name="words"), layers.GlobalAveragePooling1D()
        self.out = layers.Dense(CLASSES, "softmax", name="out")

    def call(self, inputs):
        return self.out(self.mean(self.words(inputs.to_tensor(0))))


def ragged_input() -> Setup:
    model = Ragged()
    model.compile("adam", SPARSE)
    return model, {"x": tf.data.Dataset.from_tensor_slices((rows_of_words(), labels())).batch(16), "shuffle": False}


class OwnStep(keras.Model):
    """Adds noise to its input in a train step of its own, and clips the gradients by hand."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x + keras.random.normal(keras.ops.shape(x), seed=self.noise), training=True)
            loss = self.compute_loss(x, y, y_pred)
        gradients = [tf.clip_by_norm(one, 1.0) for one in tape.gradient(loss, self.trainable_variables)]
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.compute_metrics(x, y, y_pred)


def own_step() -> Setup:
    inputs = keras.Input((12,))
    hidden = layers.Dense(16, "relu", name="hidden")(inputs)
    model = OwnStep(inputs, layers.Dense(CLASSES, "softmax", name="out")(hidden))
    model.noise = keras.random.SeedGenerator(4)
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model, arrays()


class OwnLoss(keras.Model):
    """Computes its loss without `compile`'s, from the inputs too."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return keras.ops.mean(keras.ops.square(y_pred - x)) + 1e-3 * sum(self.losses)


def own_loss() -> Setup:
    inputs = keras.Input((12,))
    code = layers.Dense(3, "tanh", name="code", activity_regularizer="l2")(inputs)
    model = OwnLoss(inputs, layers.Dense(12, name="decoded")(code))
    model.compile("adam")
    return model, {"x": numbers(12), "batch_size": 16}


class Adversarial(keras.Model):
    """A GAN: two models, two optimizers, two losses in one train step."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = keras.Sequential([keras.Input((4,)), layers.Dense(12, name="made")], name="maker")
        self.judge = keras.Sequential([keras.Input((12,)), layers.Dense(1, name="told")], name="judge")
        self.noise = keras.random.SeedGenerator(4)
        self.built = True

    def compile(self, maker_optimizer, judge_optimizer):
        super().compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
        self.maker_optimizer, self.judge_optimizer = maker_optimizer, judge_optimizer

    def train_step(self, data):
        noise = keras.random.normal((keras.ops.shape(data)[0], 4), seed=self.noise)
        with tf.GradientTape(persistent=True) as tape:
            made, real = self.judge(self.maker(noise)), self.judge(data)
            told = self.loss(tf.ones_like(real), real) + self.loss(tf.zeros_like(made), made)
            fooled = self.loss(tf.ones_like(made), made)
        pairs = ((self.judge_optimizer, self.judge, told), (self.maker_optimizer, self.maker, fooled))
        for optimizer, model, loss in pairs:
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"told": told, "fooled": fooled}


def gan() -> Setup:
    model = Adversarial()
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.SGD(0.1))
    return model, {"x": numbers(12), "batch_size": 16}


def frozen() -> Setup:
    model = plain()
    model.layers[0].trainable = False
    model.compile("adam", SPARSE)
    return model, arrays()


def batched() -> list[tuple[np.ndarray, np.ndarray]]:
    x, y = numbers(12), labels()
    return [(x[start : start + 16], y[start : start + 16]) for start in range(0, SAMPLES, 16)]


class Batches(keras.utils.PyDataset):
    """Batches that are made one by one, in threads."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__(workers=2)
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


def endless():
    while True:
        yield from batched()


def scaled(initial: float) -> Setup:
    """Return a training in float16 whose loss scale starts at `initial`."""
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=initial)
    return plain(optimizer, dtype="mixed_float16"), arrays()


def with_optimizer(**settings: Any) -> Setup:
    return plain(keras.optimizers.Adam(0.01, **settings)), arrays()


SETUPS: dict[str, Callable[[], Setup]] = {
    "several inputs and outputs by name": two_by_name,
    "several inputs and outputs by place": two_by_place,
    "nested model": nested,
    "shared layer": shared,
    "masking, bidirectional and stacked recurrent layers": masked,
    "missing input": missing_input,
    "sequences of unequal length": unequal,
    "ragged input": ragged_input,
    "own train_step": own_step,
    "own compute_loss": own_loss,
    "GAN with two optimizers": gan,
    "frozen layer": frozen,
    "gradient accumulation": lambda: with_optimizer(gradient_accumulation_steps=3),
    "EMA": lambda: with_optimizer(use_ema=True, ema_overwrite_frequency=4),
    "clipnorm": lambda: with_optimizer(clipnorm=0.1),
    "global_clipnorm": lambda: with_optimizer(global_clipnorm=0.1),
    "clipvalue": lambda: with_optimizer(clipvalue=0.01),
    "weight decay": lambda: with_optimizer(weight_decay=0.1),
    "loss_scale_factor": lambda: with_optimizer(loss_scale_factor=64.0),
    "schedule": lambda: (plain(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 8))), arrays()),
    "mixed_float16": lambda: scaled(1024.0),
    "mixed_float16 that overflows": lambda: scaled(2.0**20),
    "mixed_bfloat16": lambda: (plain(dtype="mixed_bfloat16"), arrays()),
    "NumPy": lambda: (plain(), arrays()),
    "tf.data": lambda: (plain(), {"x": dataset(), "shuffle": False}),
    "tf.data, steps_per_epoch": lambda: (plain(), {"x": dataset(repeat=True), "steps_per_epoch": 5, "shuffle": False}),
    "tf.data of unknown length": lambda: (plain(), {"x": dataset().filter(lambda x, y: True), "shuffle": False}),
    "PyDataset": lambda: (plain(), {"x": Batches(batched()), "shuffle": False}),
    "generator": lambda: (plain(), {"x": endless(), "steps_per_epoch": 5, "shuffle": False}),
    "class_weight": lambda: (plain(), arrays(class_weight={one: 1.0 + one for one in range(CLASSES)})),
    "sample_weight": lambda: (plain(), arrays(sample_weight=np.linspace(0, 1, SAMPLES))),
    "validation_split": lambda: (plain(), arrays(validation_split=0.25)),
    "run_eagerly": lambda: (plain(run_eagerly=True), arrays()),
    "weighted_metrics": lambda: (plain(weighted_metrics=["accuracy"]), arrays(sample_weight=np.ones(SAMPLES))),
}
"""Named as in docs/set-ups.md."""
