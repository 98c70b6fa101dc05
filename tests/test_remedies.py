"""The trial of the remedy: what a finding advises is tried on clones, and its effect is told with its uncertainty."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from keras import layers

from tests.models import state
from tfhealth import UsageError, load_checklist, try_remedies
from tfhealth.preflight.remedies.builtin import REMEDIES
from tfhealth.result import Finding, Result, RunInfo

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 8)).astype("float32")
Y = (X @ RNG.normal(size=(8, 3))).argmax(1)
RARE = (X[:, 0] + RNG.normal(size=128) > 1.8).astype("int64")
CHECKLIST = load_checklist()


def network(*hidden, optimizer=None, loss="sparse_categorical_crossentropy", units=3, out="softmax"):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(units, out)])
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss)
    return model


def hidden(activation="relu", **settings):
    return layers.Dense(16, activation, **settings)


def verdict(*rules):
    """Return a verdict with nothing but a finding of each rule."""
    info = RunInfo(path=None, name="x", status="x", complete=True, started=None, ended=None, steps=1, probed_steps=1)
    findings = [
        Finding(
            rule=rule,
            title="x",
            checklist=CHECKLIST.rule(rule).checklist,
            verdict="fail",
            severity="error",
            site="x",
            kind="fact",
            step=None,
            value=None,
            limits={},
            limits_set_by="x",
            message="x",
            why="x",
            advice="x",
            references=[],
            sites=[],
        )
        for rule in rules
    ]
    empty = {"checklist": [], "rules": []}
    return Result(tfhealth="x", run=info, verdict="fail", sentence="x", findings=findings, **empty)


def tried(rule, model, x=X, y=Y, steps=40):
    return {one.remedy: one for one in try_remedies(verdict(rule), model, x, y, steps=steps).remedies}


SICK = {
    "LOSS011": ("loss", "`from_logits=True`", lambda: (network(hidden(), out=None), X, Y)),
    "LOSS016": (
        "loss",
        "`CategoricalCrossentropy(from_logits=True)` with an output without `softmax`",
        lambda: (network(hidden(), loss="mse", optimizer="sgd"), X, np.eye(3, dtype="float32")[Y]),
    ),
    "LOSS017": (
        "loss",
        '`loss="mean_squared_error"` with an output without `sigmoid`',
        lambda: (network(hidden(), units=1, out="sigmoid", loss="binary_crossentropy"), X, 5 + X[:, :1]),
    ),
    "DATA041": (
        "standardized_inputs",
        "standardizing the inputs",
        lambda: (network(hidden("tanh")), 1000 + 100 * X, Y),
    ),
    "DATA023": (
        "standardized_targets",
        "standardizing the targets",
        lambda: (network(hidden(), units=1, out=None, loss="mse"), X, 5000 + 3000 * X[:, :1]),
    ),
    "ARCH002": (
        "released_layers",
        "`trainable=True` for 1 frozen layer",
        lambda: (network(hidden(trainable=False)), X, Y),
    ),
    "INIT001": (
        "initializers",
        "drawing the weights with Keras's own initializers",
        lambda: (network(hidden(kernel_initializer="zeros")), X, Y),
    ),
    "ACT002": (
        "leaky_relu",
        '`activation="leaky_relu"`',
        lambda: (network(hidden(bias_initializer=keras.initializers.Constant(-20.0))), X, Y),
    ),
    "GRAD001": (
        "relu",
        '`activation="relu"`',
        lambda: (network(*[hidden("sigmoid") for _ in range(4)]), X, Y),
    ),
    "LOSS042": (
        "no_regularization",
        "taking out dropout and weight regularization",
        lambda: (network(hidden(kernel_regularizer=keras.regularizers.L2(3.0)), layers.Dropout(0.8)), X, Y),
    ),
    "DATA011": (
        "shuffling",
        "shuffling",
        lambda: (network(hidden(), optimizer=keras.optimizers.SGD(2.0)), X[np.argsort(Y)], np.sort(Y)),
    ),
    "DATA015": (
        "class_weights",
        "weighing the classes",
        lambda: (network(hidden(), units=1, out="sigmoid", loss="binary_crossentropy"), X, RARE),
    ),
    "OPT012": (
        "optimizer_defaults",
        "Adam with its own defaults",
        lambda: (network(hidden(), optimizer=keras.optimizers.Adam(0.01, epsilon=100.0)), X, Y),
    ),
    "GRAD003": (
        "clipping",
        "`global_clipnorm=1.0`",
        lambda: (network(units=1, out=None, loss="mse", optimizer=keras.optimizers.SGD(1.0)), X * 3, 5 * X[:, :1]),
    ),
}


@pytest.mark.parametrize("rule", SICK)
def test_what_a_finding_advises_helps_a_model_that_is_sick_in_that_way(rule):
    """The change is named, and the loss is lower with it in every repeat, or the score higher."""
    remedy, change, made = SICK[rule]
    one = tried(rule, *made())[remedy]
    assert (one.change, one.verdict, one.rule) == (change, "helps", rule)
    assert one.sentence.startswith(f"tried: {change} takes the loss after 40 steps from ")


def test_a_rate_in_use_is_replaced_by_the_one_that_a_range_test_suggests():
    """The sentence has both losses and the half-width of their difference."""
    one = tried("OPT005", network(hidden(), optimizer=keras.optimizers.Adam(1e-6)))["learning_rate"]
    assert one.verdict == "helps"
    assert one.change.startswith("`learning_rate=0.")
    assert one.loss_with + one.loss_error < one.loss_without
    assert f"to {one.loss_with:.3g} (± {one.loss_error:.2g})" in one.sentence


def test_a_change_that_does_nothing_has_no_clear_effect_and_a_bad_one_does_harm():
    """Clipping that never bites, and regularization that was needed by nobody."""
    assert tried("GRAD003", network(hidden()))["clipping"].verdict in ("no_clear_effect", "harms")
    one = tried("GRAD003", network(units=1, out=None, loss="mse", optimizer="sgd"), X, 100 * X[:, :1])["clipping"]
    assert (one.verdict, one.sentence.endswith(": it does harm")) == ("harms", True)


class Two(keras.Model):
    """Subclassed, and made for one thing."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(3, "softmax")

    def call(self, inputs):
        return self.out(inputs)


