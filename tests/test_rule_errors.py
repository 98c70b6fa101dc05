"""Errors in rule files are a feature: where, what, what is legal and the nearest, all of them at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import RULE, write_rules
from tfhealth.errors import Fault, RuleError, UsageError
from tfhealth.rules import Checklist, load_checklist
from tfhealth.rules.source import Source, read

KEYS = (
    "format, id, title, checklist, measure, condition, when, while, given, active, quantify, message, why, advice, "
    "references, explained_by, examples, deprecated"
)
TESTS = "look, window, above, below, outside, inside, equals, one_of, like, nonfinite, all, any, not"
STATISTICS = "mean, std, minimum, maximum, zero_fraction, nonfinite, saturated_fraction, dead_fraction"
KINDS = (
    "input, label, prediction, activation, gradient, weight, update, loss, optimizer, validation_input, "
    "validation_label, validation_prediction, log, time, memory, experiment, layer, fact"
)

# Fewer rows than the built-in ones: they are read anew for every folder.
ROWS = """\
sources: {V: an article}
chapters:
- title: Activations
  items:
  - {id: act.std-range, asks: Near one?, sources: [V1], how: [fit]}
"""


def faults(folder: Path, files: dict[str, str]) -> list[str]:
    """Return every fault in a folder of these files, as it is shown."""
    with pytest.raises(RuleError) as caught:
        load_checklist(write_rules(folder / "mine", files))
    return [str(fault) for fault in caught.value.faults]


def changed(old: str, new: str, text: str = RULE) -> str:
    """Return the text of a rule with one part of it exchanged."""
    assert text.count(old) == 1
    return text.replace(old, new)


def test_rule_that_the_others_here_are_made_from_is_sound(tmp_path: Path):
    """Without a change the file loads, so every fault below comes from its change."""
    (rule,) = load_checklist(write_rules(tmp_path, {"ACT901-x.yaml": RULE})).rules
    assert (rule.id, rule.measure.statistic, rule.condition.for_) == ("ACT901", "std", 3)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: S", "titel: S", [
            "1:1 title: key 'title' is required",
            f"2:1 titel: unknown key 'titel'; legal: {KEYS}; did you mean 'title'?",
        ]),
        ("title: S", "Title: S", [
            "1:1 title: key 'title' is required",
            f"2:1 Title: unknown key 'Title'; legal: {KEYS}; did you mean 'title'?",
        ]),
        ("why: Signals fade.\n", "", ["1:1 why: key 'why' is required"]),
        ("why: Signals fade.", "why: [1]", ["9:1 why: Input should be a valid string"]),
        ("why: S", "1: one\nwhy: S", [f"9:1 1: unknown key '1'; legal: {KEYS}"]),
        ("{outside:", "{outsid:", [
            f"7:13 condition.warning.outsid: unknown key 'outsid'; legal: {TESTS}; did you mean 'outside'?",
        ]),
        ("[0.5, 2]", "[2, 0.5]", ["7:13 condition.warning.outside: [2, 0.5] is empty: low must be less than high"]),
        ("[0.5, 2]", "[0.5]", ["7:13 condition.warning.outside.1: value 2 is required"]),
        ("[0.5, 2]", "[0.5, much]", [
            "7:28 condition.warning.outside.1: Input should be a valid number, unable to parse string as a number",
        ]),
        ("[0.5, 2]", "[0.5, .inf]", ["7:28 condition.warning.outside.1: Input should be a finite number"]),
        ("{outside: [0.5, 2]}", "{above: 1, below: 2}", [
            "7:3 condition.warning: needs exactly one of above, below, outside, inside, equals, one_of, like, "
            "nonfinite, all, any, not; received above, below",
        ]),
        ("{outside: [0.5, 2]}", "{look: lats, above: 1}", [
            "7:13 condition.warning.look: look 'lats' is unknown; legal: each, first, last, mean, median, minimum, "
            "maximum, change, trend, late_change, late_trend, uncertainty, swing, rebound, rebound_trend; "
            "did you mean 'last'?",
        ]),
        ("for: 3", "for: {shar: 3}", [
            "6:9 condition.for.shar: unknown key 'shar'; legal: probes, steps, epochs, share; did you mean 'share'?",
        ]),
        ("for: 3", "for: often", [
            "6:3 condition.for: Input should be a valid integer, unable to parse string as an integer or a valid "
            "dictionary or instance of Lasting",
        ]),
        ("std}", "sdt}", [
            f"4:29 measure.statistic: statistic 'sdt' does not exist at activation sites; legal: {STATISTICS}; "
            "did you mean 'std'?",
        ]),
        ("site: activation", "site: activatoin", [
            f"4:11 measure.site: kind of site 'activatoin' is unknown; legal: {KINDS}; did you mean 'activation'?",
        ]),
        ("{site: activation, statistic: std}", "{expr: loss.regularisation / loss.data}", [
            "4:11 measure.expr: statistic 'regularisation' does not exist at loss sites; legal: nonfinite, total, "
            "data, regularization, added, weight_regularization, output, output_share, chance, output_chance, scale, "
            "overflow; did you mean 'regularization'?",
        ]),
        ("{site: activation, statistic: std}", "{expr: loss.data.real}", [
            "4:11 measure.expr: 'loss.data.real' is not allowed; legal are kind.statistic, "
            "fact.site.attribute, numbers, + - * / and "
            "parentheses",
        ]),
        ("{site: activation, statistic: std}", "{site: activation}", [
            "4:1 measure: needs either expr, or site with one of statistic and attribute",
        ]),
        ("std}", "std, across: medain}", [
            "4:45 measure.across: across 'medain' is unknown; legal: first_over_last, decades, compound_decades, "
            "largest_over_smallest, skew, minimum, maximum, mean, median, sum, root_square_sum; did you mean 'median'?",
        ]),
        ("std}", "std, relative_to: begin}", [
            "4:45 measure.relative_to: relative_to 'begin' is unknown; legal: first, start, lowest, highest",
        ]),
        ("std}", "std, where: {Layer: {one_off: [Dense]}}}", [
            f"4:61 measure.where.Layer.one_off: unknown key 'one_off'; legal: {TESTS}; did you mean 'one_of'?",
        ]),
        ("{site}.", "{sight}.", [
            "10:1 advice: {sight} is unknown; legal: site, kind, step, value, low, high, severity, count, places, "
            "interval, layer, activation, units, loss, label_shape, output_activation, shape, classes; "
            "did you mean 'site'?",
        ]),
        ("{value:.2g}", "{value:d}", ["8:1 message: Unknown format code 'd' for object of type 'float'"]),
        ("{value:.2g}", "{value", ["8:1 message: not a template: unexpected '{' in field name; write a literal "
                                   "brace twice"]),
        ("act.std-range", "act.std-rnage", [
            "3:1 checklist: 'act.std-rnage' is no row of the checklist; did you mean 'act.std-range'?",
        ]),
        ("examples:", "explained_by: [grad.nonfinit, ACT999]\nexamples:", [
            "12:16 explained_by.0: 'grad.nonfinit' is no row of the checklist; did you mean 'grad.nonfinite'?",
        ]),
        ("verdict: warn", "verdict: worn", ["14:23 examples.1.verdict: Input should be 'pass', 'warn' or 'fail'"]),
        ("verdict: warn", "verdict: pass", [
            "12:1 examples: examples must show one healthy series (verdict: pass) and one sick one",
        ]),
        ('"0.1x9"', '"0.1 x9"', [
            "14:6 examples.1.values: 'x9' is not a value; write 0.5, 0.5x20, 2.3..0.1x50, nanx3 or inf",
        ]),
        ("id: ACT901", "format: 2\nid: ACT901", [
            "1:1 format: written for a newer tfhealth (rule format 2, this one reads up to 1)",
        ]),
        ("for: 3", "for: 3\n  clears: {look: last, below: 1}", [
            "7:3 condition.clears: clears is a test of each value, it can have no look of its own",
        ]),
        ("id: ACT901", "id: act901", ["1:1 id: String should match pattern '^[A-Z]{3,5}\\d{3}$'"]),
        # What Python calls a field is no key of a file.
        ("for: 3", "for_: 3", [
            "6:3 condition.for_: unknown key 'for_'; legal: for, clears, missing, nonfinite, info, warning, "
            "error, critical; did you mean 'for'?",
        ]),
        ("for: 3", "for: 0", ["6:3 condition.for: Input should be greater than or equal to 1"]),
        ("for: 3", "quantfy: all", [
            "6:3 condition.quantfy: unknown key 'quantfy'; legal: for, clears, missing, nonfinite, info, warning, "
            "error, critical",
        ]),
        ("why: S", "quantify: most\nwhy: S", [
            "9:1 quantify: Input should be 'any' or 'all' or a valid dictionary or instance of Quantify",
        ]),
        ("why: S", "quantify: {share: 1, count: 1}\nwhy: S", [
            "9:1 quantify: needs exactly one of share and count",
        ]),
        ("why: S", "while: {measure: {site: loss, attribute: x}, holds: {above: 1}}\nwhy: S", [
            "9:1 while: a guard looks at each value of a statistic; use `when` for attributes",
        ]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_fault_points_at_its_place(tmp_path: Path, old: str, new: str, expected: list[str]):
    """File, line and column, the path of keys, what is wrong, what is legal, and the nearest legal name."""
    found = faults(tmp_path, {"ACT901-x.yaml": changed(old, new)})
    assert found == [f"mine/ACT901-x.yaml:{one}" for one in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: [ACT901\ntitle: x\n", "2:6: not YAML: did not find expected ',' or ']'"),
        ("id: ACT901\n  title: x\n", "2:8: not YAML: mapping values are not allowed in this context"),
        ('id: "ACT901\n', "2:1: not YAML: found unexpected end of stream"),
        ("id: ACT901\nid: ACT902\n", "2:1: key 'id' is written twice, first in line 1"),
        ("id: !!str ACT901\n", "1:5: tags are not allowed"),
        ("id: ACT901\n<<: {title: x}\n", "2:1: merge keys (<<) are not allowed"),
        ("id: &a ACT901\ntitle: x\n", "1:5: anchors and aliases are not allowed"),
        ("id: ACT901\ntitle: *a\n", "2:8: anchors and aliases are not allowed"),
        ("id: " + "[" * 30 + "]" * 30, "1:24: nested more than 20 deep"),
        ("- id: ACT901\n", "1:1: must be a mapping of keys, is a list"),
        ("ACT901\n", "1:1: must be a mapping of keys, is a single value"),
        ("", "1:1: must be a mapping of keys, is empty"),
        ("# nothing but a comment\n", "1:1: must be a mapping of keys, is empty"),
        ("a: " + "b" * 200_000, "1:1: has 200003 characters; at most 200000 are read"),
        ("id: a\n---\nid: b\n", "2:1: not YAML: but found another document"),
    ],
    ids=lambda one: one[:20],
)  # fmt: skip
def test_text_that_is_no_rule_file_is_refused_with_its_place(tmp_path: Path, text: str, expected: str):
    """Syntax errors, what YAML can do and rules may not, and files that hold something else."""
    assert faults(tmp_path, {"ACT901-x.yaml": text}) == [f"mine/ACT901-x.yaml:{expected}"]


def test_unreadable_files_are_faults_too(tmp_path: Path):
    """A folder that is named like a file, bytes that are no text, a control character."""
    folder = write_rules(tmp_path / "mine", {"b.yaml": "id: a\0b\n"})
    (folder / "a.yaml").write_bytes(b"id: \xff\xfe")
    (folder / "c.yaml").mkdir()
    with pytest.raises(RuleError) as caught:
        load_checklist(folder)
    first, second, third = caught.value.faults
    assert (first.file, first.what[:15]) == ("mine/a.yaml", "cannot be read:")
    assert (second.file, second.what[:9]) == ("mine/b.yaml", "not YAML:")
    assert (third.file, third.what[:15]) == ("mine/c.yaml", "cannot be read:")


def test_all_faults_of_all_files_come_at_once_in_order(tmp_path: Path):
    """Sorted by file, line and column, under one line that counts them."""
    files = {
        "ACT902-y.yaml": changed("ACT901", "ACT902", changed("for: 3", "for: 0", changed("why: ", "wy: "))),
        "ACT901-x.yaml": changed("std}", "sdt}"),
        "sub/ACT903-z.yml": "[",
    }
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    with pytest.raises(RuleError) as caught:
        load_checklist(write_rules(tmp_path / "mine", files))
    assert [(one.file, one.line, one.path) for one in caught.value.faults] == [
        ("mine/ACT901-x.yaml", 4, "measure.statistic"),
        ("mine/ACT902-y.yaml", 1, "why"),
        ("mine/ACT902-y.yaml", 6, "condition.for"),
        ("mine/ACT902-y.yaml", 9, "wy"),
        ("mine/sub/ACT903-z.yml", 1, ""),
    ]
    head, *lines = str(caught.value).splitlines()
    assert head == "5 faults in the rules"
    assert lines == [f"  {fault}" for fault in caught.value.faults]


def test_one_fault_is_counted_as_one():
    """The text of an error with one fault."""
    error = RuleError([Fault("rules/a.yaml", 3, 7, "why", "key 'why' is required")])
    assert str(error) == "1 fault in the rules\n  rules/a.yaml:3:7 why: key 'why' is required"


def test_file_name_begins_with_the_id(tmp_path: Path):
    """A rule is found by its id, so the file is called by it."""
    expected = "mine/spread.yaml:1:1 id: file name must begin with the id: ACT901-spread.yaml"
    assert faults(tmp_path, {"spread.yaml": RULE}) == [expected]


def test_id_is_used_once(tmp_path: Path):
    """The second file with an id is the fault, and the error names the rule that has it."""
    files = {"ACT901-a.yaml": RULE, "ACT901-b.yaml": changed("Spread far from one", "Another", RULE)}
    expected = "mine/ACT901-b.yaml:1:1 id: ACT901 is already the id of 'Spread far from one'"
    assert faults(tmp_path, files) == [expected]


def test_folder_may_bring_its_own_rows(tmp_path: Path):
    """With a checklist.yaml of its own a rule decides one of these rows, and faults in it have their place."""
    loaded = load_checklist(write_rules(tmp_path / "good", {"checklist.yaml": ROWS, "ACT901-x.yaml": RULE}))
    assert [item.id for item in loaded.items] == ["act.std-range"]
    found = faults(tmp_path, {"checklist.yaml": ROWS.replace("[fit]", "[fitt]"), "ACT901-x.yaml": RULE})
    expected = "Input should be 'fit', 'static', 'preflight', 'guide' or 'compare'"
    assert found == [f"mine/checklist.yaml:5:63 chapters.0.items.0.how.0: {expected}"]


GROUPS = f"{ROWS}causes:\n  at-start: [act.std-range, ACT902]\n"


def test_group_of_causes_stands_for_what_it_holds(tmp_path: Path):
    """Rows and rules of a group explain each rule that names it, but for the rule and the row that it is."""
    first = changed("examples:", "explained_by: [ACT903, at-start, ACT902]\nexamples:")
    second = changed("ACT901", "ACT902", first)
    files = {"checklist.yaml": GROUPS, "ACT901-x.yaml": first, "ACT902-x.yaml": second}
    loaded = load_checklist(write_rules(tmp_path / "mine", files))
    assert [loaded.causes_of(rule) for rule in loaded.rules] == [("ACT903", "ACT902"), ("ACT903",)]


def test_names_of_no_group_are_faults(tmp_path: Path):
    """A group that is none in a rule, and a row that is none in a group, each with the nearest name."""
    rule = changed("examples:", "explained_by: [at-strat]\nexamples:")
    found = faults(tmp_path, {"checklist.yaml": GROUPS.replace("[act.", "[act.std, act."), "ACT901-x.yaml": rule})
    assert found == [
        "mine/ACT901-x.yaml:12:16 explained_by.0: 'at-strat' is no group of causes; did you mean 'at-start'?",
        "mine/checklist.yaml:7:14 causes.at-start.0: 'act.std' is no row of the checklist; "
        "did you mean 'act.std-range'?",
    ]


def test_missing_and_empty_folders_are_wrong_use(tmp_path: Path):
    """No folder, a file in its place, or no rule in it."""
    (tmp_path / "file").write_text("")
    write_rules(tmp_path / "empty", {"notes.txt": "", "checklist.yaml": "sources: {}"})
    for name, expected in (
        ("missing", "not a folder of rules."),
        ("file", "not a folder of rules."),
        ("empty", "has no rule file (*.yaml) in it."),
    ):
        with pytest.raises(UsageError) as caught:
            load_checklist(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {expected}"


def test_yaml_is_read_by_version_1_2(tmp_path: Path):
    """`off` and `yes` are words and `1e-3` is a number, which PyYAML reads the other way round."""
    words = "where: {activation: [off, yes, no, on, ~, true]}"
    text = changed("std}", f"std, {words}}}", changed("[0.5, 2]", "[1e-3, 0o17]"))
    (rule,) = load_checklist(write_rules(tmp_path, {"ACT901-x.yaml": text})).rules
    assert rule.measure.where["activation"] == ["off", "yes", "no", "on", None, True]
    assert rule.condition.warning is not None
    assert rule.condition.warning.outside == (0.001, 15.0)


def test_position_of_a_key_is_where_it_stands(tmp_path: Path):
    """Line and column count from one; a list's entry has its own place."""
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nbb:\n  - x\n  - {c: 2, d: 3}\n")
    source = read(path, "a.yaml")
    assert isinstance(source, Source)
    places = [source.position(path) for path in ([], ["a"], ["bb"], ["bb", 0], ["bb", 1, "d"], ["bb", "missing"])]
    assert places == [(1, 1), (1, 1), (2, 1), (3, 5), (4, 12), (2, 1)]


