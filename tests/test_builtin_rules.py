"""The built-in checklist and rules: they load, keep their promises on their own examples, and read well."""

from __future__ import annotations

import ast
import graphlib
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tfhealth import resources
from tfhealth.decide import decide, decide_example
from tfhealth.rules import Example, Rule, load_checklist
from tfhealth.rules.measure import Constraint
from tfhealth.rules.message import NAMES, render
from tfhealth.run import Run, Table
from tfhealth.series import Probe, Site

CHECKLIST = load_checklist()
FILES = sorted(path for path in resources.rules_dir().rglob("*.yaml") if path.name != "checklist.yaml")

VARIABLE = {
    "layer": "Dense",
    "role": "kernel",
    "shape": "(64, 10)",
    "parameters": 640,
    "units": 10,
    "output": False,
    "trainable": True,
    "stuck": False,
    "forgotten": False,
    "joined": False,
    "nested": False,
    "position": 3,
    "depth": 2,
    "initializer": "GlorotUniform",
    "expected_std": 0.16,
    "fan_in": 64.0,
    "regularizer": "L2",
    "strength": 0.01,
}
TASK = {"task": "multiclass", "labels": "onehot", "evidence": "labels are rows of 0 and 1 with one 1 each"}
# What capture records at a site of each kind; a rule may neither choose sites by another name nor print one.
RECORDED = {
    "input": {
        "layer": "Dense",
        "consumer": "Dense",
        "normalized": False,
        "dtype": "float32",
        "rank": 2,
        "features": 20,
        "shape": "(None, 20)",
        "whole": False,
        "position": 0,
    },
    "label": {
        "output_activation": "softmax",
        "units": 10,
        "loss": "categorical_crossentropy",
        "rank": 2,
        "dtype": "float32",
        "shape": "(None, 10)",
        "encoding": "onehot",
        "classes": 10,
        "one_each": True,
        "weighted": False,
        "input_rank": 2,
        **TASK,
    },
    "prediction": {
        "layer": "Dense",
        "activation": "softmax",
        "units": 10,
        "loss": "categorical_crossentropy",
        "from_logits": False,
        "repaired": False,
        "broadcast": False,
        "single_samples": False,
        "off_axis": False,
        "selective": False,
        "rank": 2,
        "dtype": "float32",
        "shape": "(None, 10)",
        "label_shape": "(None, 10)",
        "form": "probabilities",
        "encoding": "onehot",
        "position": 0,
        "inner_activation": "linear",
        **TASK,
    },
    "activation": {
        "layer": "Dense",
        "activation": "tanh",
        "position": 2,
        "depth": 1,
        "output": False,
        "weighted": True,
        "recurrent": False,
        "penalized": False,
        "softmax_of_one": False,
        "units": 64,
        "shape": "(None, 64)",
    },
    "gradient": VARIABLE | {"connected": True, "scaled": False, "negated": False},
    "weight": VARIABLE,
    "update": VARIABLE,
    "loss": {"part": "whole", "chance": 2.3, "own": True, "forgotten": False},
    "log": {},
    "experiment": {"seconds": 1.25},
    "layer": {
        "layer": "Dense",
        "activation": "relu",
        "trainable": True,
        "parameters": 640,
        "kernel_initializer": "GlorotUniform",
        "bias_initializer": "Zeros",
        "kernel_regularizer": "l2",
        "kernel_regularizer_strength": 0.01,
        "regularized": True,
        "units": 64,
        "rate": 0.5,
        "use_bias": True,
        "adapted": None,
        "frozen": False,
        "nested": False,
        "depth": 2,
        "dropout_before": False,
        "normalized_after": False,
        "linear_before": False,
        "linear_layers_before": 0,
        "unknown_weights": "none",
    },
    "fact": {
        "unrecorded": 0,
        "error": "ValueError: no",
        "metrics": "accuracy",
        "augmentation_layers": 2,
        "validation_share": 0.2,
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "momentum": 0.9,
        "trainable_parameters": 650,
        "linear": False,
        "always_training": "none",
        "over_batch": "none",
        "channels_first": "none",
        "rows_normalized": "none",
        "normalized_alone": "none",
        "backbone_weights": "loaded",
        "conflicts": "none",
        "idle_normalizations": "none",
        "idle_dropouts": "none",
        "opposed": "none",
        "acted_opposed": "none",
        "waiting_in_vain": "none",
    },
}
SITES = {
    "input": "dense",
    "label": "dense_1",
    "prediction": "dense_1",
    "activation": "block_2/dense",
    "gradient": "block_2/dense/kernel",
    "weight": "block_2/dense/kernel",
    "update": "block_2/dense/kernel",
    "loss": "batch",
    "log": "loss",
    "experiment": "overfit_tiny",
    "layer": "block_2/dense",
    "fact": "tracking",
}
for _kind in ("input", "label", "prediction"):
    RECORDED[f"validation_{_kind}"], SITES[f"validation_{_kind}"] = RECORDED[_kind], SITES[_kind]
