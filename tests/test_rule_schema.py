"""The schemas for editors: those in the wheel are the code's, take what loading takes, and refuse common mistakes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.helpers import RULE
from tfhealth import resources
from tfhealth.cli import main
from tfhealth.cli.rules.schema import SCHEMAS
from tfhealth.conditions import PHASES, SEVERITIES
from tfhealth.derive import ACROSS, LOOKS
from tfhealth.errors import Fault
from tfhealth.rules import Rule, load_checklist, source
from tfhealth.rules.message import NAMES
from tfhealth.rules.profile import Profile
from tfhealth.rules.schema import profile_schema, rule_schema, text
from tfhealth.series import KINDS

FILES = sorted(resources.rules_dir().glob("*/*.yaml"))
EDITED = [name for name in SCHEMAS if name != "result"]


def published(name: str) -> str:
    return resources.schema_path(f"{name}-1.schema.json").read_text("utf-8")


def validator(name: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(published(name)))


def data_of(text: str) -> Any:
    return source.plain(YAML(typ="rt", pure=True).load(text))


def as_json(data: Any) -> Any:
    """Return data as an editor sees it, to which a date is text."""
    return json.loads(json.dumps(data, default=str))


@pytest.mark.parametrize("name", EDITED)
def test_schema_in_the_wheel_is_that_of_the_code(name: str, capsys: pytest.CaptureFixture[str]):
    """Whoever changes what a file may say has to publish its schema; the command to do so is in the message."""
    assert main(["rules", "schema", name]) == 0
    regenerate = f"stale; run: tfhealth rules schema {name} > tfhealth/schemas/{name}-1.schema.json"
    assert capsys.readouterr().out == published(name), regenerate


def test_schema_of_the_result_is_printed_too(capsys: pytest.CaptureFixture[str]):
    """One command prints them all; without a name it is that of a rule."""
    assert main(["rules", "schema", "result"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(published("result"))
    assert main(["rules", "schema"]) == 0
    assert capsys.readouterr().out == published("rule")


@pytest.mark.parametrize("name", EDITED)
def test_schema_is_one_that_editors_read(name: str):
    """It is valid, and of a draft that the YAML support of every editor knows."""
    schema = json.loads(published(name))
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == jsonschema.Draft7Validator.META_SCHEMA["$schema"]
    assert "prefixItems" not in published(name)


def properties(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property that a schema describes, wherever in it."""
    if isinstance(node, dict):
        if "additionalProperties" in node:
            yield from node.get("properties", {}).items()
        for one in node.values():
            yield from properties(one)
    elif isinstance(node, list):
        for one in node:
            yield from properties(one)


@pytest.mark.parametrize("name", EDITED)
def test_every_key_says_what_it_means(name: str):
    """What an editor shows beside a key is there for each."""
    found = list(properties(json.loads(published(name))))
    assert len(found) > 5
    silent = {key for key, one in found if "description" not in json.dumps(one) and "$ref" not in json.dumps(one)}
    assert silent == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_built_in_rule_is_valid(path: Path):
    """No editor underlines anything in a rule that loads."""
    found = source.read(path, path.name)
    assert not isinstance(found, Fault)
    assert [error.message for error in validator("rule").iter_errors(found.data)] == []


