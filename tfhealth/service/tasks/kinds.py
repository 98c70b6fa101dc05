"""Every kind of background work, by its name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tfhealth.service import metrics
from tfhealth.service.tasks.judging import JUDGE
from tfhealth.service.tasks.task import Kind, Means, Task

__all__ = ["KINDS", "due", "perform"]

KINDS: dict[str, Kind] = {"judge": JUDGE}


def due(session: Session, at: datetime, most: int) -> list[Task]:
    """Return what is to be done at a time, at most so many of each kind."""
    return [Task(name, key) for name, kind in KINDS.items() for key in kind.due(session, at, most)]


def perform(means: Means, task: Task) -> None:
    """Do one thing."""
    with metrics.working(task.kind):
        KINDS[task.kind].perform(means, task.key)