def two_outputs():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, [layers.Dense(3, "softmax")(inputs), layers.Dense(3, "softmax")(inputs)])
    model.compile("adam", ["sparse_categorical_crossentropy"] * 2)
    return model


@pytest.mark.parametrize(
    ("rule", "model", "y", "why"),
    [
        ("LOSS011", lambda: network(hidden()), Y, "output and loss fit already"),
        ("LOSS011", two_outputs, [Y, Y], "the model has 2 outputs and 2 targets, and it takes one of each"),
        ("LOSS013", Two, Y, "the output of a subclassed model is not known, and it looks like probabilities"),
        ("LOSS029", lambda: network(units=1, out=None, loss="mse"), Y, "targets from 0 to 2 are classes or numbers"),
        ("ACT002", Two, Y, "which layers of Two are hidden is not known, since it is subclassed"),
        ("ARCH002", lambda: network(hidden()), Y, "no layer is frozen"),
        ("LOSS042", lambda: network(hidden()), Y, "the model has no dropout, noise, augmentation or penalty"),
        ("DATA041", lambda: network(hidden()), Y, "the inputs are no numbers on another scale than 0 ± 1"),
    ],
)
def test_what_cannot_be_tried_says_why(rule, model, y, why):
    """Nothing is trained for it."""
    built = model()
    if not built.compiled:
        built.compile("adam", "sparse_categorical_crossentropy")
    (one,) = tried(rule, built, y=y).values()
    assert (one.verdict, one.change) == ("not_tried", "")
    assert one.sentence.startswith(f"not tried: {why}")


def test_a_subclassed_model_and_several_outputs_are_tried_where_they_can():
    """An optimizer is changed in any model."""
    model = Two()
    model.compile(keras.optimizers.Adam(1e-6, epsilon=100.0), "sparse_categorical_crossentropy")
    assert tried("GRAD003", model, steps=10)["clipping"].verdict == "no_clear_effect"
    both = two_outputs()
    both.compile(keras.optimizers.Adam(0.01, epsilon=100.0), ["sparse_categorical_crossentropy"] * 2)
    assert tried("OPT012", both, y=[Y, Y], steps=20)["optimizer_defaults"].verdict == "helps"


def test_nothing_of_a_trained_model_is_changed_and_the_answer_is_the_same_again():
    """Weights, optimizer, data and random state are as before; fresh weights are tried, once for two findings."""
    model = network(hidden(), out=None)
    model.fit(X, Y, epochs=3, verbose=0)
    before, arrays, drawn = state(model), (X.copy(), Y.copy()), (random.getstate(), np.random.get_state()[1].tolist())
    asked = verdict("LOSS011", "LOSS011")
    first = try_remedies(asked, model, X, Y, steps=20)
    after = state(model)
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []
    assert all(np.array_equal(one, other) for one, other in zip(arrays, (X, Y), strict=True))
    assert drawn == (random.getstate(), np.random.get_state()[1].tolist())
    assert [(one.rule, one.remedy) for one in first.remedies] == [("LOSS011", "loss")] * 2
    assert first.model_copy(update={"remedies": []}) == asked
    assert try_remedies(asked, model, X, Y, steps=20) == first


def test_what_there_is_no_time_for_is_told():
    """Each finding keeps its line."""
    result = try_remedies(verdict("LOSS011", "ACT002"), network(hidden(), out=None), X, Y, budget=1e-6)
    assert [one.sentence for one in result.remedies] == ["not tried: no time was left; a larger budget gives more"] * 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1, received 0"),
        ({"repeats": 2}, "repeats must be a whole number, at least 5, received 2"),
        ({"model": 3}, "model must be a Keras model, received int"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(change, expected):
    """At once."""
    given = {"result": verdict(), "model": network(), "x": X, "y": Y} | change
    with pytest.raises(UsageError, match=expected):
        try_remedies(**given)


def test_every_remedy_is_advised_by_rules_that_exist():
    """A rule that is renamed takes its remedy along; no name is used twice."""
    known = {rule.id for rule in CHECKLIST.rules} | {item.id for item in CHECKLIST.items}
    assert {name for one in REMEDIES for name in (*one.rules, *one.symptoms)} - known == set()
    assert len({one.name for one in REMEDIES}) == len(REMEDIES)
    assert {SICK[rule][0] for rule in SICK} | {"learning_rate", "label_shape"} == {one.name for one in REMEDIES}
