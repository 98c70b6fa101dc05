"""What is known of training data before the first step: described, and neither iterated nor kept."""

from __future__ import annotations

import gc
import inspect
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import data, quiet, trained
from tfhealth import HealthCallback, load_run
from tfhealth.capture import script
from tfhealth.capture.facts import pipeline
from tfhealth.capture.facts.data import described

X, Y = np.zeros((40, 4), "float32"), np.zeros(40, "int64")


def pairs() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((X, Y))


def infinite() -> tf.data.Dataset:
    return pairs().shuffle(40).repeat().batch(8)


class Sequence(keras.utils.PyDataset):
    """A PyDataset that must not be asked for anything."""

    def __len__(self):
        raise AssertionError("asked for its length")

    def __getitem__(self, index):
        raise AssertionError("asked for a batch")


class Hostile:
    """Data that raises whatever it is asked."""

    def __getattr__(self, name):
        raise RuntimeError("no")


def known(found: dict, *names: str) -> dict:
    return {name: found.get(name) for name in names}


@pytest.mark.parametrize(
    ("given", "kind", "samples"),
    [
        (X, "ndarray", 40),
        ((X, Y), "ndarray", 40),
        ([X, X], "ndarray", 40),
        (({"a": X, "b": X}, Y, np.ones(40)), "ndarray", 40),
        (tf.constant(X), "Tensor", 40),
        ((one for one in X), "generator", None),
        (Sequence(), "PyDataset", None),
        (pairs().batch(7), "Dataset", 40),
    ],
)
def test_data_of_every_kind_is_described(given, kind, samples):
    """Its kind and length, and nothing is asked of what is made as the training goes on."""
    assert known(described(given), "kind", "samples") == {"kind": kind, "samples": samples}


def test_a_chain_of_transformations_is_read():
    """In the order in which they were written, from inside to outside."""
    found = described(pairs().map(lambda x, y: (x, y)).cache().shuffle(13, seed=1).batch(5).repeat(2).prefetch(2))
    assert found == {
        "kind": "Dataset",
        "batches": 16,
        "sample_weight": False,
        "batch_size": 5,
        "samples": 40,
        "shuffled": True,
        "shuffle_buffer": 13,
        "shuffles_batches": False,
        "repeated": True,
        "maps": 1,
        "prefetched": True,
        "cached": True,
        "transformations": "tensor_slice, map, cache, shuffle, batch, repeat, prefetch",
    }


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (lambda: pairs().batch(8), {"shuffled": False, "batch_size": 8, "batches": 5, "samples": 40}),
        (infinite, {"shuffled": True, "batch_size": 8, "batches": None, "samples": 40}),
        (lambda: pairs().batch(8).shuffle(5), {"shuffled": True, "shuffles_batches": True, "shuffle_buffer": 5}),
        (lambda: pairs().shuffle(9).batch(8).shuffle(5), {"shuffles_batches": False, "shuffle_buffer": 9}),
        (lambda: pairs().filter(lambda x, y: y > 0).batch(8), {"batches": None, "samples": None, "batch_size": 8}),
        (lambda: pairs().batch(8).rebatch(4), {"batch_size": None, "samples": None}),
        (lambda: pairs().map(lambda x, y: (x, y), num_parallel_calls=2).padded_batch(3), {"maps": 1, "batch_size": 3}),
        (lambda: tf.data.Dataset.zip(pairs().shuffle(2), pairs()).batch(4), {"shuffled": True, "batch_size": 4}),
        (lambda: pairs().map(lambda x, y: (x, y, 1.0)).batch(4), {"sample_weight": True}),
    ],
)
def test_pipelines_of_every_shape(dataset, expected):
    """What the graph shows is known, and what it does not show is not guessed."""
    assert known(described(dataset()), *expected) == expected


def test_nothing_is_drawn_from_a_data_set():
    """A generator behind it is not started, and a later iteration begins at the first element."""
    drawn: list[int] = []

    def source():
        for number in range(3):
            drawn.append(number)
            yield np.float32(number)

    dataset = tf.data.Dataset.from_generator(source, output_signature=tf.TensorSpec((), tf.float32)).batch(1)
    described(dataset)
    assert drawn == []
    assert [float(one[0]) for one in dataset] == [0.0, 1.0, 2.0]


def test_a_graph_that_cannot_be_read_says_why(monkeypatch):
    """What TensorFlow keeps to itself may change: the rest is known, and no rule takes silence for `no`."""
    monkeypatch.setattr(pipeline, "_behind", lambda dataset: iter(dataset.gone))
    found = described(pairs().batch(8))
    assert known(found, "kind", "batches", "shuffled", "batch_size") == {
        "kind": "Dataset",
        "batches": 5,
        "shuffled": None,
        "batch_size": None,
    }
    assert str(found["unread"]).startswith("the graph of the data set: AttributeError: ")


def test_data_that_raises_ends_nothing():
    """The fact says that it could not be read."""
    assert known(described(Hostile()), "unread") == {"unread": "RuntimeError: no"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"batch_size": 32, "batches": 2, "samples": 40, "shuffled": True, "validation_given": "none"}),
        ({"batch_size": 8, "shuffle": False}, {"batch_size": 8, "batches": 5, "shuffled": False}),
        (
            {"validation_split": 0.25},
            {"samples": 30, "validation_samples": 10, "validation_given": "split", "validation_share": 0.25},
        ),
        (
            {"validation_data": (X[:10], Y[:10])},
            {"samples": 40, "validation_samples": 10, "validation_given": "data", "validation_kind": "ndarray"},
        ),
        (
            {"validation_data": pairs().batch(8)},
            {"validation_samples": 40, "validation_kind": "Dataset", "validation_batches": 5, "validation_share": 0.5},
        ),
        ({"class_weight": {0: 1.0, 1: 9.5}}, {"class_weight": True, "class_weights": "0: 1.0, 1: 9.5"}),
        ({"sample_weight": np.ones(40)}, {"sample_weight": True, "class_weight": False}),
    ],
)
def test_arguments_of_fit_say_the_rest(arguments, expected):
    """Batch size, order, weights and validation, as fit itself takes them."""
    bound = inspect.signature(keras.Model.fit).bind(None, x=X, y=Y, **arguments)
    assert known(script._told(bound)["data"], *expected) == expected


def test_a_callback_may_be_told_the_data(tmp_path):
    """The record has it beside what Keras tells callbacks; a fact that is told stands above both."""
    x, y = data("dense")
    callback = HealthCallback(**quiet(tmp_path, data=(x, y), facts={"data": {"samples": 71, "source": "a lake"}}))
    trained("dense", [callback], epochs=1)
    run = load_run(callback.run_dir)
    assert {name: run.fact(f"data.{name}") for name in ("kind", "samples", "batches", "source")} == {
        "kind": "ndarray",
        "samples": 71,
        "batches": 5,
        "source": "a lake",
    }


def test_told_data_is_not_kept():
    """The callback holds words and numbers, not the array."""
    array = np.zeros((9, 2))
    gone = weakref.ref(array)
    callback = HealthCallback(data=array)
    del array
    gc.collect()
    assert (gone(), callback.described) == (None, {"data": {"kind": "ndarray", "samples": 9}})
