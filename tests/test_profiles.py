"""Profiles: which rules are in force and what differs in them, without a rule being copied; faults at their places."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import RULE, write_rules
from tfhealth import HealthCallback
from tfhealth.cli import main
from tfhealth.errors import RuleError, UsageError
from tfhealth.rules import Checklist, load_checklist
from tfhealth.rules.checklist import Gate, Origin, Suppression
from tfhealth.rules.loader import open_rules

BUILT_IN = load_checklist()
PARTIAL = (
    "title, checklist, measure, condition, when, while, given, active, quantify, message, why, advice, references, "
    "explained_by, examples, severity"
)


def write(folder: Path, **texts: str) -> Path:
    """Write profiles, keyed by their names without `.yaml`, into a folder; return the path of the first."""
    write_rules(folder, {f"{name}.yaml": text for name, text in texts.items()})
    return folder / f"{next(iter(texts))}.yaml"


def faults(profile: Path | Mapping[str, Any], rules: Path | None = None) -> list[str]:
    """Return every fault of a profile, as it is shown but for its folder."""
    with pytest.raises(RuleError) as caught:
        load_checklist(rules, profile)
    prefix = f"{profile.parent}/" if isinstance(profile, Path) else ""
    return [str(fault).removeprefix(prefix) for fault in caught.value.faults]


def warnings(profile: Path | Mapping[str, Any], today: date = date(2026, 1, 1)) -> list[str]:
    """Return every warning of a profile, as it is shown but for its folder."""
    prefix = f"{profile.parent}/" if isinstance(profile, Path) else ""
    return [str(fault).removeprefix(prefix) for fault in open_rules(None, profile, today).faults]


def ids(checklist: Checklist) -> list[str]:
    return sorted(rule.id for rule in checklist.rules)


def beginning(*starts: str, without: Sequence[str] = ()) -> list[str]:
    """Return the ids of the built-in rules that begin so, without some."""
    return [name for name in ids(BUILT_IN) if name.startswith(starts) and name not in without]


def bound(checklist: Checklist, rule_id: str, rung: str) -> dict[str, Any]:
    """Return the test of one rung of a rule, as a file would say it."""
    rule = checklist.rule(rule_id)
    assert rule is not None
    return getattr(rule.condition, rung).model_dump(exclude_unset=True)


def test_profile_that_says_nothing_changes_nothing(tmp_path: Path):
    """The rules, their rows and their origins are the built-in ones; the profile has a name."""
    checklist = load_checklist(profile=write(tmp_path, acme="name: Acme"))
    assert (checklist.rules, checklist.chapters, checklist.origins) == (BUILT_IN.rules, BUILT_IN.chapters, {})
    assert (checklist.profile, BUILT_IN.profile) == ("Acme", None)
    assert load_checklist(profile=write(tmp_path, acme="select: [ACT]")).profile == "acme"
    assert load_checklist(profile={}).profile == "profile"


def test_one_number_is_changed_and_the_rest_stays(tmp_path: Path):
    """A partial rule is laid over the original: other rungs, `for` and the words are the built-in ones."""
    text = "set:\n  ACT001: {condition: {warning: {above: 7}}}\n"
    checklist = load_checklist(profile=write(tmp_path, acme=text))
    before, after = BUILT_IN.rule("ACT001"), checklist.rule("ACT001")
    assert before is not None
    assert after is not None
    assert (bound(BUILT_IN, "ACT001", "warning"), bound(checklist, "ACT001", "warning")) == (
        {"above": 10.0},
        {"above": 7.0},
    )
    assert after.model_copy(update={"condition": before.condition}) == before
    assert after.condition.model_copy(update={"warning": before.condition.warning}) == before.condition
    origin = checklist.origin("ACT001")
    assert origin == Origin("built-in", "acme", before, "rules/act/ACT001-wide-activations.yaml")
    assert list(checklist.origins) == ["ACT001"]


def test_words_alone_leave_the_limits_with_who_set_them():
    """A message of one's own does not make one the author of the numbers in it."""
    checklist = load_checklist(profile={"name": "acme", "set": {"ACT001": {"message": "{site} is far off."}}})
    origin = checklist.origin("ACT001")
    assert (origin.set_by, origin.original) == ("built-in", BUILT_IN.rule("ACT001"))


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"select": ["ACT"]}, beginning("ACT")),
        ({"select": ["LOSS01", "TRACK001"]}, beginning("LOSS01", "TRACK001")),
        ({"select": ["ACT"], "ignore": ["ACT002"]}, beginning("ACT", without=["ACT002"])),
        ({"select": ["ACT002"], "ignore": ["ACT"], "extends": ["built-in"]}, None),
        (
            {"select": ["ACT"], "set": {"ACT001": "off", "ACT002": False, "ACT003": {"severity": "critical"}}},
            beginning("ACT", without=["ACT001", "ACT002"]),
        ),
        ({"select": ["ACT"], "set": {"ACT001": "on", "ACT002": True}}, beginning("ACT")),
    ],
)
def test_rules_are_chosen_by_the_beginning_of_their_ids(profile: dict[str, Any], expected: list[str] | None):
    """Select, then ignore, then what is switched off; none at all cannot be meant."""
    if expected is None:
        assert faults(profile) == ["profile:1:1: leaves no rule in force"]
    else:
        assert ids(load_checklist(profile=profile)) == expected


