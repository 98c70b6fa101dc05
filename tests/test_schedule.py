"""Which steps are probed: from where on, and in which stretches all of them."""

from __future__ import annotations

import pytest

from tests.models import quiet, trained
from tfhealth import HealthCallback, UsageError
from tfhealth.capture.schedule import Schedule


def due(schedule: Schedule, steps: int, count: int = 1) -> list[int]:
    """Return the first steps of the executions that are probed."""
    return [step for step in range(0, steps, count) if schedule.due(step, count)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(every=4), [0, 4, 8, 12, 16]),
        (Schedule(every=4, start=6), [6, 10, 14, 18]),
        (Schedule(every=8, windows=[(3, 6), (17, 19)]), [0, 3, 4, 5, 8, 16, 17, 18]),
        (Schedule(every=100, start=50, windows=[(2, 4)]), [2, 3]),
        (Schedule("auto", start=15), [15, 16, 17, 18, 19]),
    ],
)
def test_steps_from_a_start_and_in_windows(schedule, expected):
    """A start moves the whole schedule; a window is probed whatever else holds."""
    assert due(schedule, 20) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [(Schedule(every=100, start=7), [5]), (Schedule(every=100, start=100, windows=[(6, 7), (11, 16)]), [5, 10, 15])],
)
def test_an_execution_of_several_steps_is_probed_where_one_of_them_is_due(schedule, expected):
    """Five steps an execution: the one with step 7, 6, 11 … 15 in it."""
    assert due(schedule, 20, 5) == expected


def test_early_steps_are_dense_from_the_start_on():
    """Twenty of them, then fewer, as without a start."""
    assert due(Schedule("auto", start=1000), 1100) == [1000 + step for step in due(Schedule("auto"), 100)]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"start": -1}, "start must be the number of a step, from 0, received -1"),
        ({"start": True}, "start must be the number of a step"),
        ({"windows": [(3,)]}, "windows must be pairs"),
        ({"windows": [(3, "4")]}, "windows must be pairs"),
        ({"windows": [3, 9]}, "windows must be pairs"),
        ({"windows": [(9, 3)]}, "a window must end after its first step"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, why):
    """At once, when the callback is made."""
    with pytest.raises(UsageError, match=why):
        HealthCallback(**settings)


def test_a_fit_is_probed_where_it_was_asked_for(tmp_path):
    """And training is what it is without."""
    callback = HealthCallback(**quiet(tmp_path, every=100, start=100, windows=[(2, 5)]))
    trained("dense", [callback])
    assert callback.result.run.probed_steps == 3