MISTAKES = [
    ("title: S", "titel: S", []),
    ("id: ACT901", "id: act901", ["id"]),
    ("act.std-range", "ActStd", ["checklist"]),
    ("std}", "sdt}", ["measure", "statistic"]),
    ("std}", "norm}", ["measure", "statistic"]),
    ("site: activation", "site: activatoin", ["measure", "site"]),
    ("{site: activation, statistic: std}", "{site: activation}", ["measure"]),
    ("{site: activation, statistic: std}", "{expr: loss.data.real}", ["measure", "expr"]),
    ("{site: activation, statistic: std}", "{expr: 'open(1)'}", ["measure", "expr"]),
    ("{site: activation, statistic: std}", "{expr: loss.dada / loss.total}", ["measure", "expr"]),
    ("std}", "std, across: medain}", ["measure", "across"]),
    ("std}", "std, relative_to: begin}", ["measure", "relative_to"]),
    ("for: 3", "for: 0", ["condition", "for"]),
    ("for: 3", "for: {epochs: 1, steps: 3}", ["condition", "for"]),
    ("for: 3", "missing: pass", ["condition", "missing"]),
    ("warning: {", "warnin: {", ["condition"]),
    ("{outside: [0.5, 2]}", "{window: {probes: 3}, above: 1}", ["condition", "warning"]),
    ("{outside: [0.5, 2]}", "{look: mean, window: {days: 3}, above: 1}", ["condition", "warning", "window"]),
    ("why: S", "active: {phase: begin}\nwhy: S", ["active", "phase"]),
    ("why: S", "format: 2\nwhy: S", ["format"]),
    ('values: "0.1x9", ', "", ["examples", 1]),
    ("{outside: [0.5, 2]}", "{above: 1, below: 0}", ["condition", "warning"]),
    ("{outside: [0.5, 2]}", "{look: lats, above: 1}", ["condition", "warning", "look"]),
    ("[0.5, 2]", "[0.5]", ["condition", "warning", "outside"]),
    ("{site} had", "{sight} had", ["message"]),
    ("{site} had", "{site.__class__} had", ["message"]),
    ("{site} had", "{site had", ["message"]),
    ("why: S", "quantify: {share: 1, count: 1}\nwhy: S", ["quantify"]),
    ("why: S", "quantify: most\nwhy: S", ["quantify"]),
    ("verdict: warn", "verdict: worn", ["examples", 1, "verdict"]),
    ("verdict: warn", "verdict: pass", ["examples"]),
    ("verdict: warn", "verdict: warn, severity: wraning", ["examples", 1, "severity"]),
    ("references: [a book]", "references: []", ["references"]),
]


@pytest.mark.parametrize(("old", "new", "where"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_common_mistake_is_underlined_where_it_is(old: str, new: str, where: list[str | int]):
    """The schema refuses what loading refuses, at the part that is wrong."""
    assert RULE.count(old) == 1
    data = data_of(RULE.replace(old, new))
    found = [list(error.absolute_path) for error in validator("rule").iter_errors(data)]
    assert where in found, found
    with pytest.raises(ValueError):
        Rule.model_validate(data)


def test_editor_offers_what_there_is():
    """The names that only validators know are there: kinds, looks, reductions, severities, names in messages."""
    schema = rule_schema()
    bound, measure = schema["$defs"]["Bound"]["properties"], schema["$defs"]["Measure"]["properties"]
    assert bound["look"]["enum"] == list(LOOKS)
    assert [one.get("items", one)["enum"] for one in measure["site"]["anyOf"]] == [list(KINDS), list(KINDS)]
    assert measure["across"]["enum"] == list(ACROSS)
    assert schema["$defs"]["Active"]["properties"]["phase"]["enum"] == list(PHASES)
    assert schema["properties"]["checklist"]["anyOf"][0]["enum"] == [item.id for item in load_checklist().items]
    assert set(SEVERITIES) <= schema["$defs"]["Condition"]["properties"].keys()
    assert [name for name in NAMES if f"{{{name}}}" not in schema["properties"]["message"]["description"]] == []


@given(st.text(alphabet="loss.data+-*/() 1eE.x_", max_size=200), st.text(alphabet="{}site:.2g! ", max_size=200))
def test_patterns_answer_at_once(expression: str, message: str):
    """No text makes the patterns of an expression or a message slow, whether it matches or not."""
    schema = rule_schema()
    pattern = schema["$defs"]["Measure"]["properties"]["expr"]["pattern"]
    re.search(pattern, expression * 50 + "!")
    re.search(schema["properties"]["message"]["pattern"], message * 50 + "{")


PROFILE = """\
extends: [built-in, ./house]
select: [ACT, GRAD0]
ignore: [ACT003]
set:
  ACT001: {condition: {warning: {outside: [0.3, 3]}, error: null}}
  ACT002: off
  GRAD006: {severity: warning}
  GRAD007: {quantify: {share: 0.5}, measure: {where: {layer: [Dense]}}}
overrides:
  - {match: "encoder/**", set: {ACT001: off, ACT002: {condition: {warning: {above: 0.9}}, message: "{site}"}}}
suppress:
  - {rule: ACT002, match: "head/*", reason: "sparse by design", expires: 2027-01-31}
baseline: baseline.json
gate: {fail_on: error, ignore: [DATA005], require: [loss.decreases]}
"""


def test_profile_is_valid():
    """Everything that a profile may say; the rules in it are parts of rules."""
    data = data_of(PROFILE)
    Profile.model_validate(data)
    assert [error.message for error in validator("profile").iter_errors(as_json(data))] == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("extends:", "extend:", []),
        ("outside: [0.3, 3]", "outsid: [0.3, 3]", ["set", "ACT001"]),
        ("[0.3, 3]", "[0.3]", ["set", "ACT001"]),
        ("severity: warning", "severity: mild", ["set", "GRAD006"]),
        ("ACT002: off\n", "ACT002: of\n", ["set", "ACT002"]),
        ("ACT002: off\n", "act2: off\n", ["set"]),
        ('message: "{site}"', "why: because", ["overrides", 0, "set", "ACT002"]),
        ('reason: "sparse by design", ', "", ["suppress", 0]),
        ("fail_on: error", "fail_on: eror", ["gate", "fail_on"]),
    ],
)
def test_mistake_in_a_profile_is_underlined(old: str, new: str, where: list[str | int]):
    """Also inside of the partial rules."""
    assert PROFILE.count(old) == 1
    found = validator("profile").iter_errors(as_json(data_of(PROFILE.replace(old, new))))
    assert where in [list(error.absolute_path) for error in found]