def test_extended_profile_comes_first(tmp_path: Path):
    """Its settings are changed by those of the one that extends it; lists add up, `gate` and `baseline` replace."""
    house = (
        "name: house\nignore: [DATA]\nbaseline: house.json\ngate: {fail_on: error, ignore: [LOSS]}\n"
        "set: {ACT001: {condition: {warning: {above: 7}}}, ACT002: off, ACT003: {severity: critical}}\n"
        "suppress: [{rule: GRAD001, reason: known}]\n"
        'overrides: [{match: "a/**", set: {ACT001: off}}]\n'
    )
    acme = (
        "extends: [built-in, ./sub/house.yaml]\nignore: [TRACK]\ngate: {require: [ACT001]}\n"
        "set: {ACT001: {condition: {warning: {look: last}}}, ACT002: on}\n"
        "suppress: [{rule: GRAD002, reason: known too, match: b, expires: 2027-01-31}]\n"
        'overrides: [{match: "b/**", set: {ACT001: off}}]\n'
    )
    write(tmp_path / "sub", house=house)
    checklist = load_checklist(profile=write(tmp_path, acme=acme))
    assert checklist.profile == "acme"
    everything = ids(load_checklist(profile={}))
    assert ids(checklist) == [name for name in everything if not name.startswith(("DATA", "TRACK"))]
    assert ids(checklist) != everything
    assert bound(checklist, "ACT001", "warning") == {"above": 7.0, "look": "last"}
    assert [checklist.origin(name).set_by for name in ("ACT001", "ACT002", "ACT003")] == ["acme", "built-in", "house"]
    assert checklist.suppressions == (
        Suppression("GRAD001", "known", "**", None, "house"),
        Suppression("GRAD002", "known too", "b", date(2027, 1, 31), "acme"),
    )
    assert [(one.match, one.set_by) for one in checklist.overrides] == [("a/**", "house"), ("b/**", "acme")]
    assert checklist.gate == Gate(None, (), ("ACT001",))
    assert checklist.baseline == tmp_path / "sub" / "house.json"


def test_baseline_and_gate_can_be_taken_back(tmp_path: Path):
    """Null is what there is without a profile."""
    path = write(
        tmp_path,
        acme="extends: [./house.yaml]\nbaseline: null\ngate: null\n",
        house="baseline: x.json\ngate: {fail_on: info}",
    )
    checklist = load_checklist(profile=path)
    assert (checklist.baseline, checklist.gate) == (None, Gate())


def test_file_that_two_profiles_extend_counts_once(tmp_path: Path):
    """Where it is first reached; so what one of them changes in it stays changed."""
    path = write(
        tmp_path,
        acme="extends: [./left.yaml, ./right.yaml]",
        left="extends: [./house.yaml]\nset: {ACT002: on}",
        right="extends: [./house.yaml, ./rules]",
        house="set: {ACT002: off}\nignore: [DATA]",
    )
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    checklist = load_checklist(profile=path)
    assert "ACT002" in ids(checklist)
    assert [brand.name for brand in checklist.packs] == ["rules"]
    assert checklist.origin("ACT901").pack == "rules"


