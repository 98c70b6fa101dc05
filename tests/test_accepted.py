"""Suppressions and baselines: what somebody accepted does not count, is not lost, and is told when it is in vain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import checklist_of, rule, run_of
from tfhealth import baseline
from tfhealth.baseline import Baseline, Entry
from tfhealth.diagnosis import evaluate
from tfhealth.errors import Fault, RuleError, UsageError
from tfhealth.result import Finding, Result
from tfhealth.rules import Checklist, Rule
from tfhealth.rules.checklist import Suppression
from tfhealth.run import Run

TODAY = date(2026, 3, 1)
RUNGS = {"condition": {"warning": {"above": 2}, "error": {"above": 5}}}


def checklist(*rules: Rule, suppress: tuple[Suppression, ...] = (), accepted: Path | None = None) -> Checklist:
    """Return a checklist of these rules, and what of their findings is accepted."""
    return checklist_of(*rules, suppressions=suppress, baseline=accepted)


def spread(**layers: float) -> Run:
    """Return a run with a constant spread for each layer; two underscores stand for a slash."""
    return run_of({("activation", name.replace("__", "/"), "std"): [value] * 5 for name, value in layers.items()})


def suppression(rule: str = "ACT901", **keys: Any) -> Suppression:
    return Suppression(**{"rule": rule, "reason": "sparse by design", "set_by": "acme", **keys})


def sites(finding: Finding) -> dict[str, str]:
    return {one.name: one.severity for one in finding.sites}


def verdicts(result: Result) -> tuple[str, str, str]:
    """Return the verdict of the whole, of the first row and of the first rule."""
    return result.verdict, result.checklist[0].verdict, result.rules[0].verdict


def entries(path: Path, *listed: Mapping[str, Any]) -> Path:
    """Write a baseline; what an entry does not say is about the first rule, accepted on new year's day."""
    usual = {"rule": "ACT901", "kind": "activation", "severity": "warning", "since": "2026-01-01"}
    path.write_text(json.dumps({"baseline_version": "1.0", "entries": [{**usual, **one} for one in listed]}))
    return path


@pytest.mark.parametrize("name", ["ACT901", "ACT9", "ACT"])
def test_suppressed_finding_counts_for_nothing(name: str):
    """It is kept apart with its reason, and the verdict is a pass that mentions it."""
    result = evaluate(checklist(rule(**RUNGS), suppress=(suppression(name),)), spread(a=9.0, b=1.0), TODAY)
    assert result.findings == []
    assert verdicts(result) == ("pass", "suppressed", "suppressed")
    assert result.sentence == (
        "No fault found in the 1 of 1 checklist rows that could be judged, but for 1 suppressed finding."
    )
    assert result.rules[0].reason == "accepted at 1 of 2 activation sites: sparse by design"
    (one,) = result.suppressed
    assert (one.how, one.reason, one.expires, one.set_by) == ("suppression", "sparse by design", None, "acme")
    assert (one.finding.verdict, one.finding.message, sites(one.finding)) == ("fail", "a at 0: 9.", {"a": "error"})
    assert result.warnings == []


def test_suppression_of_another_rule_takes_nothing():
    """The beginning of an id is compared, not a part of it."""
    listed = (suppression("CT901"), suppression("ACT902"))
    result = evaluate(checklist(rule(), suppress=listed), spread(a=9.0), TODAY)
    assert (verdicts(result), result.suppressed) == (("fail", "fail", "fail"), [])


def test_finding_stays_with_the_sites_that_are_left():
    """Value and message are those of the worst site left; what was taken out is listed."""
    rules = checklist(rule(**RUNGS), suppress=(suppression(match="head/*"),))
    result = evaluate(rules, spread(head__a=9.0, body=7.0, tail=6.0), TODAY)
    (finding,) = result.findings
    assert (finding.site, finding.value, finding.message) == ("body", 7.0, "body at 0: 7.")
    assert sites(finding) == {"body": "error", "tail": "error"}
    assert result.sentence == "Sick: body at 0: 7 (1 suppressed finding)."
    assert result.rules[0].reason == "2 of 3 activation sites, 1 more accepted"
    assert [sites(one.finding) for one in result.suppressed] == [{"head/a": "error"}]


