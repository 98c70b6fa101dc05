"""Examples and test files: what a run in a test is, what is compared, and how a difference is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.helpers import RULE, run_of, write_rules
from tfhealth.conditions import SEVERITIES
from tfhealth.errors import Fault
from tfhealth.rules import find_pack, load_checklist
from tfhealth.rules.pack import Pack
from tfhealth.series import KINDS, Probe, Site
from tfhealth.trials import Tally, Trial, check_pack, try_pack
from tfhealth.trials.model import Expectation

MANIFEST = 'name: mine\nversion: "1"\n'
SETTINGS = """\
id: ACT902
title: Rate above the ceiling
checklist: act.std-range
measure: {site: fact, attribute: learning_rate}
condition: {error: {above: 0.01}}
message: "The rate of {site} is {value:g}, above {high:g}."
why: We diverged.
advice: Lower it.
references: [a book]
examples:
  - {value: 0.001, verdict: pass}
  - {value: 0.1, verdict: fail}
"""


def pack_of(folder: Path, tests: str, rules: dict[str, str] | None = None) -> Pack:
    """Write a pack with one test file and open it."""
    write_rules(folder, {"pack.yaml": MANIFEST})
    write_rules(folder / "rules", rules or {"ACT901-spread.yaml": RULE, "ACT902-rate.yaml": SETTINGS})
    write_rules(folder / "tests", {"all.yaml": tests})
    return find_pack(folder)


def tried(folder: Path, tests: str, profile: dict[str, Any] | None = None) -> tuple[int, list[str]]:
    """Return how many expectations of a test file held, and what is said of the others."""
    pack = pack_of(folder, tests)
    examples = try_pack(Pack(**{**vars(pack), "tests": ()}), load_checklist(folder))
    tally = try_pack(pack, load_checklist(profile=profile) if profile else load_checklist(folder))
    assert examples.failures == ()
    return tally.passed - examples.passed, [str(one) for one in tally.failures]


def trial(**keys: Any) -> Trial:
    return Trial.model_validate({"name": "a test", "facts": {"a": {}}, "expect": {"ACT901": "pass"}, **keys})


def test_described_run_is_what_capture_would_record():
    """Facts, attributes, series at steps 0, 1 …, and logs at the ends of epochs."""
    run = trial(
        facts={"optimizer": {"class": "Adam", "learning_rate": 0.1}},
        sites={"activation dense/relu": {"layer": "Dense", "output": False}},
        series={"activation dense/relu std": "1x2 3", "gradient dense/kernel norm": "0.5x5", "loss batch data": "1x3"},
        logs={"val_loss": "2..1x3"},
        steps_per_epoch=4,
    ).described()
    assert run.fact("optimizer.learning_rate") == 0.1
    assert [str(site) for site in run.sites] == [
        "fact optimizer",
        "fact fit",
        "activation dense/relu",
        "gradient dense/kernel",
        "loss batch",
        "log val_loss",
    ]
    assert run.sites[Site("activation", "dense/relu")] == {"layer": "Dense", "output": False}
    series = run.series(Probe(Site("activation", "dense/relu"), "std"))
    assert series is not None
    assert (series.steps.tolist(), series.values.tolist()) == ([0, 1, 2], [1.0, 1.0, 3.0])
    log = run.logs[Site("log", "val_loss")]
    assert (log.steps.tolist(), log.values.tolist()) == ([4, 8, 12], [2.0, 1.5, 1.0])
    assert run.fact("fit.steps_per_epoch") == 4
    assert run.complete
    assert run.steps.tolist() == [0, 1, 2, 3, 4]


def test_described_run_holds_what_a_recorded_one_does(tmp_path: Path):
    """Judged from the file it gives the same values as from memory, so a test may be made of a recorded run."""
    described = trial(facts={}, series={"activation a std": "1x5 0.1x5", "activation b std": "nan inf 2x8"}).described()
    recorded = run_of(
        {("activation", "a", "std"): [1.0] * 5 + [0.1] * 5, ("activation", "b", "std"): [np.nan, np.inf] + [2.0] * 8}
    )
    one, other = (run.panel("activation", "std") for run in (described, recorded))
    assert (one.sites, one.steps.tolist()) == (other.sites, other.steps.tolist())
    np.testing.assert_array_equal(one.values.astype(np.float32), other.values.astype(np.float32))
    np.testing.assert_array_equal(one.measured, other.measured)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"sites": {"activatoin a": {}}},
            f"kind of site 'activatoin' is unknown; legal: {', '.join(KINDS)}; did you mean",
        ),
        ({"sites": {"activation": {}}}, "'activation' has no name of a site; write it as `activation dense`"),
        (
            {"series": {"activation a sdt": "1"}},
            "statistic 'sdt' does not exist at activation sites; legal: mean, std, ",
        ),
        ({"series": {"activation std": "1"}}, "'activation std' has no name of a site; write it as `activation dense`"),
        ({"series": {"std": "1"}}, "kind of site 'std' is unknown"),
        ({"series": {"log loss value": "1"}}, "log sites have no series here; write them under logs"),
        ({"series": {"activation a std": "1 y"}}, "'y' is not a value; write 0.5, 0.5x20, 2.3..0.1x50, nanx3 or inf"),
        ({"series": {"activation a std": " "}}, "has no value"),
        (
            {"series": {f"activation a{number} std": "1x99999" for number in range(11)}},
            "with this one there are more than 1,000,000 values in the test",
        ),
        ({"logs": {"loss": "much"}}, "'much' is not a value"),
        ({"run": "runs/a"}, "a recorded run has its own facts; take one of the two away"),
        ({"run": "a", "facts": {}, "steps_per_epoch": 3}, "a recorded run has its own steps_per_epoch; take one"),
        ({"facts": {}}, "needs a run: facts, sites, series or logs, or `run` with a recorded one"),
        ({"expect": {"ACT901": {"verdict": "fail", "site": "a", "sites": ["a"]}}}, "give only one of the two"),
    ],
    ids=str,
)
def test_test_that_cannot_be_meant_is_refused(keys: dict[str, Any], expected: str):
    """With what is legal, and the nearest name."""
    with pytest.raises(ValidationError) as caught:
        trial(**keys)
    assert expected in str(caught.value)


def test_expectations_that_hold_are_counted(tmp_path: Path):
    """Verdict alone, or with severity, site, all sites, step and a part of the message."""
    held, failures = tried(
        tmp_path / "mine",
        """\