def test_only_what_is_named_is_extended(tmp_path: Path):
    """Without built-in there are its rows, and none of its rules."""
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    checklist = load_checklist(profile=write(tmp_path, acme="extends: [./rules]"))
    assert (ids(checklist), checklist.chapters) == (["ACT901"], BUILT_IN.chapters)


def test_rules_stand_for_what_built_in_means(tmp_path: Path):
    """With both arguments the profile is about the rules that were given."""
    rules = write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    checklist = load_checklist(rules, {"set": {"ACT901": {"severity": "critical"}}})
    assert (ids(checklist), bound(checklist, "ACT901", "critical")) == (["ACT901"], {"outside": (0.5, 2.0)})
    assert faults({"set": {"ACT001": "off"}}, rules) == [
        "profile:1:1 set.ACT001: there is no rule 'ACT001' in rules; did you mean 'ACT901'?"
    ]


def test_override_differs_at_some_layers():
    """Each is a whole rule, made from the rule in force; off is None, and on is the rule itself."""
    checklist = load_checklist(
        profile={
            "name": "acme",
            "set": {"ACT001": {"condition": {"error": {"above": 9}}}},
            "overrides": [
                {"match": "encoder/**", "set": {"ACT001": {"condition": {"error": {"above": 5}}}, "ACT002": "off"}},
                {"match": "encoder/head", "set": {"ACT001": True, "ACT002": {"severity": "warning"}}},
            ],
        }
    )
    first, off, on, graded = checklist.overrides
    assert (first.match, first.id, first.set_by) == ("encoder/**", "ACT001", "acme")
    assert first.rule is not None
    assert first.rule.condition.error is not None
    assert (first.rule.condition.error.above, off.rule, on.rule) == (5.0, None, checklist.rule("ACT001"))
    assert graded.rule is not None
    assert graded.rule.condition.error is None
    assert checklist.overrides_of("ACT002") == (off, graded)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sett: {}", ["1:1 sett: unknown key 'sett'; legal: name, extends, select, ignore, set, overrides, suppress, "
                      "baseline, gate; did you mean 'set'?"]),
        ("set_: {}", ["1:1 set_: unknown key 'set_'; legal: name, extends, select, ignore, set, overrides, suppress, "
                      "baseline, gate; did you mean 'set'?"]),
        ("set:\n  ACT0001: off", ["2:3 set.ACT0001: there is no rule 'ACT0001' in built-in; did you mean 'ACT001'?"]),
        ("set:\n  ACT001: 3", ["2:3 set.ACT001: Input should be 'off', 'on', False or True or a valid dictionary"]),
        ("set:\n  ACT001: of", ["2:3 set.ACT001: Input should be 'off', 'on', False or True or a valid dictionary"]),
        ("set:\n  ACT001:\n    conditoin: {}", [
            f"3:5 set.ACT001.conditoin: unknown key 'conditoin'; legal: {PARTIAL}; did you mean 'condition'?"]),
        ("set:\n  ACT001:\n    id: ACT099", [
            f"3:5 set.ACT001.id: unknown key 'id'; legal: {PARTIAL}"]),
        ("set:\n  ACT001:\n    condition:\n      warning: {outside: [3, 0.3]}", [
            "4:17 set.ACT001.condition.warning.outside: [3, 0.3] is empty: low must be less than high"]),
        ("set:\n  ACT001:\n    condition:\n      warning: {above: 1, below: 2}", [
            "4:7 set.ACT001.condition.warning: needs exactly one of "]),
        ("set:\n  ACT001: {condition: {warning: {above: much}}}", [
            "2:34 set.ACT001.condition.warning.above: Input should be a valid number, unable to parse string as a "
            "number"]),
        ("set:\n  ACT001: {condition: null}", ["2:12 set.ACT001.condition: key 'condition' is required"]),
        ("set:\n  ACT001: {message: '{sight} is off'}", ["2:12 set.ACT001.message: {sight} is unknown; legal: "]),
        ("set:\n  ACT001: {severity: warnign}", [
            "2:12 set.ACT001.severity: severity 'warnign' is unknown; legal: info, warning, error, critical; "
            "did you mean 'warning'?"]),
        ("set:\n  ACT001: {severity: [1]}", [
            "2:12 set.ACT001.severity: severity [1] is unknown; legal: info, warning, error, critical"]),
        ("set:\n  ACT001: {checklist: act.dead-rleu}", [
            "2:12 set.ACT001.checklist: 'act.dead-rleu' is no row of the checklist; did you mean 'act.dead-relu'?"]),
        ("set:\n  ACT001: {explained_by: [GRAD001, grad.nonfinit]}", [
            "2:36 set.ACT001.explained_by.1: 'grad.nonfinit' is no row of the checklist; did you mean "
            "'grad.nonfinite'?"]),
        ("select: [ACT, ATC]", ["1:15 select.1: no rule in built-in has an id that begins with 'ATC'; "
                                "did you mean 'ACT'?"]),
        ("select: ACT", ["1:1 select: Input should be a valid list"]),
        ("overrides:\n- {match: a, set: {ACT001: {title: x}}}", [
            "2:29 overrides.0.set.ACT001.title: unknown key 'title'; legal: condition, severity, message, advice"]),
        ("overrides:\n- {set: {ACT9: off}}\n- {match: a, set: {ACT9: off}}", [
            "2:3 overrides.0.match: key 'match' is required"]),
        ("overrides:\n- {match: a, set: {ACT0001: off}}", [
            "2:20 overrides.0.set.ACT0001: there is no rule 'ACT0001' in built-in; did you mean 'ACT001'?"]),
        ("suppress:\n- {rule: ACT001}", ["2:3 suppress.0.reason: key 'reason' is required"]),
        ("suppress:\n- {rule: ACT001, reason: x, expires: 2027-02-30}", ["2:29 suppress.0.expires: "]),
        ("suppress:\n- {rule: ACT001, reason: x, expires: 20270130}", [
            "2:29 suppress.0.expires: must be a day, e.g. 2027-01-31, received 20270130"]),
        ("gate: {fail_on: eror}", [
            "1:8 gate.fail_on: Input should be 'info', 'warning', 'error' or 'critical'"]),
        ("gate: {require: [act.dead-relu, act.dead-rleu, ACT0001]}", [
            "1:33 gate.require.1: 'act.dead-rleu' is neither a row of the checklist nor a rule; did you mean "
            "'act.dead-relu'?",
            "1:48 gate.require.2: 'ACT0001' is neither a row of the checklist nor a rule; did you mean 'ACT001'?"]),
        ("extends: [bulit-in]", [
            "1:11 extends.0: 'bulit-in' is no installed pack; installed: built-in; did you mean 'built-in'?; a folder "
            "is written ./bulit-in"]),
        ("extends: [./none.yaml]", ["1:11 extends.0: there is no file or folder './none.yaml'"]),
        ("extends: [./acme.txt]", ["1:11 extends.0: './acme.txt' is neither a folder nor a file (.yaml, .yml, .toml)"]),
        ("extends: [./acme.yaml]", ["1:11 extends.0: extends itself: acme.yaml → acme.yaml"]),
        ("extends: [./empty]", ["1:11 extends.0: {folder}/empty: has no rule file (*.yaml) in it."]),
        ("extends: ['./a\\0b', ./" + "a" * 300 + "]", [
            "1:11 extends.0: there is no file or folder './a\\\\0b'",
            f"1:21 extends.1: './{'a' * 300}' cannot be read: File name too long"]),
        ("extends: []", ["1:1: leaves no rule in force"]),
        ("- a", ["1:1: must be a mapping of keys, is a list"]),
        ("set: [", ["1:7: not YAML: did not find expected node content"]),
        ("set: &a {}", ["1:6: anchors and aliases are not allowed"]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_fault_in_a_profile_points_at_its_place(tmp_path: Path, text: str, expected: list[str]):
    """Each key, partial rules as they come out, what is extended, and names that do not exist."""
    (tmp_path / "acme.txt").write_text("")
    (tmp_path / "empty").mkdir()
    found = faults(write(tmp_path, acme=text))
    wanted = [f"acme.yaml:{one}".replace("{folder}", str(tmp_path)) for one in expected]
    assert len(found) == len(wanted)
    assert [
        one[: len(start)] if start.endswith((": ", "of ")) else one for one, start in zip(found, wanted, strict=True)
    ] == wanted


def test_all_faults_of_all_files_come_at_once(tmp_path: Path):
    """Of profiles, packs and rules; what may be a consequence of a pack that is not there is not said."""
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE.replace("for: 3", "for: 0")})
    path = write(
        tmp_path,
        acme="extends: [built-in, ./rules, ./house.yaml]\nsett: 1\nset: {ACT001: {severity: x}, ACT901: off, B: off}",
        house="extends: [lost-rules]\nselect: [XYZ]\nset: {ACT002: {why: [1]}}\ngate: {require: [no.row]}",
    )
    assert [one.split(": ")[0] for one in faults(path)] == [
        "acme.yaml:2:1 sett",
        "acme.yaml:3:16 set.ACT001.severity",
        "house.yaml:1:11 extends.0",
        "house.yaml:3:16 set.ACT002.why",
        "rules/ACT901-x.yaml:6:3 condition.for",
    ]


