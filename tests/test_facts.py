"""Facts that only a person or the caller of fit knows: checked, merged with what was recorded, judged by rules."""

from __future__ import annotations

import copy
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import write_rules
from tests.models import quiet, trained
from tfhealth import HealthCallback, UsageError, load_run
from tfhealth.capture import script
from tfhealth.capture.told import checked, merged

SHARE = """\
id: DATA901
title: Few samples for validation
checklist: data.enough-examples
measure: {site: fact, attribute: validation_share}
condition:
  error: {below: 0.1}
message: "{value:.0%} of the samples are kept for validation, less than {low:.0%}."
why: Less says little.
advice: Keep more.
references: [a book]
examples:
  - {value: 0.2, verdict: pass}
  - {value: 0.01, verdict: fail}
"""


def run_with(out, facts, **settings):
    """Train with these facts told; return the run and the verdict of a rule on one of them."""
    rules = write_rules(out / "rules", {"DATA901-few.yaml": SHARE})
    callback = HealthCallback(**quiet(out / "runs", rules=rules, facts=facts, **settings))
    trained("dense", [callback], epochs=1)
    return load_run(callback.run_dir), callback.result.rules[0].verdict


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (None, "not_measured"),
        ({"data": {"validation_share": 0.2}}, "pass"),
        ({"data": {"validation_share": np.float32(0.05)}}, "fail"),
        ({"data": {"validation_share": None}}, "not_measured"),
    ],
)
def test_a_rule_judges_what_a_person_told(tmp_path, facts, expected):
    """A told fact is a fact like any other; what nobody told is not measured."""
    assert run_with(tmp_path, facts)[1] == expected


def test_facts_lie_beside_what_was_recorded(tmp_path):
    """New sites and new attributes are added; what was seen stands but in `data` and `fit`, and the report says so."""
    facts = {
        "data": {"source": "warehouse 3", "validation_augmented": False},
        "fit": {"epochs": 40},
        "optimizer": {"class": "SGD", "tuned_by": "hand"},
        "seed": {"keras": 1, "numpy": 7},
        "tracking": {"unrecorded": 9},
        "approval": {"ticket": 1234, "granted": True, "by": None},
    }
    run, _ = run_with(tmp_path, facts)
    told = {
        name: run.fact(name)
        for name in ("data.source", "data.validation_augmented", "fit.epochs", "optimizer.tuned_by", "seed.numpy")
    }
    assert told == {
        "data.source": "warehouse 3",
        "data.validation_augmented": False,
        "fit.epochs": 40,
        "optimizer.tuned_by": "hand",
        "seed.numpy": 7,
    }
    assert (run.fact("optimizer.class"), run.fact("seed.keras"), run.fact("tracking.unrecorded")) == ("Adam", 1, 0)
    assert [run.fact(f"approval.{name}") for name in ("ticket", "granted", "by")] == [1234, True, None]
    assert [(note.subject, note.why) for note in run.notes if note.subject.startswith("fact")] == [
        ("fact optimizer", "class was told to be 'SGD', but is 'Adam'"),
        ("fact tracking", "unrecorded was told to be 9, but is 0"),
    ]


def test_what_is_not_known_can_be_told():
    """A recorded None is filled; the later teller has the last word where a person may."""
    found, vain = merged(
        {"seed": {"keras": None}, "data": {"validation_share": None}},
        [{"data": {"validation_share": 0.1}}, {"seed": {"keras": 7}, "data": {"validation_share": 0.2}}],
    )
    assert (found, vain) == ({"seed": {"keras": 7}, "data": {"validation_share": 0.2}}, [])


def test_copies_of_a_callback_tell_the_same(tmp_path):
    """Tuners copy callbacks deeply; the facts go along."""
    original = HealthCallback(**quiet(tmp_path, facts={"data": {"validation_share": 0.3}}))
    twin = copy.deepcopy(original)
    trained("dense", [twin], epochs=1)
    assert load_run(twin.run_dir).fact("data.validation_share") == 0.3


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (["data"], "facts must be a mapping {site: {name: value}}, received list"),
        ({"data": 3}, "1 fault in facts\n  data: must be a mapping {name: value}, received int"),
        (
            {"Data": {}, "data": {"Validation share": 1, "_x": 1}},
            "3 faults in facts\n"
            "  Data: the name 'Data' must be small letters, digits and _, a letter first\n"
            "  data.Validation share: the name 'Validation share' must be small letters, digits and _, a letter first\n"
            "  data._x: the name '_x' must be small letters, digits and _, a letter first",
        ),
        (
            {"data": {3: 1}},
            "1 fault in facts\n  data.3: the name 3 must be small letters, digits and _, a letter first",
        ),
        (
            {"data": {"sizes": [1, 2], "share": float("nan"), "array": np.zeros(2)}, "code": {"text": "x" * 1001}},
            "4 faults in facts\n"
            "  data.sizes: must be text, a number, True, False or None, received list\n"
            "  data.share: a number must be finite, received nan\n"
            "  data.array: must be text, a number, True, False or None, received ndarray\n"
            "  code.text: a text has at most 1000 characters, this one has 1001",
        ),
    ],
)
def test_facts_that_cannot_be_recorded_are_refused_at_once(facts, expected):
    """When the callback is made, all of them together, and nothing is dropped in silence."""
    with pytest.raises(UsageError) as caught:
        HealthCallback(facts=facts)
    assert str(caught.value) == expected


