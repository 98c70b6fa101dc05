"""Programs whose data is at fault, each beside the same program with sound data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn import datasets
from sklearn.utils import shuffle

from tests.clinic.healthy import (
    DIGITS,
    IMAGES,
    PIXELS,
    autoencoder,
    binary_cancer,
    cnn_with_dropout,
    compiled,
    dense_on_pixels,
    embedded_text,
    lstm_on_sums,
    raw_pixels_rescaled_in_the_model,
    regression_on_diabetes,
    relu,
    sequential,
    small_iris,
    softmax,
    standard,
    tanh_wine,
)
from tests.clinic.pair import Pair, Program

IRIS, WINE, CANCER = datasets.load_iris(), datasets.load_wine(), datasets.load_breast_cancer()
WINES, KINDS = shuffle(WINE.data, WINE.target, random_state=0)
BY_CLASS = np.argsort(DIGITS.target, kind="stable")


def sigmoid() -> keras.Layer:
    return layers.Dense(1, activation="sigmoid")


def small_cnn(*first: keras.Layer) -> keras.Model:
    body = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return sequential((8, 8, 1), *first, *body, softmax())


class Batches(keras.utils.PyDataset):
    """Samples of chosen rows, a batch for each entry of `rows`."""

    def __init__(self, x: Any, y: Any, rows: list[Any], ignore_index: bool = False) -> None:
        super().__init__()
        self.x, self.y, self.rows, self.ignore_index = x, y, rows, ignore_index

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        chosen = self.rows[0 if self.ignore_index else index]
        return self.x[chosen], self.y[chosen]


def in_batches(order: Any, size: int = 32) -> list[Any]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def shuffled(count: int) -> Any:
    return np.random.default_rng(0).permutation(count)


# data.sane-inputs


def images_never_filled() -> Program:
    return compiled(small_cnn(), np.zeros_like(IMAGES), DIGITS.target)


def integer_division() -> Program:
    model = sequential((64,), relu(), softmax())
    return compiled(model, DIGITS.data.astype("uint8") // 255, DIGITS.target)


def generator_that_starts_anew() -> Program:
    data = Batches(PIXELS, DIGITS.target, in_batches(shuffled(1437)), ignore_index=True)
    return compiled(sequential((64,), relu(), softmax()), data, None)


def generator_of_batches() -> Program:
    data = Batches(PIXELS, DIGITS.target, in_batches(shuffled(1437)))
    return compiled(sequential((64,), relu(), softmax()), data, None)


# data.nonfinite-inputs


def wine_with_gaps() -> Program:
    x = standard(WINES)
    x[np.random.default_rng(0).random(x.shape) < 0.02] = np.nan
    return compiled(sequential((13,), relu(32), softmax(3)), x, KINDS)


def targets_with_gaps() -> Program:
    data = datasets.load_diabetes()
    y = standard(data.target[:, None])
    y[::40] = np.nan
    return compiled(sequential((10,), relu(32), layers.Dense(1)), standard(data.data), y, loss="mse")


# data.loader


def standardized_words() -> Program:
    model, x, y, settings = embedded_text()
    return model, standard(x), y, settings


def pixels_for_whole_numbers() -> Program:
    inputs = keras.Input((64,), dtype="int32")
    outputs = softmax()(relu()(inputs))
    return compiled(keras.Model(inputs, outputs), PIXELS * 0.99, DIGITS.target)


# data.shuffled, data.single-label-batches


def digits_by_class() -> Program:
    model = sequential((64,), relu(), softmax())
    return compiled(model, PIXELS[BY_CLASS], DIGITS.target[BY_CLASS], shuffle=False, validation_split=0.0)


def images_by_class_in_a_dataset() -> Program:
    data = tf.data.Dataset.from_tensor_slices((IMAGES[BY_CLASS], DIGITS.target[BY_CLASS])).batch(32)
    return compiled(small_cnn(), data, None)


def shuffled_images_in_a_dataset() -> Program:
    data = tf.data.Dataset.from_tensor_slices((IMAGES, DIGITS.target)).shuffle(2000, seed=0).batch(32)
    return compiled(small_cnn(), data, None)


def patients_by_diagnosis() -> Program:
    order = np.argsort(CANCER.target, kind="stable")
    model = sequential((30,), relu(16), sigmoid())
    settings = {"shuffle": False, "validation_split": 0.0}
    return compiled(model, standard(CANCER.data)[order], CANCER.target[order], loss="binary_crossentropy", **settings)


def sequences_by_class() -> Program:
    model, x, y, settings = lstm_on_sums()
    order = np.argsort(y, kind="stable")
    return model, x[order], y[order], {**settings, "shuffle": False, "validation_split": 0.0}


def patients_by_severity() -> Program:
    data = datasets.load_diabetes()
    order = np.argsort(data.target)
    model = sequential((10,), relu(32), layers.Dense(1))
    x, y = standard(data.data)[order], standard(data.target[:, None])[order]
    return compiled(model, x, y, loss="mse", shuffle=False, validation_split=0.0, epochs=30)


def people_and_things() -> Program:
    """All people and all things are on both sides of the split; no person is there with the same thing twice."""
    rng = np.random.default_rng(5)
    people, things = rng.normal(size=(60, 6)), rng.normal(size=(80, 6))
    who, what = np.divmod(rng.permutation(4800), 80)
    inputs = [keras.Input((6,)), keras.Input((6,))]
    joined = layers.Concatenate()([relu(32)(one) for one in inputs])
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(relu(32)(joined)))
    x = [people[who].astype("float32"), things[what].astype("float32")]
    y = np.sum(people[who] * things[what], axis=1) > 0
    return compiled(model, x, y.astype("float32"), keras.optimizers.Adam(3e-3), "binary_crossentropy")


def windows_of_a_walk_in_order() -> Program:
    walk = np.random.default_rng(4).normal(size=1300)
    for now in range(1, len(walk)):
        walk[now] += 0.9 * walk[now - 1]
    x = standard(np.lib.stride_tricks.sliding_window_view(walk[:-1], 12))
    model = sequential((12,), relu(32), layers.Dense(1))
    return compiled(model, x, standard(walk[12:, None]), loss="mse", shuffle=False, epochs=10)


def a_class_a_batch() -> Program:
    rows = [part for digit in range(10) for part in in_batches(np.flatnonzero(DIGITS.target == digit))]
    data = Batches(PIXELS, DIGITS.target, [rows[place] for place in shuffled(len(rows))])
    return compiled(sequential((64,), relu(), softmax()), data, None)


def a_species_a_batch() -> Program:
    rows = [part for kind in range(3) for part in in_batches(np.flatnonzero(IRIS.target == kind), 10)]
    data = Batches(standard(IRIS.data), IRIS.target, [rows[place] for place in shuffled(len(rows))])
    return compiled(sequential((4,), relu(16), softmax(3)), data, None, epochs=20)


def a_diagnosis_a_batch() -> Program:
    rows = [part for kind in range(2) for part in in_batches(np.flatnonzero(CANCER.target == kind), 16)]
    data = Batches(standard(CANCER.data), CANCER.target, [rows[place] for place in shuffled(len(rows))])
    return compiled(sequential((30,), relu(16), sigmoid()), data, None, loss="binary_crossentropy")


# data.class-balance, data.rebalancing


def defects(share: float, count: int = 6000) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = (rng.random(count) < share).astype("float32")
    return (rng.normal(size=(count, 12)) + 0.7 * y[:, None]).astype("float32"), y


def one_defect_in_a_thousand() -> Program:
    model, (x, y) = sequential((12,), relu(16), sigmoid()), defects(0.001, 12_000)
    return compiled(model, x, y, loss="binary_crossentropy", epochs=4, batch_size=128)


def one_defect_in_three() -> Program:
    return compiled(sequential((12,), relu(16), sigmoid()), *defects(0.3), loss="binary_crossentropy", epochs=4)


def one_image_in_three_hundred() -> Program:
    keep = np.concatenate([np.flatnonzero(DIGITS.target != 3), np.flatnonzero(DIGITS.target == 3)[:5]])
    keep = keep[shuffled(len(keep))]
    return compiled(small_cnn(), IMAGES[keep], (DIGITS.target[keep] == 3).astype(int), epochs=4)


def rare_kind_of_wine() -> Program:
    rng = np.random.default_rng(0)
    y = rng.choice(3, 3000, p=[0.6, 0.37, 0.03])
    x = (rng.normal(size=(3000, 8)) + y[:, None]).astype("float32")
    return compiled(sequential((8,), relu(16), softmax(3)), x, y, epochs=4)


def weights(counts: Any, inverted: bool) -> dict[int, float]:
    found = counts / counts.mean() if inverted else counts.mean() / counts
    return {number: float(weight) for number, weight in enumerate(found)}


def weighted_defects(inverted: bool) -> Program:
    x, y = defects(0.12)
    model = sequential((12,), relu(16), sigmoid())
    chosen = weights(np.bincount(y.astype(int)), inverted)
    return compiled(model, x, y, loss="binary_crossentropy", class_weight=chosen, epochs=4)


def weights_upside_down() -> Program:
    return weighted_defects(inverted=True)


def weights_by_rarity() -> Program:
    return weighted_defects(inverted=False)


def samples_weighted_by_their_class() -> Program:
    rng = np.random.default_rng(0)
    y = rng.choice(3, 3000, p=[0.7, 0.2, 0.1])
    x = (rng.normal(size=(3000, 8)) + y[:, None]).astype("float32")
    model = sequential((8,), relu(16), softmax(3))
    return compiled(model, x, y, sample_weight=np.bincount(y)[y].astype("float32") / 500, epochs=4)


def wines_weighted(by: Callable[[np.ndarray], np.ndarray]) -> Program:
    model, x, y, fit = tanh_wine()
    kinds = y.argmax(axis=1)
    return model, x, y, {**fit, "sample_weight": by(np.bincount(kinds))[kinds].astype("float32")}


def wines_weighted_by_whole_numbers() -> Program:
    return wines_weighted(lambda counts: counts.min() // counts)


def wines_weighted_by_shares() -> Program:
    return wines_weighted(lambda counts: counts.min() / counts)


# data.enough-examples, data.batch-size


def twelve_samples() -> Program:
    model = sequential((64,), relu(), softmax())
    chosen = np.concatenate([np.flatnonzero(DIGITS.target == digit)[:1] for digit in range(10)])
    held_out = (PIXELS[500:700], DIGITS.target[500:700])
    return compiled(model, PIXELS[chosen], DIGITS.target[chosen], epochs=20, batch_size=4, validation_data=held_out)


def all_data_in_one_batch() -> Program:
    return compiled(sequential((64,), relu(), softmax()), PIXELS, DIGITS.target, batch_size=1437, epochs=5)


def one_sample_a_batch() -> Program:
    model = sequential((4,), layers.Dense(16), layers.BatchNormalization(), layers.ReLU(), softmax(3))
    order = shuffled(150)
    return compiled(model, standard(IRIS.data)[order], IRIS.target[order], batch_size=1, epochs=4)


def sixteen_samples_a_batch() -> Program:
    model = sequential((4,), layers.Dense(16), layers.BatchNormalization(), layers.ReLU(), softmax(3))
    order = shuffled(150)
    rate = keras.optimizers.Adam(0.01)
    return compiled(model, standard(IRIS.data)[order], IRIS.target[order], rate, batch_size=16, epochs=15)


# data.mean-centered, data.standardized, data.target-scale


def temperatures_in_kelvin() -> Program:
    model, x, y, settings = lstm_on_sums()
    return model, x * 5 + np.float32(290), y, settings


def one_feature_is_a_year() -> Program:
    x = np.concatenate([standard(WINES), 2010 + WINES[:, :1] / 2], axis=1).astype("float32")
    return compiled(sequential((14,), relu(32), softmax(3)), x, KINDS, epochs=20)


def raw_images() -> Program:
    return compiled(small_cnn(), IMAGES * 255, DIGITS.target)


def raw_measurements() -> Program:
    model = sequential((30,), relu(16), sigmoid())
    return compiled(model, CANCER.data.astype("float32"), CANCER.target, loss="binary_crossentropy", epochs=10)


def pixels_divided_twice() -> Program:
    return compiled(sequential((64,), relu(), softmax()), PIXELS / 255, DIGITS.target)


def stretches() -> tuple[np.ndarray, np.ndarray]:
    """Return how far 60 cars went, in kilometers, and what fuel they took, in liters; float32[60, 1] both."""
    rng = np.random.default_rng(11)
    far = rng.uniform(20, 900, (60, 1))
    return far.astype("float32"), (0.07 * far + rng.normal(0, 2, (60, 1))).astype("float32")


def raw_stretches_one_by_one() -> Program:
    x, y = stretches()
    rate = keras.optimizers.SGD(0.01)
    return compiled(sequential((1,), layers.Dense(1)), x, standard(y), rate, "mse", batch_size=1, epochs=6)


def standard_stretches_one_by_one() -> Program:
    x, y = (standard(one) for one in stretches())
    rate = keras.optimizers.SGD(0.01)
    return compiled(sequential((1,), layers.Dense(1)), x, y, rate, "mse", batch_size=1, epochs=12)


def raw_autoencoder() -> Program:
    code = [relu(32), relu(8), relu(32)]
    return compiled(sequential((64,), *code, layers.Dense(64)), PIXELS * 255, PIXELS, loss="mse")


def house_prices() -> Program:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 6)).astype("float32")
    y = 250_000 + 60_000 * x @ rng.normal(size=6) + rng.normal(size=1500) * 10_000
    return compiled(sequential((6,), relu(32), layers.Dense(1)), x, y[:, None], loss="mse", epochs=15)


def house_prices_standardized() -> Program:
    model, x, y, settings = house_prices()
    return model, x, standard(y), settings


def raw_progression() -> Program:
    data = datasets.load_diabetes()
    model = sequential((10,), relu(32), layers.Dense(1))
    return compiled(model, standard(data.data), data.target[:, None], loss="mae", epochs=8)


def visitors_of_each_day() -> Program:
    rng = np.random.default_rng(0)
    series = 4000 + 800 * np.sin(np.arange(1230) / 7) + rng.normal(size=1230) * 80
    windows = np.lib.stride_tricks.sliding_window_view(standard(series[:, None])[:, 0], 30)[:-1, :, None]
    model = sequential((30, 1), layers.LSTM(16), layers.Dense(1))
    return compiled(model, windows, series[30:, None], loss="mse")


def visitors_standardized() -> Program:
    model, x, y, settings = visitors_of_each_day()
    return model, x, standard(y), settings


# data.augmentation, data.pretrained-preprocessing


def turned_and_moved_away() -> Program:
    augment = [layers.RandomTranslation(0.95, 0.95, fill_mode="constant"), layers.RandomRotation(1.0)]
    augment += [layers.RandomZoom((0.9, 1.0), fill_mode="constant")]
    return compiled(small_cnn(*augment), IMAGES, DIGITS.target, epochs=6)


def moved_a_little() -> Program:
    return compiled(small_cnn(layers.RandomTranslation(0.05, 0.05), layers.RandomRotation(0.02)), IMAGES, DIGITS.target)


def with_backbone(name: str, x: Any, *inside: keras.Layer, scale: float = 0.5) -> Program:
    """Return a frozen network that goes by a name of `keras.applications`, with a head to train.

    Its weights are none that an initializer draws, as those of a network that was loaded are not.
    """
    base = sequential((8, 8, 1), *inside, layers.Conv2D(24, 3, activation="relu"), layers.Flatten())
    base.name = name
    base.set_weights([weight * scale for weight in base.get_weights()])
    base.trainable = False
    return compiled(sequential((8, 8, 1), base, softmax()), x, DIGITS.target, keras.optimizers.Adam(3e-3))


def scaled_for_vgg() -> Program:
    return with_backbone("vgg16", IMAGES)


def centered_for_vgg() -> Program:
    return with_backbone("vgg16", IMAGES * 255 - np.float32(124), scale=0.01)


def raw_for_mobilenet() -> Program:
    return with_backbone("mobilenetv2_1.00_224", IMAGES * 255)


def centered_for_mobilenet() -> Program:
    return with_backbone("mobilenetv2_1.00_224", IMAGES * 2 - 1)


def scaled_for_efficientnet() -> Program:
    return with_backbone("efficientnetb0", IMAGES, layers.Rescaling(1 / 127.5, offset=-1))


def raw_for_efficientnet() -> Program:
    return with_backbone("efficientnetb0", IMAGES * 255, layers.Rescaling(1 / 127.5, offset=-1))


# data.split-preprocessing, data.consistent-preprocessing, data.validation, data.split-leak


def held_out(x: Any, change: Callable[[Any], Any]) -> Program:
    model = sequential((64,), relu(), softmax())
    settings = {"validation_data": (change(x[1400:]), DIGITS.target[1400:])}
    return compiled(model, x[:1400], DIGITS.target[:1400], **settings)


def raw_validation_images() -> Program:
    return held_out(PIXELS, lambda x: x * 255)


def validation_never_scaled() -> Program:
    model, x, y, settings = tanh_wine()
    held = (WINES[140:].astype("float32"), y[140:])
    return model, x[:140], y[:140], {**settings, "epochs": 10, "validation_data": held}


def validation_alike() -> Program:
    return held_out(PIXELS, lambda x: x)


def every_third_image_raw() -> Program:
    x = IMAGES.copy()
    x[::3] *= 255
    return compiled(small_cnn(), x, DIGITS.target)


def some_batches_raw() -> Program:
    rows = in_batches(shuffled(1437))
    x = PIXELS.copy()
    for part in rows[::2]:
        x[part] *= 255
    return compiled(sequential((64,), relu(), softmax()), Batches(x, DIGITS.target, rows), None)


def iris_split_by_class() -> Program:
    model = sequential((4,), relu(16), softmax(3))
    settings = {"validation_split": 0.3, "epochs": 20, "batch_size": 16}
    return compiled(model, standard(IRIS.data), IRIS.target, keras.optimizers.Adam(0.01), **settings)


def digits_split_by_class() -> Program:
    return compiled(sequential((64,), relu(), softmax()), PIXELS[BY_CLASS], DIGITS.target[BY_CLASS])


def validated_on_what_it_learned() -> Program:
    model = sequential((64,), relu(), softmax())
    return compiled(model, PIXELS, DIGITS.target, validation_data=(PIXELS, DIGITS.target))


def copies_on_both_sides() -> Program:
    order = shuffled(3 * len(IMAGES)) % len(IMAGES)  # oversampled, and split after that
    return compiled(small_cnn(), IMAGES[order], DIGITS.target[order], epochs=3)


def rare_digits_repeated_before_the_split() -> Program:
    rare = np.flatnonzero(DIGITS.target > 6)
    order = np.random.default_rng(17).permutation(np.concatenate([np.arange(len(IMAGES)), *[rare] * 8]))
    return compiled(small_cnn(), IMAGES[order], DIGITS.target[order], epochs=3)


def boards_of_nine_squares() -> Program:
    """Return a program on 512 different pictures: whether more than four of nine squares are taken."""
    taken = (np.random.default_rng(18).random((3000, 3, 3, 1)) < 0.5).astype("float32")
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")]
    model, many = sequential((3, 3, 1), *stack), (taken.sum(axis=(1, 2, 3)) > 4).astype("int32")
    return compiled(model, taken, many, keras.optimizers.Adam(0.01))


PAIRS = [
    Pair("data.sane-inputs", images_never_filled, cnn_with_dropout),
    Pair("data.sane-inputs", integer_division, dense_on_pixels),
    Pair("data.sane-inputs", generator_that_starts_anew, generator_of_batches),
    Pair("data.nonfinite-inputs", wine_with_gaps, tanh_wine),
    Pair("data.nonfinite-inputs", targets_with_gaps, regression_on_diabetes),
    Pair("data.loader", standardized_words, embedded_text),
    Pair("data.loader", pixels_for_whole_numbers, dense_on_pixels),
    Pair("data.shuffled", digits_by_class, dense_on_pixels),
    Pair("data.shuffled", images_by_class_in_a_dataset, shuffled_images_in_a_dataset),
    Pair("data.shuffled", patients_by_diagnosis, binary_cancer),
    Pair("data.shuffled", sequences_by_class, lstm_on_sums),
    Pair("data.shuffled", patients_by_severity, regression_on_diabetes, "warn"),
    Pair("data.shuffled", patients_by_severity, windows_of_a_walk_in_order, "warn"),
    Pair("data.class-balance", one_defect_in_a_thousand, one_defect_in_three),
    Pair("data.class-balance", one_image_in_three_hundred, shuffled_images_in_a_dataset),
    Pair("data.class-balance", rare_kind_of_wine, tanh_wine, "warn"),
    Pair("data.rebalancing", weights_upside_down, weights_by_rarity),
    Pair("data.rebalancing", samples_weighted_by_their_class, weights_by_rarity),
    Pair("data.rebalancing", wines_weighted_by_whole_numbers, wines_weighted_by_shares),
    Pair("data.enough-examples", twelve_samples, small_iris),
    Pair("data.single-label-batches", a_class_a_batch, generator_of_batches),
    Pair("data.single-label-batches", a_species_a_batch, small_iris),
    Pair("data.single-label-batches", a_diagnosis_a_batch, binary_cancer),
    Pair("data.batch-size", all_data_in_one_batch, dense_on_pixels),
    Pair("data.batch-size", one_sample_a_batch, sixteen_samples_a_batch),
    Pair("data.mean-centered", temperatures_in_kelvin, lstm_on_sums),
    Pair("data.mean-centered", one_feature_is_a_year, tanh_wine),
    Pair("data.standardized", raw_images, raw_pixels_rescaled_in_the_model),
    Pair("data.standardized", raw_measurements, binary_cancer),
    Pair("data.standardized", pixels_divided_twice, dense_on_pixels),
    Pair("data.standardized", raw_stretches_one_by_one, standard_stretches_one_by_one),
    Pair("data.standardized", raw_autoencoder, autoencoder),
    Pair("data.target-scale", house_prices, house_prices_standardized),
    Pair("data.target-scale", raw_progression, regression_on_diabetes),
    Pair("data.target-scale", visitors_of_each_day, visitors_standardized),
    Pair("data.augmentation", turned_and_moved_away, moved_a_little),
    Pair("data.pretrained-preprocessing", scaled_for_vgg, centered_for_vgg),
    Pair("data.pretrained-preprocessing", raw_for_mobilenet, centered_for_mobilenet),
    Pair("data.pretrained-preprocessing", scaled_for_efficientnet, raw_for_efficientnet),
    Pair("data.split-preprocessing", raw_validation_images, validation_alike),
    Pair("data.split-preprocessing", validation_never_scaled, tanh_wine),
    Pair("data.consistent-preprocessing", every_third_image_raw, cnn_with_dropout),
    Pair("data.consistent-preprocessing", some_batches_raw, generator_of_batches),
    Pair("data.validation", iris_split_by_class, small_iris),
    Pair("data.validation", digits_split_by_class, dense_on_pixels),
    Pair("data.split-leak", validated_on_what_it_learned, validation_alike),
    Pair("data.split-leak", copies_on_both_sides, shuffled_images_in_a_dataset),
    Pair("data.split-leak", rare_digits_repeated_before_the_split, boards_of_nine_squares),
    Pair("data.split-leak", rare_digits_repeated_before_the_split, people_and_things),
]