def test_circle_of_profiles_is_named(tmp_path: Path):
    """From the file that is reached again, round to itself."""
    path = write(tmp_path, acme="extends: [./b.yaml]", b="extends: [./c.yaml]", c="extends: [./b.yaml]")
    assert faults(path) == ["c.yaml:1:11 extends.0: extends itself: b.yaml → c.yaml → b.yaml"]


def test_chain_of_profiles_has_an_end(tmp_path: Path):
    """A thousand files that extend one another are a fault, not an exception."""
    write(tmp_path, **{f"p{number}": f"extends: [./p{number + 1}.yaml]" for number in range(1000)})
    assert faults(tmp_path / "p0.yaml") == ["p19.yaml:1:11 extends.0: more than 20 files extend one another"]


def test_second_rule_with_an_id_is_a_fault(tmp_path: Path):
    """It does not replace the first: what differs is said under `set`."""
    write_rules(tmp_path / "rules", {"ACT001-x.yaml": RULE.replace("ACT901", "ACT001")})
    first = BUILT_IN.rule("ACT001")
    assert first is not None
    assert faults(write(tmp_path, acme="extends: [built-in, ./rules]")) == [
        f"rules/ACT001-x.yaml:1:1 id: ACT001 is already the id of {first.title!r} in built-in; "
        "to change that rule, name it under `set` in a profile"
    ]