tests:
  - name: one of two fades
    facts: {optimizer: {learning_rate: 0.1}}
    series: {activation a std: "1x20", activation b std: "1x5 0.1x15"}
    expect:
      ACT901: {verdict: warn, severity: warning, site: b, step: 5, message: "a spread of 0.1 from step 5"}
      ACT902: {verdict: fail, severity: error, sites: [optimizer], message: "The rate of optimizer is 0.1, above 0.01."}
  - name: both fade
    series: {activation a std: "0.1x9", activation b std: "0.1x9"}
    expect: {ACT901: {verdict: warn, sites: [b, a]}, ACT902: {verdict: not_measured, message: no fact site}}
  - name: neither does
    series: {activation a std: "1x9"}
    expect: {ACT901: pass, ACT902: not_measured}
""",
    )
    assert (held, failures) == (6, [])


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("pass", "expected pass; found warn (The output of b had a spread of 0.1 from step 5 on.)"),
        ("{verdict: warn, severity: error}", "expected warn, severity error; found warn, severity warning (The "),
        ("{verdict: warn, site: a}", "expected warn, at a; found warn, at b (The "),
        ("{verdict: warn, site: a, step: 5}", "expected warn, at a, from step 5; found warn, at b, from no step (The "),
        ("{verdict: warn, sites: [a, b]}", "expected warn, at a, b; found warn, at b (The "),
        ("{verdict: warn, step: 6}", "expected warn, from step 6; found warn, from step 5 (The "),
        ("{verdict: warn, message: rate}", "expected warn, saying 'rate'; found warn, other words (The "),
    ],
)
def test_difference_is_told_with_place_and_reason(tmp_path: Path, expected: str, told: str):
    """File, line and column of the expectation, what was expected, what was found, and the rule's own words."""
    held, failures = tried(
        tmp_path / "mine",
        f"""\
tests:
  - name: one of two fades
    series: {{activation a std: "1x20", activation b std: "1x5 0.1x15"}}
    expect:
      ACT901: {expected}
""",
    )
    assert held == 0
    (failure,) = failures
    assert failure.startswith(f"mine/tests/all.yaml:5:7 tests.0.expect.ACT901: one of two fades: {told}")


def test_verdict_without_finding_is_told_with_its_reason(tmp_path: Path):
    """Why a rule passed, or was not measured."""
    _, failures = tried(
        tmp_path / "mine",
        "tests: [{name: a, series: {activation a std: '1x9'}, expect: {ACT901: fail, ACT902: fail}}]\n",
    )
    assert [one.split("a: ", 1)[1] for one in failures] == [
        "expected fail; found pass (1 at 1 activation site)",
        "expected fail; found not_measured (no fact site was seen)",
    ]


