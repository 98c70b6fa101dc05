"""(Measure, Run) -> Panel: what a rule looks at in one run, at which sites and steps; or why that is not there."""

from tfhealth.panels.absence import Absent, Undecided
from tfhealth.panels.build import about, measured, reduced
from tfhealth.panels.sites import NOWHERE, absent_site, attributes, sites
from tfhealth.panels.time import active, clock_of, guard, unmet

__all__ = [
    "NOWHERE",
    "Absent",
    "Undecided",
    "about",
    "absent_site",
    "active",
    "attributes",
    "clock_of",
    "guard",
    "measured",
    "reduced",
    "sites",
    "unmet",
]