def test_rule_of_a_pack_is_changed_by_a_profile(tmp_path: Path):
    """Its origin says whose it is, who set its limits, and what they were."""
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    path = write(tmp_path, acme="extends: [./rules]\nset: {ACT901: {condition: {warning: {above: 9}}}}")
    origin = load_checklist(profile=path).origin("ACT901")
    assert (origin.pack, origin.set_by, origin.file) == ("rules", "acme", "rules/ACT901-x.yaml")
    assert origin.original == load_checklist(tmp_path / "rules").rule("ACT901")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ignore: [ATC]", ["1:10 ignore.0: warning: no rule in built-in has an id that begins with 'ATC'; did you "
                           "mean 'ACT'?"]),
        ("gate: {ignore: [XY]}", ["1:17 gate.ignore.0: warning: no rule in built-in has an id that begins with 'XY'"]),
        ("suppress:\n- {rule: ACT0001, reason: x}", [
            "2:4 suppress.0.rule: warning: no rule in built-in has an id that begins with 'ACT0001'; did you mean "
            "'ACT001'?"]),
        ("suppress:\n- {rule: ACT, reason: x, expires: 2025-12-31}", [
            "2:26 suppress.0.expires: warning: the suppression of ACT expired on 2025-12-31"]),
        ("suppress:\n- {rule: ACT, reason: x, expires: 2026-01-01}", []),
        ("ignore: [ACT]\noverrides:\n- {match: a, set: {ACT001: off}}", [
            "3:20 overrides.0.set.ACT001: warning: ACT001 is not in force, so nothing differs here"]),
        ("set: {ACT001: off}\noverrides:\n- {match: a, set: {ACT001: off}}", [
            "3:20 overrides.0.set.ACT001: warning: ACT001 is not in force, so nothing differs here"]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_what_does_no_harm_is_a_warning(tmp_path: Path, text: str, expected: list[str]):
    """It is there for who asks, and the profile loads."""
    path = write(tmp_path, acme=text)
    assert warnings(path) == [f"acme.yaml:{one}" for one in expected]
    assert isinstance(load_checklist(profile=path), Checklist)


def test_use_of_a_deprecated_rule_is_a_warning(tmp_path: Path):
    """Wherever it is named by its whole id."""
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": f"{RULE}deprecated: use ACT001\n"})
    text = (
        "extends: [built-in, ./rules]\nselect: [ACT, ACT901]\nset: {ACT901: on}\n"
        "overrides: [{match: a, set: {ACT901: off}}]\nsuppress: [{rule: ACT901, reason: x}]\n"
    )
    said = "warning: ACT901 is deprecated: use ACT001"
    assert warnings(write(tmp_path, acme=text)) == [
        f"acme.yaml:3:7 set.ACT901: {said}",
        f"acme.yaml:2:15 select.1: {said}",
        f"acme.yaml:4:30 overrides.0.set.ACT901: {said}",
        f"acme.yaml:5:13 suppress.0.rule: {said}",
    ]


def test_warnings_come_with_the_faults(tmp_path: Path):
    """Who asks for warnings gets everything at once; who does not is told of what must be repaired."""
    path = write(tmp_path, acme="ignore: [XYZ]\nselect: [XYZ]")
    assert sorted(fault.level for fault in open_rules(profile=path).faults) == ["error", "warning"]
    assert len(faults(path)) == 1


TOML = """\
[project]
name = "select"

[tool.other]
select = ["ACT"]

[tool.tfhealth]
name = "acme"
select = [
  "ACT",
  "ATC",
]
suppress = [{rule = "ACT001", reason = "x"}, {rule = "ACT001", reson = "x"}]

[tool.tfhealth.set]
"ACT002" = "of"
ACT003.condition.error = {above = "much"}

[tool.tfhealth.set.ACT001.condition.warning]
outside = [3, 0.3]

[[tool.tfhealth.overrides]]
match = "a"
set = {ACT001 = "off"}

[[tool.tfhealth.overrides]]
match = "b"
set.ACT099 = "off"

[tool.tfhealth.gate]
fail_on = "error"
"""


def test_faults_in_toml_point_at_their_lines(tmp_path: Path):
    """Keys with lines of their own, keys of inline tables, entries of lists and of lists of tables."""
    (tmp_path / "pyproject.toml").write_text(TOML)
    found = [one.split(": ")[0] for one in faults(tmp_path / "pyproject.toml")]
    assert found == [
        "pyproject.toml:11:3 select.1",
        "pyproject.toml:13:1 suppress.1.reason",
        "pyproject.toml:13:64 suppress.1.reson",
        "pyproject.toml:16:1 set.ACT002",
        "pyproject.toml:17:27 set.ACT003.condition.error.above",
        "pyproject.toml:20:1 set.ACT001.condition.warning.outside",
        "pyproject.toml:28:1 overrides.1.set.ACT099",
    ]


def test_toml_says_what_yaml_says(tmp_path: Path):
    """Dates, dotted keys, quoted keys and tables make the same profile."""
    toml = (
        "[tool.tfhealth]\nname = 'acme'\nset.ACT002 = false\nbaseline = 'b.json'\n"
        "[tool.tfhealth.set.'ACT001'.condition]\nwarning = {above = 3}\n"
        "[[tool.tfhealth.suppress]]\nrule = 'ACT'\nreason = 'x'\nexpires = 2027-01-31\n"
    )
    text = (
        "name: acme\nset: {ACT002: off, ACT001: {condition: {warning: {above: 3}}}}\nbaseline: b.json\n"
        "suppress: [{rule: ACT, reason: x, expires: 2027-01-31}]\n"
    )
    (tmp_path / "other.toml").write_text(toml)
    assert load_checklist(profile=tmp_path / "other.toml") == load_checklist(profile=write(tmp_path, acme=text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool]\nx = 1", "1:1: has no table [tool.tfhealth]"),
        ("[tool.tfhealth]\nset = [1,,]", "2:10: not TOML: Invalid value"),
        ("[tool.tfhealth]\na = " + "[" * 3000, "1:1: nested more than 20 deep"),
        ("[tool.tfhealth]\nset.ACT001 = " + "{a = " * 30 + "1" + "}" * 30, "1:1: nested more than 20 deep"),
        ("#" * 1_000_001, "1:1: cannot be read: it has more than 1000000 bytes"),
    ],
    ids=["no table", "not TOML", "recursion", "nested", "long"],
)  # fmt: skip
def test_toml_that_is_no_profile(tmp_path: Path, text: str, expected: str):
    """A file that was named must have the table, and be TOML."""
    (tmp_path / "pyproject.toml").write_text(text)
    assert faults(tmp_path / "pyproject.toml") == [f"pyproject.toml:{expected}"]