def test_milder_breach_comes_up_where_the_graver_one_is_accepted():
    """A site that only warned must not vanish behind one that failed and was suppressed."""
    rules = checklist(rule(**RUNGS), suppress=(suppression(match="head"),))
    result = evaluate(rules, spread(head=9.0, body=3.0), TODAY)
    (finding,) = result.findings
    assert verdicts(result) == ("warn", "warn", "warn")
    assert (finding.site, finding.severity, finding.limits) == ("body", "warning", {"high": 2.0})


@pytest.mark.parametrize(("match", "left"), [("head", []), ("head/*", []), ("**", []), ("hea", ["head/a"])])
def test_sites_are_matched_by_glob(match: str, left: list[str]):
    """A pattern is for a layer and everything below it."""
    result = evaluate(checklist(rule(), suppress=(suppression(match=match),)), spread(head__a=9.0), TODAY)
    assert [finding.site for finding in result.findings] == left


def test_row_with_another_complaint_keeps_its_verdict():
    """Suppressed is only what all complaints of the row are."""
    other = rule("ACT902", condition={"warning": {"above": 2}})
    result = evaluate(checklist(rule(), other, suppress=(suppression(),)), spread(a=9.0), TODAY)
    assert [row.verdict for row in result.checklist] == ["warn"]
    assert [one.verdict for one in result.rules] == ["suppressed", "warn"]


def test_suppressed_finding_explains_nothing():
    """What is accepted is no cause of what is left."""
    effect = rule("ACT902", checklist="act.dead-relu", explained_by=["ACT901"])
    one, both = (
        evaluate(checklist(rule(), effect, suppress=listed), spread(a=9.0), TODAY) for listed in ((suppression(),), ())
    )
    assert [(f.rule, f.explained_by) for f in one.findings] == [("ACT902", [])]
    assert [(f.rule, f.explained_by) for f in both.findings] == [("ACT901", []), ("ACT902", ["ACT901"])]


@pytest.mark.parametrize(("expires", "held"), [(date(2026, 3, 1), True), (date(2026, 2, 28), False)])
def test_suppression_holds_until_the_end_of_its_day(expires: date, held: bool):
    """An expired one takes nothing out, and says so; one that holds says until when."""
    rules = checklist(rule(), suppress=(suppression(match="a", expires=expires),))
    result = evaluate(rules, spread(a=9.0), TODAY)
    assert [one.expires for one in result.suppressed] == (["2026-03-01"] if held else [])
    expired = (
        "The suppression of ACT901 at a (acme: sparse by design) expired on 2026-02-28; what it accepted counts again."
    )
    assert result.warnings == ([] if held else [expired])
    assert verdicts(result)[0] == ("pass" if held else "fail")


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({"match": "b"}, True),
        ({"match": "a"}, False),
        ({"rule": "ACT902"}, False),
        ({"rule": "ACT903"}, False),
        ({"rule": "ACT9", "match": "b"}, False),
        ({"rule": "LOSS"}, False),
    ],
    ids=["matched nothing", "matched", "not measured", "not applicable", "one of several unknown", "no such rule"],
)
def test_unused_suppression_warns_where_its_rules_were_judged(keys: dict[str, Any], warned: bool):
    """Of a rule that could not be judged nothing is known, so nothing is said."""
    rules = (
        rule(),
        rule("ACT902", measure={"site": "gradient", "statistic": "norm"}),
        rule("ACT903", measure={"site": "activation", "statistic": "std", "where": {"layer": "LSTM"}}),
    )
    result = evaluate(checklist(*rules, suppress=(suppression(**keys),)), spread(a=9.0, b=1.0), TODAY)
    text = "The suppression of ACT901 at b (acme: sparse by design) matched nothing in this run."
    assert result.warnings == ([text] if warned else [])


