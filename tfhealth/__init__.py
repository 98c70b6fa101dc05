"""The doctor for Keras training: watches a fit, judges it by declarative rules, writes a report.

Everything public is here, loaded when first used: `import tfhealth` by itself loads neither TensorFlow nor
matplotlib nor WeasyPrint.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfhealth.capture.callback import HealthCallback
    from tfhealth.capture.loop import Watched, watch
    from tfhealth.diagnosis import evaluate
    from tfhealth.errors import Error, RuleError, RunError, UsageError
    from tfhealth.experiments import experiment
    from tfhealth.loading import load as load_run
    from tfhealth.preflight.remedies.run import try_remedies
    from tfhealth.preflight.run import preflight
    from tfhealth.replay.run import Replay, replay
    from tfhealth.report import write_report
    from tfhealth.result import Finding, Result
    from tfhealth.rules import Checklist, Rule, load_checklist
    from tfhealth.run import Run

__version__ = "0.1.0"

_PUBLIC = {
    "Checklist": ("tfhealth.rules", "Checklist"),
    "Error": ("tfhealth.errors", "Error"),
    "Finding": ("tfhealth.result", "Finding"),
    "HealthCallback": ("tfhealth.capture.callback", "HealthCallback"),
    "Replay": ("tfhealth.replay.run", "Replay"),
    "Result": ("tfhealth.result", "Result"),
    "Rule": ("tfhealth.rules", "Rule"),
    "RuleError": ("tfhealth.errors", "RuleError"),
    "Run": ("tfhealth.run", "Run"),
    "RunError": ("tfhealth.errors", "RunError"),
    "UsageError": ("tfhealth.errors", "UsageError"),
    "evaluate": ("tfhealth.diagnosis", "evaluate"),
    "experiment": ("tfhealth.experiments", "experiment"),
    "load_checklist": ("tfhealth.rules", "load_checklist"),
    "load_run": ("tfhealth.loading", "load"),
    "Watched": ("tfhealth.capture.loop", "Watched"),
    "watch": ("tfhealth.capture.loop", "watch"),
    "preflight": ("tfhealth.preflight.run", "preflight"),
    "replay": ("tfhealth.replay.run", "replay"),
    "try_remedies": ("tfhealth.preflight.remedies.run", "try_remedies"),
    "write_report": ("tfhealth.report", "write_report"),
}

__all__ = [
    "Checklist",
    "Error",
    "Finding",
    "HealthCallback",
    "Replay",
    "Result",
    "Rule",
    "RuleError",
    "Run",
    "RunError",
    "UsageError",
    "Watched",
    "__version__",
    "evaluate",
    "experiment",
    "load_checklist",
    "load_run",
    "preflight",
    "replay",
    "try_remedies",
    "watch",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tfhealth' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