def test_nearest_pyproject_is_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The one above the working directory that has the table; one without, or with arguments, does not count."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "pyproject.toml").write_text('[tool.tfhealth]\nselect = ["ACT"]\nbaseline = "b.json"')
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\n# not for tfhealth\n")
    (inner / "pyproject.toml").write_text("is [not TOML")
    checklist = load_checklist()
    assert (ids(checklist), checklist.profile) == (beginning("ACT"), "../../pyproject.toml")
    assert checklist.baseline is not None
    assert checklist.baseline.resolve() == tmp_path / "b.json"
    assert load_checklist(profile={}).rules == BUILT_IN.rules
    assert ids(load_checklist(write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE}))) == ["ACT901"]
    (tmp_path / "pyproject.toml").write_text('[tool.tfhealth]\nname = "acme"\nignore = ["ACT"]')
    assert load_checklist().profile == "acme"


def test_damaged_pyproject_that_speaks_of_us_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What was meant for tfhealth is not passed over in silence."""
    (tmp_path / "pyproject.toml").write_text("[tool.tfhealth]\nselect = [")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuleError, match=r"pyproject\.toml:2:1: not TOML: "):
        load_checklist()


def test_profile_that_is_not_there_is_wrong_use(tmp_path: Path):
    """As is a folder in its place."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError) as caught:
            load_checklist(profile=path)
        assert str(caught.value) == f"{path}: no such profile."