def test_of_two_suppressions_the_first_counts_and_neither_is_unused():
    """Both match the same site; the reason is that of the first."""
    listed = (suppression(reason="first"), suppression(reason="second", match="a"))
    result = evaluate(checklist(rule(), suppress=listed), spread(a=9.0), TODAY)
    assert [one.reason for one in result.suppressed] == ["first"]
    assert result.warnings == []


def test_sites_accepted_for_different_reasons_are_told_apart():
    """One entry for each reason, each with its own sites; the sentence counts the finding once."""
    listed = (suppression(reason="first", match="a"), suppression(reason="second", match="b"))
    result = evaluate(checklist(rule(), suppress=listed), spread(a=9.0, b=8.0), TODAY)
    assert [(one.reason, sites(one.finding)) for one in result.suppressed] == [
        ("first", {"a": "error"}),
        ("second", {"b": "error"}),
    ]
    assert result.rules[0].reason == "accepted at 2 of 2 activation sites: first; second"
    assert "1 suppressed finding." in result.sentence


@pytest.mark.parametrize(
    ("accepted", "value", "taken"),
    [
        ({"site": "a", "severity": "error"}, 9.0, True),
        ({"site": "a", "severity": "critical"}, 9.0, True),
        ({"site": "a", "severity": "warning"}, 9.0, False),
        ({"site": "a", "severity": "warning"}, 3.0, True),
        ({"site": "a", "severity": "error"}, 3.0, True),
        ({"site": "b", "severity": "error"}, 9.0, False),
        ({"site": "a", "severity": "error", "kind": "gradient"}, 9.0, False),
        ({"site": "a", "severity": "error", "rule": "ACT902"}, 9.0, False),
    ],
)
def test_baseline_accepts_what_was_there_and_no_worse(
    accepted: dict[str, Any], value: float, taken: bool, tmp_path: Path
):
    """The same rule at the same site, up to the severity that was accepted."""
    path = entries(tmp_path / "baseline.json", accepted)
    result = evaluate(checklist(rule(**RUNGS), accepted=path), spread(a=value), TODAY)
    assert [finding.site for finding in result.findings] == ([] if taken else ["a"])
    told = [("baseline", "in the baseline since 2026-01-01", None, "baseline.json")] if taken else []
    assert [(one.how, one.reason, one.expires, one.set_by) for one in result.suppressed] == told


def test_suppression_comes_before_the_baseline(tmp_path: Path):
    """A reason in a person's words says more than a date; the entry is not stale by that."""
    path = entries(tmp_path / "baseline.json", {"site": "a", "severity": "error"})
    result = evaluate(checklist(rule(), suppress=(suppression(),), accepted=path), spread(a=9.0), TODAY)
    assert [one.how for one in result.suppressed] == ["suppression"]
    assert result.warnings == []


def test_stale_entries_warn(tmp_path: Path):
    """Entries that match nothing are counted and the first ones named; those of rules that were not judged are not."""
    listed = [{"site": name} for name in ("a", "b", "c", "d")]
    path = entries(tmp_path / "accepted.json", *listed, {"site": "e", "rule": "ACT902"}, {"site": "x"})
    unknown = rule("ACT902", measure={"site": "gradient", "statistic": "norm"})
    result = evaluate(checklist(rule(**RUNGS), unknown, accepted=path), spread(x=3.0), TODAY)
    named = "ACT901 at activation a, ACT901 at activation b, ACT901 at activation c, …"
    assert result.warnings == [
        f"4 of 6 entries of accepted.json match nothing in this run ({named}); --prune-baseline takes out what no run "
        "shows."
    ]