FACTS = {
    "fit.initial_step",
    "fit.steps",
    "fit.steps_per_epoch",
    "fit.custom_train_step",
    "compile.metrics",
    "data.kind",
    "task.kind",
    "task.labels",
    "task.weighted",
    "model.frozen_random_kernels",
    "model.highest_dropout",
    "model.regularized_layers",
    "model.augmentation_layers",
    "model.augmentation_strength",
    "model.backbone_input",
    "model.backbone_weights",
    "model.unmasked",
    "model.stateful_layers",
    "model.vector_batch_normalizations",
    "optimizer.class",
    "optimizer.clipped",
    "optimizer.momentum",
    "optimizer.scheduled",
    "optimizer.use_ema",
    "model.narrowest",
    "model.inputs",
    "model.narrowest_share",
    "model.extras",
    "model.weighted_depth",
    "model.normalization_layers",
    "model.batch_normalization_momentum",
    "model.residual",
}


def shown(rule: Rule, kind: str, example: Example) -> dict[str, object]:
    """Return the facts that a finding of `rule` at a site of `kind` would have, were `example` what was measured."""
    ((_, outcome, attribute),) = decide_example(rule, example).breaches
    attributes = {} if rule.measure.across else RECORDED[kind]
    bound = rule.condition.bound(outcome.severity) if outcome.by == "test" else None
    return {
        **attributes,
        **(bound.limits() if bound is not None else {}),
        "site": "dense/kernel … dense_5/kernel" if rule.measure.across else SITES[kind],
        "step": outcome.step,
        "value": attribute if attribute is not None or outcome.by == "missing" else outcome.value,
        "severity": outcome.severity,
        "count": 3,
        "places": "weight dense/kernel, weight dense_1/kernel, weight dense_2/kernel",
        "interval": "between step 11, the last clean probe, and step 12",
    }


def sick(rule: Rule) -> list[Example]:
    return [example for example in rule.examples if example.verdict != "pass"]


each_rule = pytest.mark.parametrize("rule", CHECKLIST.rules, ids=lambda rule: rule.id)
each_example = pytest.mark.parametrize(
    ("rule", "example"),
    [
        pytest.param(rule, example, id=f"{rule.id}-{number}")
        for rule in CHECKLIST.rules
        for number, example in enumerate(rule.examples)
    ],
)


def test_builtin_checklist_loads_every_rule_file():
    """Each file under rules/ becomes one rule, named by the beginning of its file name."""
    assert [path.stem[: path.stem.index("-")] for path in FILES] == sorted(rule.id for rule in CHECKLIST.rules)


def test_chapters_stand_in_the_order_of_the_work():
    """The checklist goes from the data to the record, as one goes through it at the desk."""
    titles = [title for title, _ in CHECKLIST.chapters]
    assert titles == [
        "Inputs and data",
        "Architecture and implementation",
        "Initialization",
        "Loss",
        "Activations",
        "Gradients and updates",
        "Golden tests",
        "Tracking",
    ]


def test_rows_are_75_and_each_id_is_there_once():
    """Every piece of advice has one row, and no row's id is used twice."""
    counts = Counter(item.id for item in CHECKLIST.items)
    assert {row: count for row, count in counts.items() if count > 1} == {}
    assert len(counts) == 75


def test_rows_cite_only_articles_that_are_listed():
    """The first letter of each source is the abbreviation of an article in `sources`."""
    cited = {source[0] for item in CHECKLIST.items for source in item.sources}
    assert cited == set(CHECKLIST.sources)