def test_rule_that_is_not_in_force_is_no_pass(tmp_path: Path):
    """An expectation about nobody fails, with the nearest id."""
    _, failures = tried(
        tmp_path / "mine", "tests: [{name: a, series: {activation a std: '1x9'}, expect: {ACT911: pass}}]\n"
    )
    assert failures == [
        "mine/tests/all.yaml:1:63 tests.0.expect.ACT911: a: ACT911 is no rule in force; did you mean 'ACT901'?"
    ]


def test_test_file_that_cannot_be_read_fails_with_all_its_faults(tmp_path: Path):
    """Unknown keys and values, each with its place."""
    _, failures = tried(
        tmp_path / "mine",
        """\
tests:
  - name: a
    serie: {}
    series: {activation a sdt: "1"}
    expect: {ACT901: fial, act1: pass}
""",
    )
    failures.sort()
    assert [re.sub(r" .*", "", one) for one in failures] == [
        "mine/tests/all.yaml:3:5",
        "mine/tests/all.yaml:4:14",
        "mine/tests/all.yaml:5:14",
        "mine/tests/all.yaml:5:28",
    ]
    assert "unknown key 'serie'" in failures[0]
    assert failures[0].endswith("did you mean 'series'?")
    assert "did you mean 'std'?" in failures[1]


def test_profile_changes_what_tests_find(tmp_path: Path):
    """The rules are those in force: limits, overrides, suppressions; the baseline alone is left aside."""
    tests = """\
tests:
  - name: one fades
    series: {activation head/a std: "0.1x9"}
    expect: {ACT901: %s}
"""
    pack = str(tmp_path / "mine")
    wider = {"extends": [pack], "set": {"ACT901": {"condition": {"warning": {"outside": [0.05, 2]}}}}}
    assert tried(tmp_path / "mine", tests % "pass", wider) == (1, [])
    off = {"extends": [pack], "overrides": [{"match": "head", "set": {"ACT901": {"severity": "error"}}}]}
    assert tried(tmp_path / "mine", tests % "{verdict: fail, severity: error}", off) == (1, [])
    accepted = {"extends": [pack], "suppress": [{"rule": "ACT901", "reason": "sparse by design"}]}
    seen = "{verdict: suppressed, severity: warning, site: head/a, message: a spread of 0.1}"
    assert tried(tmp_path / "mine", tests % seen, accepted) == (1, [])
    baseline = {"extends": [pack], "baseline": str(tmp_path / "nowhere.json")}
    assert tried(tmp_path / "mine", tests % "warn", baseline) == (1, [])


def test_recorded_run_is_judged(tmp_path: Path):
    """A run directory beside the test file, as capture wrote it."""
    run_of({("activation", "a", "std"): [0.1] * 9}, folder=tmp_path / "mine" / "tests" / "runs" / "faded")
    tests = "tests: [{name: last year's, run: runs/faded, expect: {ACT901: {verdict: warn, site: a, step: 0}}}]\n"
    assert tried(tmp_path / "mine", tests) == (1, [])


def test_recorded_run_that_cannot_be_used_is_told(tmp_path: Path):
    """One that is not there, outside the pack, behind a link that leads out, or damaged: none of them passes."""
    outside = tmp_path / "outside"
    run_of({("activation", "a", "std"): [1.0] * 9}, folder=outside)
    cut = tmp_path / "mine" / "tests" / "cut"
    run_of({("activation", "a", "std"): [1.0] * 9}, folder=cut)
    (cut / "run.db").write_bytes((cut / "run.db").read_bytes()[:-100])
    (tmp_path / "mine" / "tests" / "link").symlink_to(outside)
    (tmp_path / "mine" / "tests" / "hollow").mkdir()
    (tmp_path / "mine" / "tests" / "hollow" / "run.db").symlink_to(outside / "run.db")
    lines = [
        f"  - {{name: a, run: {path}, expect: {{ACT901: pass}}}}"
        for path in ("nowhere", "../../outside", outside, "link", "hollow", "cut")
    ]
    held, failures = tried(tmp_path / "mine", "\n".join(["tests:", *lines]) + "\n")
    assert held == 0
    assert [one.split(".run: ")[1].split(" (")[0] for one in failures] == [
        f"{tmp_path}/mine/tests/nowhere: not a run directory, it does not exist. `tfhealth run` and HealthCallback "
        "print its path.",
        "'../../outside' is not inside the pack",
        f"'{outside}' is not inside the pack",
        "'link' is not inside the pack",
        "'hollow' is not inside the pack",
        failures[5].split(".run: ")[1].split(" (")[0],
    ]
    assert "'cut' is damaged: cut off, " in failures[5]