def test_baseline_of_two_runs_is_their_union(tmp_path: Path):
    """Each site once, at its highest severity, sorted; by it neither run has a finding."""
    plain = checklist(rule(**RUNGS))
    runs = [spread(b=3.0, a=9.0), spread(b=9.0, c=3.0)]
    made = baseline.accept([evaluate(plain, run, TODAY) for run in runs], TODAY)
    assert [(one.site, one.severity, one.since) for one in made.entries] == [
        ("a", "error", TODAY),
        ("b", "error", TODAY),
        ("c", "warning", TODAY),
    ]
    baseline.write(tmp_path / "baseline.json", made)
    accepting = checklist(rule(**RUNGS), accepted=tmp_path / "baseline.json")
    assert [evaluate(accepting, run, TODAY).findings for run in runs] == [[], []]


def test_entries_keep_the_day_on_which_they_were_accepted():
    """Only what is new gets today's date; what is suppressed otherwise is left out."""
    rules = checklist(rule(), rule("ACT902"), suppress=(suppression("ACT902"),))
    old = Entry(rule="ACT901", kind="activation", site="a", severity="warning", since=date(2025, 1, 1))
    before = Baseline(baseline_version="1.0", entries=(old,))
    made = baseline.accept([evaluate(rules, spread(a=9.0, b=9.0), TODAY)], TODAY, before)
    assert [(one.rule, one.site, str(one.since)) for one in made.entries] == [
        ("ACT901", "a", "2025-01-01"),
        ("ACT901", "b", "2026-03-01"),
    ]


def test_prune_drops_what_no_run_shows(tmp_path: Path):
    """An entry stays where one run shows it (accepted or graver than accepted), or where its rule was not judged."""
    listed = [{"site": "gone"}, {"site": "here"}, {"site": "worse"}, {"site": "x", "rule": "ACT902"}]
    path = entries(tmp_path / "baseline.json", *listed, {"site": "x", "rule": "OLD001"})
    unknown = rule("ACT902", measure={"site": "gradient", "statistic": "norm"})
    rules = checklist(rule(**RUNGS), unknown, accepted=path)
    results = [evaluate(rules, run, TODAY) for run in (spread(here=3.0, gone=1.0), spread(worse=9.0))]
    kept, dropped = baseline.prune(baseline.read(path), results)
    assert [(one.rule, one.site) for one in kept.entries] == [("ACT901", "here"), ("ACT901", "worse"), ("ACT902", "x")]
    assert [(one.rule, one.site) for one in dropped] == [("ACT901", "gone"), ("OLD001", "x")]


def test_file_is_readable_in_a_diff(tmp_path: Path):
    """One line an entry, and it comes back as it was; an empty one too."""
    found = [
        Entry(rule="ACT901", kind="activation", site=site, severity="error", since=TODAY) for site in ("a", 'é "b"\n')
    ]
    full = Baseline(baseline_version="1.0", entries=tuple(found))
    path = tmp_path / "baseline.json"
    baseline.write(path, full)
    assert path.read_text() == (
        '{\n  "baseline_version": "1.0",\n  "entries": [\n'
        '    {"rule": "ACT901", "kind": "activation", "site": "a", "severity": "error", "since": "2026-03-01"},\n'
        '    {"rule": "ACT901", "kind": "activation", "site": "\\u00e9 \\"b\\"\\n", "severity": "error", '
        '"since": "2026-03-01"}\n  ]\n}\n'
    )
    assert baseline.read(path) == full
    empty = Baseline(baseline_version="1.0", entries=())
    baseline.write(path, empty)
    assert (path.read_text(), baseline.read(path)) == ('{\n  "baseline_version": "1.0",\n  "entries": []\n}\n', empty)
    assert [one.name for one in tmp_path.iterdir()] == ["baseline.json"]