def test_checked_facts_are_plain():
    """NumPy's numbers become Python's, which is what the run's file holds."""
    found = checked({"data": {"share": np.float64(0.5), "count": np.int64(3), "shuffled": np.bool_(True)}})
    assert [(value, type(value)) for value in found["data"].values()] == [(0.5, float), (3, int), (True, bool)]


def test_a_learning_rate_schedule_is_told_apart_from_a_rate(tmp_path):
    """A schedule has no one rate: a rule on it is not measured, and the record says which schedule it was."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)), "mse")
    callback = HealthCallback(**quiet(tmp_path))
    model.fit(X, X[:, :1], verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    assert run.fact("optimizer.learning_rate") is None
    assert run.fact("optimizer.scheduled") is True
    assert str(run.fact("optimizer.learning_rate_schedule")).startswith(
        "CosineDecay(initial_learning_rate=0.01, decay_steps=100, "
    )


@pytest.mark.parametrize("rate", [0.001, 0.003, 0.1, 1e-7, 3.0])
def test_a_learning_rate_is_recorded_as_it_was_written(tmp_path, rate):
    """Keras keeps it in float32; a ceiling of 0.001 must not be broken by 0.001."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    callback = HealthCallback(**quiet(tmp_path))
    model.fit(X, X[:, :1], verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)
    assert (run.fact("optimizer.learning_rate"), run.fact("optimizer.scheduled")) == (rate, False)


X, HELD_OUT = np.zeros((60, 2), "float32"), np.zeros((20, 2), "float32")
BATCHES = tf.data.Dataset.from_tensors((X, X))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"x": X, "y": X}, 0.0),
        ({"x": X, "y": X, "validation_split": 0.25}, 0.25),
        ({"x": X, "y": X, "validation_data": (HELD_OUT, HELD_OUT)}, 0.25),
        ({"x": X, "y": X, "validation_data": (HELD_OUT, HELD_OUT), "validation_split": 0.5}, 0.25),
        ({"x": {"a": X, "b": X}, "validation_data": ({"a": HELD_OUT, "b": HELD_OUT}, HELD_OUT, HELD_OUT)}, 0.25),
        ({"x": tf.constant(X), "validation_data": [tf.constant(HELD_OUT), HELD_OUT]}, 0.25),
        ({"x": BATCHES}, 0.0),
        ({"x": BATCHES, "validation_data": BATCHES}, None),
        ({"x": X, "y": X, "validation_data": BATCHES}, None),
        ({"x": (one for one in X), "validation_data": (HELD_OUT, HELD_OUT)}, None),
        ({"x": X, "y": X, "validation_data": ()}, None),
        ({"x": X, "y": X, "validation_split": "a quarter"}, None),
    ],
)
def test_validation_share_is_known_from_the_arguments_of_fit(arguments, expected):
    """From the split, or from the lengths of arrays; data sets and nonsense have none."""
    bound = inspect.signature(keras.Model.fit).bind(None, **arguments)
    assert script._told(bound)["data"].get("validation_share") == expected


def test_the_command_records_the_validation_share(tmp_path):
    """A script that is run and knows nothing of tfhealth has it in its record."""
    path = tmp_path / "train.py"
    path.write_text(
        "import keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "x = np.ones((40, 4), 'float32')\n"
        "model.fit(x, x[:, :1], verbose=0, validation_split=0.2)\n"
    )
    settings = quiet(tmp_path / "runs", facts={"data": {"validation_augmented": True}})
    code, (result,) = script.run_script(path, [], settings)
    run = load_run(result.run.path)
    assert (code, run.fact("data.validation_share"), run.fact("data.validation_augmented")) == (0, 0.2, True)