def test_mapping_is_a_profile_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Tuples, paths and dates are what they would be in a file; its paths are relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    checklist = load_checklist(
        profile={
            "extends": ("built-in", "./rules"),
            "select": ("ACT",),
            "set": {"ACT001": {"condition": {"warning": {"outside": (0.3, 3)}}}},
            "suppress": [{"rule": "ACT", "reason": "x", "expires": date(2027, 1, 31)}],
            "baseline": Path("b.json"),
        }
    )
    assert bound(checklist, "ACT001", "warning") == {"outside": (0.3, 3.0)}
    assert ids(checklist) == [*beginning("ACT"), "ACT901"]
    assert checklist.suppressions[0].expires == date(2027, 1, 31)
    assert checklist.baseline == tmp_path / "b.json"


def test_mapping_that_holds_itself_is_a_fault():
    """It has no place but its path."""
    circle: dict[str, Any] = {}
    circle["set"] = circle
    assert faults(circle) == ["profile:1:1: nested more than 20 deep"]
    assert faults({"select": ["ACT"], "gate": {"fail_on": 3}}) == [
        "profile:1:1 gate.fail_on: Input should be 'info', 'warning', 'error' or 'critical'"
    ]


def test_checklist_can_be_copied_and_sent():
    """Tuners copy what they are given, and other processes get it."""
    checklist = load_checklist(profile={"set": {"ACT001": {"severity": "error"}}, "gate": {"fail_on": "error"}})
    assert copy.deepcopy(checklist) == checklist
    assert pickle.loads(pickle.dumps(checklist)) == checklist


