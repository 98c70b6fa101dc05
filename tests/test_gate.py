"""The gate: which findings fail a build, what has to be judged, and the exit code that follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers import RULE, checklist_of, rule, run_of, write_rules
from tfhealth.cli import main
from tfhealth.cli.exits import Exit, gate, told_gate
from tfhealth.diagnosis import evaluate
from tfhealth.gating import gated
from tfhealth.result import Result
from tfhealth.rules.checklist import Gate, Suppression

RULES = (
    rule("ACT901", condition={"warning": {"above": 2}, "error": {"above": 5}}),
    rule("ACT902", checklist="act.dead-relu", condition={"critical": {"above": 100}}),
    rule("LOSS901", checklist="loss.decreases", measure={"site": "loss", "statistic": "data"}),
)


def judged(value: float, status: str = "completed", **keys: Any) -> Result:
    """Return the result for a spread; the loss is never measured."""
    return evaluate(checklist_of(*RULES, **keys), run_of({("activation", "a", "std"): [value] * 5}, status=status))


@pytest.mark.parametrize(
    ("value", "by", "code"),
    [
        (9.0, Gate(), Exit.PASSED),
        (1.0, Gate("warning"), Exit.PASSED),
        (3.0, Gate("info"), Exit.FAILED),
        (3.0, Gate("warning"), Exit.FAILED),
        (3.0, Gate("error"), Exit.PASSED),
        (9.0, Gate("error"), Exit.FAILED),
        (9.0, Gate("critical"), Exit.PASSED),
        (900.0, Gate("critical"), Exit.FAILED),
        (9.0, Gate("error", ("ACT901",)), Exit.PASSED),
        (9.0, Gate("error", ("ACT",)), Exit.PASSED),
        (9.0, Gate("error", ("CT901", "LOSS")), Exit.FAILED),
        (900.0, Gate("error", ("ACT901",)), Exit.FAILED),
    ],
)
def test_severity_and_ignored_rules(value: float, by: Gate, code: Exit):
    """A finding at the severity or above fails, unless the beginning of its rule's id is ignored."""
    assert gate([judged(value)], by) == code


@pytest.mark.parametrize(
    ("require", "fail_on", "value", "code"),
    [
        (("act.std-range", "ACT902"), "error", 1.0, Exit.PASSED),
        (("loss.decreases",), "error", 1.0, Exit.INCOMPLETE),
        (("LOSS901",), "error", 1.0, Exit.INCOMPLETE),
        (("loss.decreases",), "error", 9.0, Exit.FAILED),
        (("loss.decreases",), None, 9.0, Exit.INCOMPLETE),
        (("act.std-range",), None, 9.0, Exit.PASSED),
        (("OLD001",), None, 1.0, Exit.INCOMPLETE),
    ],
)
def test_what_is_required_must_be_judged(require: tuple[str, ...], fail_on: Any, value: float, code: Exit):
    """A row or rule that was not measured, or is not there, makes a pass incomplete; a failure stays one."""
    assert gate([judged(value)], Gate(fail_on, (), require)) == code


def test_rule_that_breaks_down_is_not_judged():
    """An error is no more a pass than what was not measured."""
    result = judged(1.0)
    broken = [one.model_copy(update={"verdict": "error"}) for one in result.rules]
    assert gate([result.model_copy(update={"rules": broken})], Gate("error", (), ("ACT901",))) == Exit.INCOMPLETE


def test_suppressed_findings_do_not_fail():
    """Neither does a row that is required and whose findings are suppressed count as not judged."""
    result = judged(9.0, suppressions=(Suppression("ACT901", "by design"),))
    assert [one.finding.rule for one in result.suppressed] == ["ACT901"]
    assert gate([result], Gate("warning", (), ("act.std-range", "ACT901"))) == Exit.PASSED


@pytest.mark.parametrize("by", [Gate("critical"), Gate(None, (), ("act.std-range",))], ids=["severity", "required"])
def test_pass_that_rests_on_half_a_run_is_incomplete(by: Gate):
    """A run that did not end, a run without probes, and no run at all have not passed."""
    empty = evaluate(checklist_of(*RULES), run_of({}))
    assert [gate(one, by) for one in ([judged(1.0, "interrupted")], [empty], [])] == [Exit.INCOMPLETE] * 3
    assert [gate(one, Gate()) for one in ([judged(1.0, "interrupted")], [empty], [])] == [Exit.PASSED] * 3


def test_reasons_are_told():
    """What failed, or what is missing, with the run; nothing for a gate that passes."""
    by = Gate("error", (), ("loss.decreases", "OLD001"))
    assert gated([judged(9.0)], by).reasons == ("ACT901 in trial: a finding of severity error",)
    assert gated([judged(1.0, "failed")], by).reasons == (
        "trial is not complete: failed",
        "loss.decreases in trial is required and not measured",
        "OLD001 in trial is required and not in the checklist",
    )
    assert gated([judged(1.0)], Gate("error")).reasons == ()


def test_told_gate_prints_to_standard_error(capsys: pytest.CaptureFixture[str]):
    """At most ten reasons, one a line, whatever the run is called."""
    result = judged(9.0)
    hostile = result.run.model_copy(update={"name": "a\n::error::b ##[error]c"})
    assert told_gate([result.model_copy(update={"run": hostile})] * 12, Gate("error")) == Exit.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tfhealth: the gate failed"
    assert set(lines[1:11]) == {"  ACT901 in a ::error::b # #[error]c: a finding of severity error"}
    assert lines[11:] == ["  and 2 more"]
    assert told_gate([result], Gate()) == Exit.PASSED
    assert capsys.readouterr().err == ""


PROFILE = """\
name: team
extends: [./rules]
gate: {fail_on: error, ignore: [ACT902], require: [act.std-range]}
"""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Write a profile with a gate over two rules that are alike but for their ids."""
    text = RULE.replace("warning: {outside: [0.5, 2]}", "error: {outside: [0.5, 2]}").replace(
        "verdict: warn", "verdict: fail"
    )
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": text, "ACT902-x.yaml": text.replace("ACT901", "ACT902")})
    (tmp_path / "team.yaml").write_text(PROFILE)
    return tmp_path / "team.yaml"


def test_gate_of_a_profile_holds_unless_the_command_says_otherwise(profile: Path, tmp_path: Path):
    """`--fail-on` takes the place of `fail_on` and leaves the rest of the gate."""
    run_of({("activation", "a", "std"): [9.0] * 5}, folder=tmp_path / "sick")
    run_of({("loss", "batch", "data"): [1.0] * 5}, folder=tmp_path / "other")
    sick, other = str(tmp_path / "sick"), str(tmp_path / "other")
    by = ["--profile", str(profile)]
    assert main(["evaluate", sick, *by]) == 1
    assert main(["evaluate", sick, *by, "--fail-on", "critical"]) == 0
    assert main(["evaluate", other, *by]) == 3