def test_row_that_no_fit_can_decide_says_what_to_do():
    """A row without fit and static asks the person or says what it would take; a row with a rule is not missing one."""
    silent = [
        item.id
        for item in CHECKLIST.items
        if not {"fit", "static"} & set(item.how) and not (item.guide or item.missing or CHECKLIST.rules_for(item.id))
    ]
    both = [item.id for item in CHECKLIST.items if CHECKLIST.rules_for(item.id) and item.missing]
    assert (silent, both) == ([], [])


def test_question_to_the_person_is_asked_where_the_row_is_a_guide():
    """A row has the text of a question exactly where a person must answer it."""
    asking = {item.id for item in CHECKLIST.items if item.guide is not None}
    assert asking == {item.id for item in CHECKLIST.items if "guide" in item.how}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_lies_in_the_folder_of_its_row(path: Path):
    """The folder is the chapter of the row that the rule decides, and the slug is the fault in small letters."""
    rule = CHECKLIST.rule(path.stem.split("-")[0])
    assert rule is not None
    assert path.parent.name == rule.checklist.split(".")[0]
    assert re.fullmatch(rf"{rule.id}(-[a-z]+)+", path.stem)


@each_rule
def test_rule_names_rows_that_exist(rule: Rule):
    """The row that a rule decides is a row of the checklist; what explains it is another row, or another rule."""
    rows = {item.id for item in CHECKLIST.items}
    rules = {other.id for other in CHECKLIST.rules if other is not rule}
    assert rule.checklist in rows
    assert set(rule.explained_by) <= rows | rules | CHECKLIST.causes.keys()
    assert rule.checklist not in rule.explained_by
    assert len(set(rule.explained_by)) == len(rule.explained_by)


@pytest.mark.parametrize("group", CHECKLIST.causes)
def test_group_of_causes_holds_what_exists(group: str):
    """A group names rows and rules, each once, and at least two rules mean it."""
    legal = {item.id for item in CHECKLIST.items} | {rule.id for rule in CHECKLIST.rules}
    assert set(CHECKLIST.causes[group]) <= legal
    assert len(set(CHECKLIST.causes[group])) == len(CHECKLIST.causes[group])
    assert sum(group in rule.explained_by for rule in CHECKLIST.rules) > 1


@each_rule
def test_group_is_not_written_out(rule: Rule):
    """What a rule names by a group, it does not name again."""
    grouped = {name for group in rule.explained_by for name in CHECKLIST.causes.get(group, ())}
    assert grouped.isdisjoint(rule.explained_by)


def test_no_rule_explains_itself_by_way_of_others():
    """`explained_by` leads from every rule to its causes and never back to it."""
    graph: dict[str, set[str]] = {}
    for rule in CHECKLIST.rules:
        causes = CHECKLIST.causes_of(rule)
        rows = [other.id for name in causes for other in CHECKLIST.rules_for(name)]
        graph[rule.id] = {name for name in causes if "." not in name} | set(rows)
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("DATA002") < order.index("GRAD008") < order.index("ACT002") < order.index("LOSS003")


@each_rule
def test_advice_shows_no_input_of_another_model(rule: Rule):
    """The shape of an input is that of the site, so that the code can be pasted as it is."""
    assert not re.search(r"Input\((shape=)?\(\d", rule.advice)


@each_example
def test_example_reaches_its_verdict(rule: Rule, example: Example):
    """On its own example a rule reaches the verdict, and the severity and step where they are given."""
    decision = decide_example(rule, example)
    ((_, outcome, _),) = decision.breaches
    assert decision.verdict == example.verdict
    if example.severity is not None:
        assert outcome.severity == example.severity
    if example.step is not None:
        assert outcome.step == example.step


@each_rule
def test_every_threshold_is_shown_by_an_example(rule: Rule):
    """Each rung of a rule is reached by one of its examples, so no threshold can change unseen."""
    reached = {decide_example(rule, example).severity for example in rule.examples}
    assert set(rule.condition.severities) <= reached


def _takes_absence(constraint: Constraint) -> bool:
    """Whether a constraint also takes sites that do not have the attribute."""
    return constraint is None or (isinstance(constraint, list) and None in constraint)