TOKENS = re.findall(r"[A-Za-z_]+|\d+|\n *|.", RULE)
WORDS = [*sorted(set(TOKENS)), "&a", "*a", "!!int", "!!binary", "!x", "<<", "?", "|", ">", "%YAML 1.1", "---", "\t"]
WORDS += [
    "null",
    "nan",
    ".inf",
    "1e999",
    "9" * 5000,
    "{[1]: 2}",
    "2020-01-01",
    "\0",
    "\ufeff",
    "é",
    "'",
    '"',
    "#",
    "{}",
]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "replace", "insert"]), st.integers(0, len(TOKENS) - 1), st.sampled_from(WORDS)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=600)
@given(edits=EDITS)
def test_whatever_is_in_a_file_it_is_a_rule_or_faults_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, str]]
):
    """A sound file with words taken away, exchanged and put in: a checklist, or faults that have a place."""
    tokens = [[token] for token in TOKENS]
    for what, place, word in edits:
        tokens[place] = {"delete": [], "replace": [word], "insert": [*tokens[place], word]}[what]
    text = "".join(word for part in tokens for word in part)
    _check(tmp_path_factory.mktemp("mutated"), text)


ATOMS = ["x", "[]", "{}", "1", "-1", "1.5", "true", "null", ".nan", "1e999", "activation", "'{'", "loss.data"]
INNER = ["site", "statistic", "above", "all", "not", "look", "share", "Any", "1"]


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return lists and mappings of values in YAML's flow style."""
    pairs = st.dictionaries(st.sampled_from(INNER), inner, max_size=3)
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        pairs.map(lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}"),
    )


VALUES = st.recursive(st.sampled_from(ATOMS), nested, max_leaves=6)


@settings(max_examples=600)
@given(st.sampled_from([*KEYS.split(", "), "other"]), VALUES)
def test_whatever_a_key_holds_it_is_a_rule_or_faults_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
):
    """Each key of a rule with values of every shape."""
    head = re.sub(rf"^{key}:.*\n(?:  .*\n)*", "", RULE, flags=re.MULTILINE)
    _check(tmp_path_factory.mktemp("mutated"), f"{head}{key}: {value}\n")


def _check(folder: Path, text: str) -> None:
    loaded = _loaded(write_rules(folder, {"ACT901-x.yaml": text, "checklist.yaml": ROWS}))
    if isinstance(loaded, Checklist):
        assert len(loaded.rules) == 1
        return
    lines = len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text))
    places = [(fault.line, fault.column) for fault in loaded.faults]
    assert places
    assert [place for place in places if not (1 <= place[0] <= lines + 1 and place[1] >= 1)] == []
    assert all(fault.what for fault in loaded.faults)


def _loaded(folder: Path) -> Checklist | RuleError:
    try:
        return load_checklist(folder)
    except RuleError as error:
        return error
