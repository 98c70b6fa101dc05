"""What is done in a process apart, judge a run, write its report, compare two; and what a profile says."""

from __future__ import annotations

import functools

from sqlalchemy.orm import undefer

from tfhealth import comparison
from tfhealth.diagnosis import evaluate
from tfhealth.errors import RuleError, RunError
from tfhealth.gating import in_words
from tfhealth.report.brand import letterhead
from tfhealth.report.comparison import formats as comparisons
from tfhealth.report.document import Letterhead
from tfhealth.report.formats import FORMATS, Source
from tfhealth.result import Result
from tfhealth.rules import loader
from tfhealth.rules.checklist import Checklist, Gate
from tfhealth.run import Run
from tfhealth.store import runs
from tfhealth.store.database import Database, connected
from tfhealth.store.judging import Judged, curves, judge_name
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Judgement, StoredRun
from tfhealth.wire.rejudging import ProfileFault

__all__ = ["checklist", "compare", "faults", "gate", "judge", "look", "render"]


def judge(url: str, key: int, profile: str) -> Judged:
    """Judge a stored run; nothing is kept.

    Args:
        url: of the database.
        key: the run's number.
        profile: YAML of the profile; empty: the built-in rules as they are.

    Raises:
        RunError: there is no such run, or it cannot be read.
        RuleError: the profile is none.
    """
    run, revision = _run(url, key)
    return Judged(revision, judge_name(profile), evaluate(checklist(profile), run), curves(run))


def render(url: str, key: int, profile: str, format: str) -> bytes:
    """Write a report on a stored run, by its last verdict.

    Args:
        url: of the database.
        key: the run's number.
        profile: the one that the verdict is by.
        format: one of the report's formats.

    Raises:
        RunError: there is no such run, it cannot be read, or was not judged.
    """
    run, _ = _run(url, key)
    with _database(url).reading() as session:
        judgement = session.get(Judgement, key)
    if judgement is None:
        raise RunError("not judged yet")
    result = Result.model_validate(unpacked(judgement.result))
    return FORMATS[format].make(Source(result, run, checklist(profile)))


def compare(url: str, before: int, after: int, profile: str) -> bytes:
    """Write how two stored runs differ, both judged by the same rules, as one HTML file.

    Args:
        url: of the database.
        before: the number of the one run.
        after: the number of the other.
        profile: by which both are judged.

    Raises:
        RunError: there is no such run, or it cannot be read.
        RuleError: the profile is none.
    """
    rules = checklist(profile)
    runs = [_run(url, key)[0] for key in (before, after)]
    sides = [comparison.Judged(run, evaluate(rules, run)) for run in runs]
    return comparisons.FORMATS["html"].make(comparisons.Source(comparison.compare(*sides)))


def faults(profile: str) -> list[ProfileFault]:
    """Return everything that is wrong in a profile that somebody sent."""
    try:
        loader.sent(profile)
    except RuleError as error:
        return [ProfileFault(line=one.line, column=one.column, path=one.path, what=one.what) for one in error.faults]
    return []


def _run(url: str, key: int) -> tuple[Run, int]:
    with _database(url).reading() as session:
        stored = session.get(StoredRun, key, options=[undefer(StoredRun.head)])
        if stored is None:
            raise RunError("there is no such run any more")
        return runs.load(session, stored), stored.revision


@functools.lru_cache(1)
def _database(url: str) -> Database:
    return connected(url)


@functools.lru_cache(8)
def look(profile: str) -> Letterhead | None:
    """Return how a pack of a project's profile wants reports to look; None where none does, or it cannot be read."""
    try:
        return letterhead(checklist(profile).packs) if profile else None
    except RuleError:
        return None


def gate(profile: str) -> Gate | None:
    """Return the gate of a project's profile; None where it asks for nothing, or the profile cannot be read."""
    try:
        found = checklist(profile).gate if profile else None
    except RuleError:
        return None
    return found if found is not None and in_words(found) else None


@functools.lru_cache(8)
def checklist(profile: str) -> Checklist:
    """Return the rules that a project's profile puts in force.

    Raises:
        RuleError: the profile is none.
    """
    return loader.sent(profile)
