"""Labels, output and loss that do not belong together: what the traced step shows of it, and the rules on it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.asking import watched
from tests.models import quiet
from tfhealth import HealthCallback, load_run
from tfhealth.series import Site

X = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")
NUMBERS = X[:, 0]
CLASSES = np.arange(16) % 4
SPARSE = "sparse_categorical_crossentropy"


class Own(keras.losses.Loss):
    """A loss that leaves shapes as they are."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Careful(keras.losses.Loss):
    """A loss that makes shapes equal itself."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(ops.reshape(y_true, (-1, 1)) - y_pred), axis=-1)


def picked(y_true, y_pred):
    return -ops.log(ops.sum(y_pred * ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), 4), axis=-1))


def absolute(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred))


def output(out, stack, loss, y, **settings):
    """Return the attributes of the output of a model that was trained for one step on one batch."""
    model = keras.Sequential([keras.Input((5,)), *stack])
    model.compile("sgd", loss, **settings)
    run = watched(out, model, X, y, "prediction.mean")
    (attributes,) = [attributes for site, attributes in run.sites.items() if site.kind == "prediction"]
    return attributes


def series(units):
    return [layers.Reshape((5, 1)), layers.SimpleRNN(2, return_sequences=True), layers.Dense(units)]


@pytest.mark.parametrize(
    ("expected", "stack", "loss", "y"),
    [
        (False, [layers.Dense(1)], "mse", NUMBERS),
        (False, [layers.Dense(1)], absolute, NUMBERS),
        (True, [layers.Dense(1)], Own(), NUMBERS),
        (False, [layers.Dense(1)], Own(), NUMBERS[:, None]),
        (False, [layers.Dense(1)], Careful(), NUMBERS),
        (False, [layers.Dense(3)], Own(), NUMBERS[:, None]),
        (True, [layers.Dense(4)], "mse", NUMBERS[:, None]),
        (True, series(1), "mse", NUMBERS),
        (True, series(1), "mse", NUMBERS[:, None]),
        (False, series(1), "mse", X),
        (False, [layers.Dense(4, activation="softmax")], SPARSE, CLASSES[:, None]),
        (False, [layers.Dense(4, activation="softmax")], picked, CLASSES[:, None]),
    ],
)
def test_labels_that_are_repeated(expected, stack, loss, y, tmp_path):
    """What Keras squeezes fits; what is left to broadcasting does not, and of other losses the graph tells which."""
    assert output(tmp_path, stack, loss, y)["broadcast"] == expected


@pytest.mark.parametrize(
    ("expected", "axis", "loss"),
    [
        (False, -1, "categorical_crossentropy"),
        (False, 2, "categorical_crossentropy"),
        (True, 1, "categorical_crossentropy"),
        (False, 1, keras.losses.CategoricalCrossentropy(axis=1)),
        (True, -1, keras.losses.CategoricalCrossentropy(axis=1)),
    ],
)
def test_softmax_over_another_axis_than_the_classes(expected, axis, loss, tmp_path):
    """The axis of the last softmax is compared with the one that the loss takes for that of the classes."""
    y = np.full((16, 5, 3), 1 / 3)
    assert output(tmp_path, [*series(3), layers.Softmax(axis=axis)], loss, y)["off_axis"] == expected


@pytest.mark.parametrize(
    ("expected", "masked", "ignored"), [(False, False, None), (True, True, None), (True, False, 0)]
)
def test_loss_that_leaves_answers_out(expected, masked, ignored, tmp_path):
    """A mask that reaches the output and a class to ignore are meant; neither is a fault."""
    first = layers.Masking() if masked else layers.Activation("linear")
    stack = [layers.Reshape((5, 1)), first, layers.SimpleRNN(2, return_sequences=True), layers.Dense(4, "softmax")]
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored)
    assert output(tmp_path, stack, loss, np.tile(CLASSES[:, None], 5))["selective"] == expected


def test_metric_that_repeats_labels_is_not_the_loss(tmp_path):
    """A metric of one's own does not squeeze; the loss beside it is right."""
    assert output(tmp_path, [layers.Dense(1)], Careful(), NUMBERS, metrics=[absolute])["broadcast"] is False