@each_rule
def test_rule_chooses_sites_by_what_is_recorded(rule: Rule):
    """A name in `where`, `when` or `attribute` that capture does not record would make the rule silent for ever."""
    measures = [rule.measure, *([rule.while_.measure] if rule.while_ else [])]
    for measure in measures:
        for kind in measure.kinds:
            elsewhere = {name for name, globs in measure.where.items() if _takes_absence(globs)}
            assert set(measure.where) - elsewhere <= {*RECORDED[kind], "name"}
            assert measure.attribute in (None, "name", *RECORDED[kind])
    assert set(rule.when) <= FACTS


@each_rule
def test_texts_name_only_what_the_site_provides(rule: Rule):
    """Message and advice of every breach are filled in completely at every kind of site of the rule."""
    for kind in rule.measure.kinds:
        for example in sick(rule):
            facts = shown(rule, kind, example)
            for template in (rule.message, rule.advice):
                names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
                assert {name for name in names if facts.get(name) is None} == set()
                assert "unknown" not in render(template, facts)
            assert not re.search(r"\bnan\b", render(rule.message, facts))


@each_rule
def test_message_is_one_sentence_with_the_place(rule: Rule):
    """A message begins like a sentence, ends with its only full stop, and names the place where there are several."""
    (kind, *_) = rule.measure.kinds
    text = render(rule.message, shown(rule, kind, sick(rule)[0]))
    assert text.endswith(".")
    assert not re.search(r"\. [A-Z]", text)
    one_place = kind in ("loss", "fact", "log") or rule.measure.across in ("root_square_sum", "median")
    assert one_place or "{site}" in rule.message


@each_rule
def test_code_in_the_advice_is_python(rule: Rule):
    """What stands in a fence can be pasted: it parses as Python once the names are filled in."""
    (kind, *_) = rule.measure.kinds
    advice = render(rule.advice, shown(rule, kind, sick(rule)[0]))
    assert advice.count("```") % 2 == 0
    for code in re.findall(r"```python\n(.*?)```", advice, re.DOTALL):
        assert ast.parse(code).body


def test_every_legal_name_of_a_message_has_facts_behind_it():
    """The table above provides each name that a message may use, so that none is left out of these tests by mistake."""
    provided = {name for attributes in RECORDED.values() for name in attributes}
    assert set(NAMES) - provided == {"kind", "site", "step", "value", "low", "high", "severity", "count"} | {
        "places",
        "interval",
    }


def recorded(kind: str, statistic: str, rows: list[list[float]]) -> Run:
    """Return a run with one statistic at kernels of one kind, a row of values for each, while the loss rises."""
    kernels = [Probe(Site(kind, f"dense_{number}/kernel"), statistic) for number in range(len(rows))]
    loss = Probe(Site("loss", "batch"), "data")
    steps = np.arange(len(rows[0]))
    sites = {**{probe.site: VARIABLE for probe in kernels}, loss.site: {}}
    return Run(None, {}, sites, (Table((*kernels, loss), steps, np.array([*rows, 1.0 + steps]).T),))


def judged(rule_id: str, run: Run) -> tuple[str, str | None]:
    rule = CHECKLIST.rule(rule_id)
    assert rule is not None
    decision = decide(rule, run)
    return decision.verdict, decision.severity


@pytest.mark.parametrize(
    ("growth", "expected"), [(20.0, ("pass", None)), (60.0, ("warn", "warning")), (400.0, ("fail", "error"))]
)
def test_exploding_gradients_do_not_depend_on_the_number_of_layers(growth, expected):
    """The norm over all kernels is set against its own start, so sixteen kernels are judged as one would be."""
    row = [0.1] * 10 + [0.1 * growth] * 10
    assert judged("GRAD003", recorded("gradient", "norm", [row])) == expected
    assert judged("GRAD003", recorded("gradient", "norm", [row] * 16)) == expected


def test_one_wild_kernel_does_not_raise_the_severity_of_the_others():
    """Where half of the kernels must breach, the finding has the rung that half of them reach."""
    ratios = [0.9, 0.08, 0.08, 0.08]
    updates = recorded("update", "norm", [[ratio] * 30 for ratio in ratios])
    weights = recorded("weight", "norm", [[1.0] * 30 for _ in ratios])
    (left,), (right,) = updates.tables, weights.tables
    table = Table(left.probes + right.probes, left.steps, np.hstack([left.values, right.values]))
    run = Run(None, {}, {**updates.sites, **weights.sites}, (table,))
    assert judged("GRAD006", run) == ("warn", "warning")
