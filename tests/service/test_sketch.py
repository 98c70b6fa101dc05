"""Small pictures of a run's curves: what belongs together stands together, and what is not finite breaks a curve."""

from __future__ import annotations

import math

from tests.helpers import run_of
from tests.test_compare import record
from tfhealth.service.pages.sketch import sketches
from tfhealth.store.judging import BATCH_LOSS, curves


def test_training_and_validation_share_a_picture_with_the_batches():
    """Each picture says in words what it shows, and findings stand where they began."""
    known = curves(record(None, 1.0, 0.1, [2.0, 1.0])) | curves(run_of({("loss", "total", "data"): [3.0, 2.5, 1.5]}))
    assert known[BATCH_LOSS] == [[0, 3.0], [1, 2.5], [2, 1.5]]
    (picture,) = sketches(known, {1: 10, 2: 99})
    assert [(curve.look, curve.last) for curve in picture.curves] == [
        ("training", "1"),
        ("validation", "2"),
        ("batch", "1.5"),
    ]
    assert [(mark.label, mark.x) for mark in picture.marks] == [("1", 176.5)]
    assert picture.alt == (
        "loss over steps 0 to 20. training: last 1; validation: last 2; each probed batch: last 1.5; from 1 to 4."
    )


def test_a_curve_is_broken_where_it_is_not_finite():
    """One point alone is drawn as a dot; of nothing but NaN there is no curve, and it is said."""
    broken = {"loss": [[0, 1.0], [1, None], [2, 3.0], [3, 1.0], [4, None]]}
    (picture,) = sketches(broken, {})
    assert picture.curves[0].stretches == ("6.0,150.0 6.0,150.0", "180.0,36.0 267.0,150.0")
    assert picture.curves[0].last == "NaN or Inf"
    (picture,) = sketches({"loss": [[5, None]]}, {1: 5})
    assert picture.curves[0].stretches == ()


def test_what_spreads_far_is_drawn_by_powers_of_ten():
    """A value in the middle of the powers stands in the middle of the picture."""
    (picture,) = sketches({"loss": [[0, 1.0], [1, 1e3], [2, 1e6]]}, {})
    height = float(picture.curves[0].stretches[0].split()[1].split(",")[1])
    assert math.isclose(height, 93.0)


def test_marks_that_would_touch_share_a_label():
    """Each keeps its line; of many in one place the first are named and the others counted."""
    curve = {"loss": [[0, 1.0], [1000, 2.0]]}
    (picture,) = sketches(curve, {1: 0, 5: 10, 3: 20, 2: 500, 4: 1000})
    assert [mark.label for mark in picture.marks] == ["1 3 5", "2", "4"]
    assert [len(mark.xs) for mark in picture.marks] == [3, 1, 1]
    ends = [mark.x + 7 * len(mark.label) for mark in picture.marks]
    assert all(end < mark.x for end, mark in zip(ends, picture.marks[1:], strict=False))
    assert max(ends) <= 354
    (picture,) = sketches(curve, dict.fromkeys(range(1, 8), 0))
    assert [mark.label for mark in picture.marks] == ["1 2 3 4 +3"]
