"""(Run, numbered findings) -> the report's pictures of a run; the list of them is at the foot."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tfhealth.report.document import Picture
from tfhealth.report.pictures.common import Numbered
from tfhealth.report.pictures.curves import learning_rates, loss, metrics, time, updates
from tfhealth.report.pictures.depth import weights_by_depth
from tfhealth.report.pictures.maps import maps
from tfhealth.report.pictures.spreads import spreads
from tfhealth.run import Run

__all__ = ["PICTURES", "pictures"]


def pictures(run: Run, findings: Numbered) -> tuple[Picture, ...]:
    """Return every picture that the run has the data for."""
    return tuple(picture for make in PICTURES for picture in make(run, findings))


PICTURES: tuple[Callable[[Run, Numbered], Iterable[Picture]], ...] = (
    *(loss, metrics, learning_rates, maps, updates, weights_by_depth, time, spreads),
)
"""Every picture of a run, in the order of the report; each yields nothing where the run lacks its data."""