ENTRY = '{"rule": "ACT901", "kind": "activation", "site": "a", "severity": "error", "since": "2026-01-01"}'
SECOND = ENTRY.replace('"2026-01-01"', "5")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "not JSON: Expecting value"),
        ('{\n  "entries": [,]}', 2, "not JSON: Expecting value"),
        ("[" * 100_000, 1, "not JSON: maximum recursion depth exceeded"),
        (f'{{"entries": {"9" * 5000}}}', 1, "not JSON: Exceeds the limit"),
        ("[]", 1, "Input should be"),
        ('{"entries": []}', 1, "key 'baseline_version' is required"),
        ('{"baseline_version": "1.0"}', 1, "key 'entries' is required"),
        (
            '{"baseline_version": "2.0",\n "entries": []}',
            1,
            "'2.0' is unknown, this tfhealth reads 1.0; was the file written by a newer one?",
        ),
        (
            f'{{"baseline_version": "1.0",\n "entries": [\n  {ENTRY.replace("site", "sight")}]}}',
            3,
            "unknown key 'sight'; legal: rule, kind, site, severity, since; did you mean 'site'?",
        ),
        (
            f'{{"baseline_version": "1.0",\n "entries": [\n  {ENTRY.replace("activation", "activatoin")}]}}',
            3,
            "kind of site 'activatoin' is unknown; legal: input, label, ",
        ),
        (
            f'{{"baseline_version": "1.0", "entries": [\n  {ENTRY},\n  {ENTRY.replace("2026-01-01", "soon")}]}}',
            3,
            "Input should be a valid date",
        ),
        (
            f'{{"baseline_version": "1.0", "entries": [\n  {SECOND}]}}',
            2,
            "valid date",
        ),
        (
            f'{{"baseline_version": "1.0", "entries": [\n  {ENTRY},\n  {ENTRY}]}}',
            1,
            "ACT901 at activation a is listed twice",
        ),
    ],
)
def test_wrong_file_is_refused_with_a_position(text: str, line: int, what: str, tmp_path: Path):
    """What stands where, what is legal and the nearest."""
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(RuleError) as error:
        evaluate(checklist(rule(), accepted=path), spread(a=1.0), TODAY)
    assert any((fault.file, fault.line) == (str(path), line) and what in fault.what for fault in error.value.faults), (
        str(error.value)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1.0", "ACT901", "error"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*Baseline.model_fields, *Entry.model_fields]), inner)
    ),
    max_leaves=20,
)


@given(JSON.map(json.dumps) | st.text())
def test_any_file_is_a_baseline_or_refused(text: str):
    """Whatever stands in it: entries, or faults with a place."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.json"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            found: Baseline | tuple[Fault, ...] = baseline.read(path)
        except RuleError as error:
            found = error.faults
        if isinstance(found, tuple):
            assert all(fault.file == str(path) and fault.line > 0 and fault.what for fault in found)


def test_bytes_that_are_no_text_and_a_file_without_end_are_refused(tmp_path: Path):
    """Whatever stands there: one of our errors."""
    path = tmp_path / "baseline.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="not JSON: 'utf-8' codec"):
        baseline.read(path)
    with path.open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(RuleError, match="has more than 20,000,000 bytes"):
        baseline.read(path)


def test_baseline_that_is_not_there_is_told_with_the_way_out(tmp_path: Path):
    """A profile may name a file that nobody wrote yet."""
    path = tmp_path / "none.json"
    with pytest.raises(UsageError) as error:
        evaluate(checklist(rule(), accepted=path), spread(a=1.0), TODAY)
    assert str(error.value) == (
        f"{path}: no baseline can be read there: No such file or directory; "
        f"`tfhealth evaluate RUN --write-baseline {path}` makes one."
    )
    with pytest.raises(UsageError, match="the baseline cannot be written there: No such file or directory"):
        baseline.write(tmp_path / "no" / "folder.json", Baseline(baseline_version="1.0", entries=()))


def test_without_anything_accepted_the_result_is_what_it_was():
    """Today's date changes nothing where nothing expires."""
    rules, run = checklist(rule(**RUNGS)), spread(a=9.0, b=3.0)
    assert evaluate(rules, run, TODAY) == evaluate(replace(rules, suppressions=()), run)
