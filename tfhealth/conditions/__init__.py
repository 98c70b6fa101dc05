"""Series -> Outcome: the closed list of ways to judge, as pydantic models and vectorized NumPy."""

from tfhealth.conditions.bounds import COMBINING, Bound, breached, holds, number
from tfhealth.conditions.clock import PHASES, Clock, phase
from tfhealth.conditions.condition import SEVERITIES, Condition, Severity
from tfhealth.conditions.durations import Lasting, Mask, Window, covered
from tfhealth.conditions.judge import Outcome, judge, judge_absence, judge_attribute, possible

__all__ = [
    "COMBINING",
    "PHASES",
    "SEVERITIES",
    "Bound",
    "Clock",
    "Condition",
    "Lasting",
    "Mask",
    "Outcome",
    "Severity",
    "Window",
    "breached",
    "covered",
    "holds",
    "judge",
    "judge_absence",
    "judge_attribute",
    "number",
    "phase",
    "possible",
]
