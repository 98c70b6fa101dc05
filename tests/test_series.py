"""Series and panels: laying series with their own steps beside each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import panel
from tfhealth.series import KINDS, Series, Site, stack
from tfhealth.statistics import STATISTICS, find, statistic_names

STEPS = st.lists(st.integers(0, 30), max_size=8, unique=True).map(sorted)


@given(st.lists(STEPS, max_size=4))
def test_stacked_series_come_back_as_they_were(all_steps: list[list[int]]):
    """Every site has the values that its own series had, and is not measured anywhere else."""
    given_series = [
        (Site("weight", f"w{number}"), Series(np.array(steps, np.int64), np.array(steps, np.float64) * 10 + number))
        for number, steps in enumerate(all_steps)
    ]
    stacked = stack(given_series)
    assert stacked.steps.tolist() == sorted({step for steps in all_steps for step in steps})
    assert [(site, one.steps.tolist(), one.values.tolist()) for site, one in stacked.series()] == [
        (site, one.steps.tolist(), one.values.tolist()) for site, one in given_series
    ]


def test_panel_of_no_series_is_empty():
    """No sites and no steps, in the right types."""
    empty = stack([])
    assert (len(empty), len(empty.steps), empty.values.shape, empty.measured.dtype) == (0, 0, (0, 0), bool)


def test_nan_is_a_measured_value():
    """What was measured as NaN is not the same as what was not measured."""
    first = Series(np.array([0, 1]), np.array([np.nan, 2.0]))
    second = Series(np.array([1]), np.array([3.0]))
    stacked = stack([(Site("loss", "a"), first), (Site("loss", "b"), second)])
    assert stacked.measured.tolist() == [[True, True], [False, True]]


def test_part_of_a_panel_keeps_sites_and_steps_together():
    """`take` chooses rows in the order asked for, `since` chooses columns."""
    whole = panel([[1, 2, 3], [4, 5, 6]], steps=[0, 10, 20])
    part = whole.take([1, 0]).since(np.array([False, True, True]))
    assert [site.name for site in part.sites] == ["b", "a"]
    assert (part.steps.tolist(), part.values.tolist()) == ([10, 20], [[5, 6], [2, 3]])


def test_every_statistic_is_found_by_its_name_at_its_kinds():
    """The list of statistics names real kinds, and one name at one kind is one statistic."""
    for kind in KINDS:
        names = statistic_names(kind)
        assert len(set(names)) == len(names)
        assert [find(kind, name).name for name in names] == list(names)
    assert {kind for one in STATISTICS for kind in one.kinds} <= set(KINDS)
