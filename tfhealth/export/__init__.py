"""A judged run -> the tools that a team already has; each needs a package of its own, and the list is at the foot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tfhealth.comparison import Judged
from tfhealth.errors import UsageError, nearest
from tfhealth.rules.checklist import Checklist

__all__ = ["EXPORTS", "Export", "export"]


@dataclass(frozen=True, slots=True)
class Export:
    """One tool: the package it needs, which is also the extra's name, and what an export to it does."""

    package: str
    does: str

    def load(self) -> Callable[[Judged, Checklist, Path | None], str]:
        """Return what exports; it returns one line that says where things went.

        Raises:
            UsageError: the package is missing.
        """
        try:
            import_module(self.package)
        except ImportError as error:
            raise UsageError(
                f"the export needs {self.package} ({error}); pip install 'tfhealth[{self.package}]'"
            ) from error
        made: Callable[[Judged, Checklist, Path | None], str] = import_module(
            f"tfhealth.export.to_{self.package}"
        ).export
        return made


def export(judged: Judged, checklist: Checklist, to: str, folder: Path | None = None) -> str:
    """Hand a run, its verdict and its report to another tool; return one line that says where they are.

    Args:
        judged: a run and the verdict on it.
        checklist: the rules that it was judged by.
        to: a name of `EXPORTS`.
        folder: where files go, for a tool that keeps them in a folder; None: where it usually keeps them.

    Raises:
        UsageError: no such tool, or its package is missing.
    """
    if to not in EXPORTS:
        raise UsageError(f"export to {to!r} is unknown; legal: {', '.join(EXPORTS)}{nearest(to, EXPORTS)}")
    return EXPORTS[to].load()(judged, checklist, folder)


EXPORTS = {
    "tensorboard": Export("tensorboard", "writes every probe and every logged value as scalars"),
    "mlflow": Export("mlflow", "logs verdict, logged values and the report to the active MLflow run, or to a new one"),
    "wandb": Export("wandb", "logs verdict and logged values, and the report as an artifact, to a W&B run"),
}
"""{name: tool} of everything that a run can be exported to."""
