"""What loads and yet cannot be meant: limits that no value can reach, changes and suppressions in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import RULE, write_rules
from tfhealth.rules.lint import lint
from tfhealth.rules.loader import Opened, open_rules

SHARE = RULE.replace("statistic: std", "statistic: dead_fraction").replace("{outside: [0.5, 2]}", "{above: 0.5}")
SHARE = SHARE.replace('"1x9"', '"0.1x9"', 1).replace('"0.1x9", verdict: warn', '"0.9x9", verdict: warn')


def opened(folder: Path, profile: str = "", **rules: str) -> Opened:
    """Write a folder `mine` of rules and, where one is given, a profile beside it; open the latter, else the former."""
    write_rules(folder / "mine", {f"{name}.yaml": text for name, text in (rules or {"ACT901": RULE}).items()})
    if not profile:
        return open_rules(folder / "mine")
    write_rules(folder, {"house.yaml": profile})
    return open_rules(profile=folder / "house.yaml")


def found(folder: Path, profile: str = "", **rules: str) -> list[str]:
    """Return what lint finds beyond what loading does, each without the folder."""
    files = opened(folder, profile, **rules)
    assert files.faults == ()
    return [str(fault).removeprefix(f"{folder}/") for fault in lint(files)]


def test_sound_rules_have_nothing_to_complain_of(tmp_path: Path):
    """Neither of a folder's nor of the built-in ones."""
    assert found(tmp_path, ACT901=RULE, ACT902=SHARE.replace("ACT901", "ACT902")) == []
    assert lint(open_rules("built-in")) == []


def test_limit_that_no_value_can_reach_is_a_fault(tmp_path: Path):
    """At the test that is wrong, in the rule's own file."""
    assert found(tmp_path, ACT901=SHARE.replace("{above: 0.5}", "{above: 50}")) == [
        "mine/ACT901.yaml:7:13 condition.warning.above: every value of activation.dead_fraction is from 0 to 1: none "
        "of them breaches it"
    ]


def test_rungs_in_the_wrong_order_are_a_fault(tmp_path: Path):
    """The milder rung would never be seen."""
    text = SHARE.replace("  warning: {above: 0.5}", "  warning: {above: 0.5}\n  error: {above: 0.3}")
    (fault,) = found(tmp_path, ACT901=text)
    assert fault.startswith(
        "mine/ACT901.yaml:7:13 condition.warning.above: above 0.5 is not milder than error, above 0.3"
    )


def test_limit_that_a_profile_makes_impossible_is_a_fault_of_the_profile(tmp_path: Path):
    """It stands where the profile says it, under `set` and under `overrides`; the pack's own is no matter of it."""
    profile = """\
extends: [./mine]
set:
  ACT901:
    condition: {warning: {above: 50}}
overrides:
  - match: head
    set: {ACT902: {condition: {warning: {above: 60}}}}
  - match: tail
    set: {ACT901: off}
"""
    faults = found(tmp_path, profile, ACT901=SHARE, ACT902=SHARE.replace("ACT901", "ACT902"))
    assert [fault.split(" every")[0] for fault in faults] == [
        "house.yaml:4:27 set.ACT901.condition.warning.above:",
        "house.yaml:7:42 overrides.0.set.ACT902.condition.warning.above:",
    ]


def test_fault_of_a_pack_is_not_said_again_of_the_profile(tmp_path: Path):
    """A profile that changes another part of a rule is not to blame."""
    profile = (
        "extends: [./mine]\nset: {ACT901: {condition: {for: 5}}}\noverrides: [{match: a, set: {ACT901: {advice: b}}}]\n"
    )
    (fault,) = found(tmp_path, profile, ACT901=SHARE.replace("{above: 0.5}", "{above: 50}"))
    assert fault.startswith("mine/ACT901.yaml:7:13 ")


@pytest.mark.parametrize(
    ("switch", "rule", "expected"),
    [
        ("ignore: [ACT]", "ACT901", True),
        ("set: {ACT901: off}", "ACT9", True),
        ("select: [NORM]", "ACT901", True),
        ("select: [NORM]", "NORM9", False),
        ("ignore: [ACT901]", "NORM901", False),
    ],
)
def test_suppression_of_what_is_not_in_force_is_odd(tmp_path: Path, switch: str, rule: str, expected: bool):
    """It accepts nothing, and would hide something once the rule is back."""
    profile = f"extends: [./mine]\n{switch}\nsuppress:\n  - {{rule: {rule}, reason: fine}}\n"
    faults = found(tmp_path, profile, ACT901=RULE, NORM901=RULE.replace("ACT901", "NORM901"))
    what = f"warning: no rule in force has an id that begins with {rule!r}, so nothing is accepted here"
    assert faults == ([f"house.yaml:4:6 suppress.0.rule: {what}"] if expected else [])
