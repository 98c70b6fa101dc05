"""The evidence for the thresholds: sick programs are found, with the right cause first; healthy ones are left alone."""

import keras
import pytest

from tests.clinic.healthy import HEALTHY
from tests.clinic.sick import ONLY_WARNED, SICK
from tests.models import quiet
from tfhealth import HealthCallback

pytestmark = pytest.mark.filterwarnings(
    "ignore:Gradients do not exist:UserWarning", "ignore:You are using a softmax over axis:UserWarning"
)


def diagnosed(program, out, seed=0):
    """Train a program under the callback as shipped; return the result."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, x, y, settings = program()
    callback = HealthCallback(**quiet(out))
    model.fit(x, y, verbose=0, validation_split=0.2, callbacks=[callback], **settings)
    return callback.result


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.__name__)
def test_healthy_program_fails_no_row(program, tmp_path):
    """No row fails and at most one warns; no rule breaks down."""
    result = diagnosed(program, tmp_path)
    assert [(one.rule, one.site, one.value) for one in result.findings if one.verdict == "fail"] == []
    assert len({finding.checklist for finding in result.findings}) <= 1
    assert [rule for rule in result.rules if rule.verdict == "error"] == []


@pytest.mark.parametrize(("program", "row"), SICK.items(), ids=[program.__name__ for program in SICK])
def test_sick_program_is_found_with_its_cause_first(program, row, tmp_path):
    """The row of the fault fails, and is the leading cause."""
    result = diagnosed(program, tmp_path)
    verdicts = {one.id: one.verdict for one in result.checklist}
    assert verdicts[row] == ("warn" if program in ONLY_WARNED else "fail")
    assert result.findings[0].checklist == row, [finding.rule for finding in result.findings]
    assert [rule for rule in result.rules if rule.verdict == "error"] == []
