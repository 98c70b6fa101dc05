"""The evidence for the thresholds: sick programs are found, with the right cause first; healthy ones are left alone."""

import pytest

from tests.clinic.diagnosis import diagnosed
from tests.clinic.healthy import HEALTHY
from tests.clinic.ward import pairs
from tfhealth import load_checklist

PAIRS = pairs()
FIRST = list({pair.row: pair for pair in reversed(PAIRS)}.values())[::-1]
"""One pair of each row, as a test must be over in minutes; `make clinic` takes them all, at three seeds."""


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.__name__)
def test_healthy_program_fails_no_row(program):
    """No row fails and at most one warns; no rule breaks down."""
    result = diagnosed(program)
    assert [(one.rule, one.site, one.value) for one in result.findings if one.verdict == "fail"] == []
    assert len({finding.checklist for finding in result.findings}) <= 1
    assert [rule for rule in result.rules if rule.verdict == "error"] == []


@pytest.mark.parametrize("pair", FIRST, ids=lambda pair: pair.sick.__name__)
def test_sick_program_is_found_with_its_cause_first(pair):
    """The row of the fault says so, and is the leading cause."""
    result = diagnosed(pair.sick)
    assert {one.id: one.verdict for one in result.checklist}[pair.row] == pair.verdict
    assert result.findings[0].checklist == pair.row, [finding.rule for finding in result.findings]
    assert [rule for rule in result.rules if rule.verdict == "error"] == []


WITHOUT_PATIENT = {"arch.bells-and-whistles", "data.label-noise", "track.versions", "track.visualized"}
"""Rows of which no program is sick alone: extras that hide another fault, the installation, a step without updates.

Wrong labels are told from augmentation by what the callback is told of the data, see `test_told.py`."""


def test_every_row_that_a_fit_decides_has_a_pair():
    """A rule without a patient has no evidence."""
    decided = {rule.checklist for rule in load_checklist().rules if rule.measure.kinds != ("experiment",)}
    assert decided - {pair.row for pair in PAIRS} == WITHOUT_PATIENT