def test_partial_rule_leaves_whole_what_is_replaced():
    """A list is replaced by a profile, so what stands in it is not in part."""
    schema = profile_schema()
    tests = schema["$defs"]["BoundPatch"]["properties"]["all"]
    assert "BoundPatch" not in json.dumps(tests)
    data = data_of(PROFILE)
    data["set"]["ACT001"] = {"condition": {"warning": {"all": [{"look": "last"}]}}}
    assert list(validator("profile").iter_errors(as_json(data))) != []


def test_pack_is_valid_and_its_mistakes_are_not():
    """The form of `pack.yaml`."""
    pack = {"name": "acme-rules", "version": "1.2.0", "requires": ">=0.1", "title": "Acme", "logo": "logo.svg"}
    assert list(validator("pack").iter_errors(pack)) == []
    for change in ({"name": "Acme Rules"}, {"version": 1.2}, {"titel": "Acme"}):
        assert list(validator("pack").iter_errors({**pack, **change})) != []


def test_tests_are_valid_and_their_mistakes_are_not():
    """The form of the test files of a pack."""
    trial = {
        "name": "a rate above the ceiling is found",
        "facts": {"optimizer": {"class": "Adam", "learning_rate": 0.1}},
        "sites": {"activation dense": {"layer": "Dense"}},
        "series": {"activation dense std": "1x5 0.1x10"},
        "logs": {"loss": "2..1x5"},
        "steps_per_epoch": 10,
        "expect": {"ACME001": {"verdict": "fail", "severity": "error", "site": "adam", "step": 0}, "ACME002": "pass"},
    }
    assert (
        list(
            validator("tests").iter_errors({"tests": [trial, {"name": "b", "run": "r", "expect": {"ACME001": "fail"}}]})
        )
        == []
    )
    for change in (
        {"series": {"activation dense sdt": "1"}},
        {"sites": {"activatoin dense": {}}},
        {"expect": {"ACME001": "fial"}},
        {"expect": {"acme1": "fail"}},
        {"expect": {"ACME001": {"severity": "error"}}},
        {"expects": {}},
    ):
        wrong = copy.deepcopy(trial) | change
        assert list(validator("tests").iter_errors({"tests": [wrong]})) != [], change


def test_schema_file_is_text_for_people_too():
    """It ends with a line break and is sorted, so that a difference of versions can be read."""
    printed = text(rule_schema())
    assert printed.endswith("}\n")
    assert list(json.loads(printed)) == sorted(json.loads(printed))
