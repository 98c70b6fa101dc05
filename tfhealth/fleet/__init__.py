"""Many run folders, here or in object stores -> verdicts by one checklist, spread over machines, as tables."""

from tfhealth.fleet.engines import ENGINES
from tfhealth.fleet.places import found
from tfhealth.fleet.tables import Tables
from tfhealth.fleet.task import Judged

__all__ = ["ENGINES", "Judged", "Tables", "found"]
