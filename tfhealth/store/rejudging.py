"""A profile -> its trial on a project's runs: begun, followed, adopted or dropped."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session, undefer

from tfhealth.result import Result
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Project, Rejudged, Rejudgement, StoredRun
from tfhealth.wire.rejudging import Trial, TrialRun, TrialRuns

__all__ = ["StateError", "adopt", "begin", "changes", "drop", "find", "is_ready", "latest", "ready", "trial"]

_CHANGED = or_(
    Rejudged.verdict != Rejudged.verdict_before, Rejudged.cause != Rejudged.cause_before, Rejudged.trouble != ""
)


class StateError(ValueError):
    """A trial that is not in the state in which this may be done to it."""


def begin(session: Session, project: Project, profile: str, person: str) -> Rejudgement:
    """Try a profile on all runs of a project, in the background; a trial that is open is dropped for it.

    Args:
        session: one that writes.
        project: whose runs.
        profile: YAML without faults.
        person: who tries it.
    """
    _forget(session, project)
    found = Rejudgement(project_id=project.id, profile=profile, person=person)
    session.add(found)
    session.flush()
    runs = select(literal(found.id), StoredRun.key)
    here = and_(StoredRun.project_id == project.id, StoredRun.revision > 0)
    session.execute(
        insert(Rejudged).from_select(["rejudgement_id", "run_key"], runs.where(here).order_by(StoredRun.started.desc()))
    )
    return found


def find(session: Session, project: Project, number: int, *, lock: bool = False) -> Rejudgement | None:
    """Return a trial of a project; with `lock`, nobody else changes it before the session ends."""
    query = select(Rejudgement).where(Rejudgement.project_id == project.id, Rejudgement.id == number)
    return session.scalar(query.with_for_update() if lock else query)


def latest(session: Session, project: Project) -> Rejudgement | None:
    """Return the last trial of a project."""
    query = select(Rejudgement).where(Rejudgement.project_id == project.id).order_by(Rejudgement.id.desc())
    return session.scalar(query.limit(1))


def trial(session: Session, found: Rejudgement) -> Trial:
    """Return how far a trial is, and what it would change, in numbers."""
    mine = Rejudged.rejudgement_id == found.id
    made = and_(mine, Rejudged.made.is_not(None))
    pairs = select(Rejudged.verdict_before, Rejudged.verdict, func.count()).where(made, Rejudged.trouble == "")
    columns = (Rejudged.verdict_before, Rejudged.verdict)
    total, done = _count(session, mine), _count(session, made)
    open_ = "done" if done == total else "running"
    return Trial.model_validate(
        {
            "id": found.id,
            "state": open_ if found.state == "open" else found.state,
            "person": found.person,
            "created": found.created,
            "total": total,
            "made": done,
            "failed": _count(session, and_(made, Rejudged.trouble != "")),
            "changed": _count(session, and_(made, _CHANGED)),
            "verdicts": [
                {"before": before, "verdict": verdict, "runs": runs}
                for before, verdict, runs in session.execute(pairs.group_by(*columns).order_by(*columns))
            ],
        }
    )


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Rejudged).where(which)) or 0


def changes(session: Session, found: Rejudgement, first: int, most: int) -> TrialRuns:
    """Return the runs that a trial would change, or could not judge; `first` is the number of the first, from 0."""
    which = and_(Rejudged.rejudgement_id == found.id, Rejudged.made.is_not(None), _CHANGED)
    query: Select[Rejudged, StoredRun] = select(Rejudged, StoredRun).join(Rejudged.run).where(which)
    rows = session.execute(query.order_by(StoredRun.started.desc(), Rejudged.id).offset(first).limit(most))
    names = set(TrialRun.model_fields) - {"run", "name"}
    return TrialRuns(
        runs=[TrialRun(run=run.id, name=run.name, **{name: getattr(one, name) for name in names}) for one, run in rows],
        total=_count(session, which),
    )


def adopt(session: Session, project: Project, found: Rejudgement) -> None:
    """Make a profile that was tried the project's; every run becomes due, and those judged by it keep that verdict.

    Raises:
        StateError: it is not done yet, or was adopted or dropped before.
    """
    state = trial(session, found).state
    if state != "done":
        raise StateError(f"this trial is {state}; only one that is done can be adopted")
    project.profile, found.state = found.profile, "adopted"
    runs = update(StoredRun).where(StoredRun.project_id == project.id)
    session.execute(runs.values(judged_revision=None, doubtful_until=None))


def drop(session: Session, project: Project, found: Rejudgement) -> None:
    """Forget a trial.

    Raises:
        StateError: it was adopted or dropped before.
    """
    if found.state != "open":
        raise StateError(f"this trial is {found.state} already")
    _drop(session, found)


def _forget(session: Session, project: Project) -> None:
    """Drop what is open, and verdicts of what was adopted that no run has taken: it has changed since."""
    mine = select(Rejudgement).where(Rejudgement.project_id == project.id)
    for found in session.scalars(mine.where(Rejudgement.state == "open")):
        _drop(session, found)
    adopted = select(Rejudgement.id).where(Rejudgement.project_id == project.id)
    left = and_(Rejudged.rejudgement_id.in_(adopted), Rejudged.result.is_not(None))
    session.execute(update(Rejudged).where(left).values(result=None))


def _drop(session: Session, found: Rejudgement) -> None:
    found.state = "dropped"
    session.execute(delete(Rejudged).where(Rejudged.rejudgement_id == found.id))


def ready(session: Session, stored: StoredRun) -> Result | None:
    """Return the verdict that an adopted trial has for a run as it is now; it is given once."""
    number = is_ready(session, stored)
    found = session.get(Rejudged, number, options=[undefer(Rejudged.result)]) if number else None
    if found is None or found.result is None:
        return None
    result = Result.model_validate(unpacked(found.result))
    found.result = None
    return result


def is_ready(session: Session, stored: StoredRun) -> int | None:
    """Return the number of the verdict that `ready` would give."""
    query = select(Rejudged.id).join(Rejudged.rejudgement)
    adopted = and_(Rejudgement.state == "adopted", Rejudgement.profile == stored.project.profile)
    mine = and_(Rejudged.run_key == stored.key, Rejudged.revision == stored.revision, Rejudged.result.is_not(None))
    return session.scalar(query.where(adopted, mine).order_by(Rejudged.id.desc()).limit(1))