@pytest.mark.parametrize(
    ("expected", "stack"),
    [
        (("softmax", "linear"), [layers.Dense(4), layers.Softmax()]),
        (("softmax", "softmax"), [layers.Dense(4, activation="softmax"), layers.Activation("softmax")]),
        (("softmax", "relu"), [layers.Dense(4, activation="relu"), layers.Softmax()]),
        (("softmax", "tanh"), [layers.Dense(4, activation="tanh"), layers.Reshape((4,)), layers.Softmax()]),
        (("linear", None), [layers.Dense(4)]),
    ],
)
def test_activation_behind_the_activation(expected, stack, tmp_path):
    """What the output's activation is applied to is read from the graph, through reshapes."""
    seen = output(tmp_path, stack, SPARSE, CLASSES)
    assert (seen["activation"], seen["inner_activation"]) == expected


@pytest.mark.parametrize(
    ("units", "loss", "y"),
    [
        (4, SPARSE, CLASSES + 1),
        (4, SPARSE, np.eye(4)[CLASSES]),
        (4, "categorical_crossentropy", CLASSES),
        (3, "binary_crossentropy", np.eye(4)[CLASSES]),
    ],
)
def test_labels_that_end_the_training_are_the_finding(units, loss, y, tmp_path):
    """Where Keras or TensorFlow refuses the labels, the report says so with advice."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(units, activation="softmax")])
    model.compile("sgd", loss)
    callback = HealthCallback(**quiet(tmp_path))
    with pytest.raises(Exception, match=r"valid range|must have"):
        model.fit(X, y, batch_size=16, verbose=0, callbacks=[callback])
    assert callback.result.findings[0].rule == "LOSS022"


@pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy:SyntaxWarning")
@pytest.mark.parametrize(("units", "expected"), [(1, None), (4, "onehot")])
def test_a_single_column_is_no_one_hot_row(tmp_path, units, expected):
    """Its largest place is the first one, whatever the label: it would look as if there were one class."""
    rows = np.eye(4, dtype="float32")[CLASSES][:, :units]
    stack = [layers.Dense(units, activation="sigmoid")]
    assert output(tmp_path, stack, "categorical_crossentropy", rows)["encoding"] == expected


def first_of_batch(y_true, y_pred):
    return ops.mean(ops.square(y_pred[0] - y_pred[1])) + 0 * ops.mean(y_true)


def first_of_row(y_true, y_pred):
    return ops.mean(ops.square(y_pred[:, 0] - y_pred[:, 1])) + 0 * ops.mean(y_true)


def first_beside_all(y_true, y_pred):
    return ops.mean(ops.square(y_pred - y_pred[0])) + 0 * ops.mean(y_true)


@pytest.mark.parametrize(
    ("expected", "loss"), [(True, first_of_batch), (False, first_of_row), (False, first_beside_all), (False, "mse")]
)
def test_loss_that_reads_single_samples_of_a_batch(expected, loss, tmp_path):
    """It is the batch that is read at fixed places only, not the numbers of each answer."""
    assert output(tmp_path, [layers.Dense(2)], loss, X[:, :2])["single_samples"] is expected


def test_layer_that_makes_an_output_is_named(tmp_path):
    """A dropout behind the answers is seen as what it is."""
    assert output(tmp_path, [layers.Dense(1), layers.Dropout(0.5)], "mse", NUMBERS)["layer"] == "Dropout"


@pytest.mark.parametrize(("expected", "changed"), [(True, False), (False, True)])
def test_variable_of_a_loss_that_nobody_changes(expected, changed, tmp_path):
    """What is changed by hand on the way, as the weight of a penalty is, counts as changed."""
    variable = tf.Variable(1.0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    model.compile("sgd", lambda y_true, y_pred: ops.mean(ops.square(y_true - variable * y_pred)))
    change = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: variable.assign_add(float(changed)))
    callback = HealthCallback(**quiet(tmp_path))
    model.fit(X, NUMBERS[:, None], batch_size=8, verbose=0, callbacks=[change, callback])
    run = load_run(callback.run_dir)
    assert run.sites[Site("loss", "batch")]["forgotten"] is expected


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
@pytest.mark.parametrize(("expected", "axis"), [(True, -1), (False, 1)])
def test_softmax_over_one_thing_is_seen_inside_a_layer(expected, axis, tmp_path):
    """Scores of a sequence have their steps on the axis before the last."""
    weighed = layers.Lambda(lambda x: ops.sum(x * ops.softmax(x, axis=axis), axis=1), name="weighed")
    model = keras.Sequential([keras.Input((5,)), layers.Reshape((5, 1)), weighed, layers.Dense(1)])
    model.compile("sgd", "mse")
    run = watched(tmp_path, model, X, NUMBERS, "activation.mean")
    found = {site.name: one["softmax_of_one"] for site, one in run.sites.items() if site.kind == "activation"}
    assert next(value for name, value in found.items() if name.endswith("weighed")) is expected