def test_callback_takes_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is read when the callback is made, and copies have it wherever they are made."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, acme="select: [ACT]")
    callback = HealthCallback(profile="acme.yaml")
    (tmp_path / "acme.yaml").unlink()
    assert ids(copy.deepcopy(callback).checklist) == beginning("ACT")
    assert HealthCallback(profile={"name": "mine"}).checklist.profile == "mine"
    with pytest.raises(RuleError, match=r"profile:1:1 selct: unknown key 'selct'"):
        HealthCallback(profile={"selct": ["ACT"]})
    with pytest.raises(UsageError, match=r"acme\.yaml: no such profile"):
        HealthCallback(profile="acme.yaml")


def test_profile_judges_a_fit(tmp_path: Path):
    """The verdict names it, and only its rules are decided."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head"), keras.layers.Dense(1, name="out")])
    model.compile("sgd", "mse")
    profile = {
        "name": "acme",
        "select": ["ACT001", "LOSS001"],
        "set": {"ACT001": {"condition": {"info": {"above": 0}}}},
    }
    callback = HealthCallback(every=1, profile=profile, out=tmp_path, formats="json", verbose=0)
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0, callbacks=[callback])
    assert callback.result is not None
    assert callback.result.profile == "acme"
    assert sorted(one.rule for one in callback.result.rules) == ["ACT001", "LOSS001"]


def test_command_line_takes_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A sound one changes what is listed; of one with faults every fault is printed, and the code is 2."""
    path = write(tmp_path, acme="select: [ACT]", bad="select: [ATC]\nset: {X: off}")
    assert main(["rules", "list", "--profile", str(path)]) == 0
    listed = re.findall(r"\b[A-Z]{3,5}\d{3}\b", capsys.readouterr().out)
    assert sorted(listed) == beginning("ACT")
    assert main(["rules", "list", "--profile", str(tmp_path / "bad.yaml")]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "tfhealth: 2 faults in the rules"


ATOMS = st.sampled_from([
    "off", "on", "null", "1", "1e999", "[]", "{}", "x", "ACT001", "act.dead-relu", "warning", "error", "2027-01-31",
    "'**'", "'{x}'", "std", "true", "./acme.yaml", "./rules", "built-in", "'\\0'", ".nan",
])  # fmt: skip
NAMES = st.sampled_from([
    "name", "extends", "select", "ignore", "set", "overrides", "suppress", "baseline", "gate", "match", "rule",
    "reason", "expires", "fail_on", "require", "ACT001", "LOSS001", "condition", "measure", "where", "warning",
    "above", "severity", "for", "share", "not", "quantify", "examples", "other",
])  # fmt: skip


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return lists and mappings of values in YAML's flow style."""
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.dictionaries(NAMES, inner, max_size=3).map(
            lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}"
        ),
    )


VALUES = st.recursive(ATOMS, nested, max_leaves=8)
SETTINGS = st.dictionaries(st.sampled_from(["ACT001", "LOSS001"]), VALUES, max_size=2).map(
    lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}"
)


@settings(max_examples=600)
@given(st.dictionaries(NAMES, VALUES, max_size=3), SETTINGS)
def test_whatever_a_profile_says_it_is_a_checklist_or_faults_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, str], changes: str
):
    """Any values in any keys, and in any part of a rule: a checklist, or faults that have a place, and nothing else."""
    text = "".join(f"{key}: {value}\n" for key, value in {"set": changes, **data}.items())
    path = write(tmp_path_factory.mktemp("fuzz"), acme=text)
    try:
        found: Checklist | RuleError = load_checklist(profile=path)
    except RuleError as error:
        found = error
    if isinstance(found, RuleError):
        assert all(1 <= fault.line <= len(data) + 2 and fault.column >= 1 for fault in found.faults)