def test_example_that_misses_is_told(tmp_path: Path):
    """Verdict, severity and step, with the place of the example."""
    old = '{values: "0.1x9", verdict: warn}'
    text = RULE.replace(old, f'{{values: "0.1x9", verdict: fail, severity: error, step: 1}}\n  - {old}')
    pack = pack_of(
        tmp_path / "mine", "tests: [{name: a, facts: {a: {}}, expect: {ACT901: not_measured}}]\n", {"ACT901.yaml": text}
    )
    tally = try_pack(pack, load_checklist(tmp_path / "mine"))
    assert tally.passed == 3
    assert [str(one) for one in tally.failures] == [
        "mine/rules/ACT901.yaml:14:5 examples.1: expected fail, severity error, from step 1; found warn, severity "
        "warning, from step 0"
    ]


def test_examples_are_those_of_the_pack_whatever_a_profile_says(tmp_path: Path):
    """A profile with other limits does not make the pack's own examples wrong."""
    pack = pack_of(tmp_path / "mine", "tests: [{name: a, facts: {a: {}}, expect: {ACT901: not_measured}}]\n")
    wider = {"extends": [str(tmp_path / "mine")], "set": {"ACT901": {"condition": {"warning": {"above": 100}}}}}
    assert try_pack(pack, load_checklist(profile=wider)) == Tally(5)


def test_tallies_add_up():
    """Counts and failures, in order."""
    faults = [Fault("a", 1, 1, "", "x"), Fault("b", 1, 1, "", "y")]
    assert Tally.of([None, faults[0]]) + Tally.of([faults[1], None, None]) == Tally(3, tuple(faults))


def checked(folder: Path, tests: str, rules: dict[str, str] | None = None) -> list[str]:
    return [str(fault) for fault in check_pack(pack_of(folder, tests, rules), ())]


SOUND = "tests: [{name: a, series: {activation a std: '1x9'}, expect: {ACT901: pass, LOSS003: not_measured}}]\n"


def test_sound_pack_has_nothing_to_complain_of(tmp_path: Path):
    """A test may name rules of the pack and built-in ones."""
    assert checked(tmp_path / "mine", SOUND) == []


def test_check_finds_tests_about_nobody_and_of_no_form(tmp_path: Path):
    """Without running any."""
    assert checked(tmp_path / "a", SOUND.replace("ACT901", "ACT911")) == [
        "a/tests/all.yaml:1:63 tests.0.expect.ACT911: there is no rule 'ACT911'; did you mean 'ACT901'?"
    ]
    assert checked(tmp_path / "b", "tests: []\n") == [
        "b/tests/all.yaml:1:1 tests: List should have at least 1 item after validation, not 0"
    ]


def test_rung_that_no_example_reaches_is_odd(tmp_path: Path):
    """A limit that nothing tries may be changed unseen."""
    text = RULE.replace(
        "  warning: {outside: [0.5, 2]}", "  warning: {outside: [0.5, 2]}\n  error: {outside: [0.01, 20]}"
    )
    assert checked(tmp_path / "mine", SOUND, {"ACT901.yaml": text}) == [
        "mine/rules/ACT901.yaml:8:3 condition.error: warning: no example reaches error, so its limit is untested"
    ]


def test_message_that_names_a_limit_which_its_example_has_not_is_a_fault(tmp_path: Path):
    """`unknown` in the report of a sick training helps nobody; it is found on the rule's own example."""
    text = RULE.replace("from step {step} on", "below {low:g} or above {high:g}")
    assert checked(tmp_path / "sound", SOUND, {"ACT901.yaml": text}) == []
    text = text.replace("{outside: [0.5, 2]}", "{below: 0.5}")
    assert checked(tmp_path / "mine", SOUND, {"ACT901.yaml": text}) == [
        "mine/rules/ACT901.yaml:8:1 message: {high} does not render: a breach at warning, which an example shows, has "
        "no such limit; it would read `unknown`"
    ]


@given(
    st.fixed_dictionaries(
        {"verdict": st.sampled_from(["pass", "warn", "fail", "suppressed"])},
        optional={
            "severity": st.sampled_from(SEVERITIES),
            "site": st.text(),
            "step": st.integers(),
            "sites": st.lists(st.text()),
        },
    )
)
def test_expectation_is_read_or_refused(data: dict[str, Any]):
    """Whatever stands in it, it is an expectation with these values or a ValidationError."""
    try:
        read = Expectation.model_validate(data)
    except ValidationError:
        assert {"site", "sites"} <= data.keys()
        return
    assert {name: getattr(read, name) for name in data} == data
