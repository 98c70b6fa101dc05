"""Runs are found by what people know of them, and trends are said where they are more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tfhealth.store import finding
from tfhealth.store.database import connected
from tfhealth.store.listing import PAGE, SORTS, Wanted, choices, find
from tfhealth.store.tables import FoundRule, Project, StoredRun
from tfhealth.store.trending import Span, trend

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = connected(f"sqlite:///{tmp_path / 'service.db'}")
    database.upgrade()
    with database.writing() as session:
        yield session
    database.close()


@pytest.fixture
def owner(session: Session) -> Project:
    return finding.project(session, "default")


def store(session: Session, owner: Project, number: int, *rules: str, **known: Any) -> None:
    """Store a run that began so many hours ago, in which these rules found something, the first of them leading."""
    found = {"verdict": "fail", "cause": rules[0], "cause_title": f"Title of {rules[0]}"} if rules else {}
    usual = {"id": f"{number:032x}", "name": f"run {number}", "started": NOW - timedelta(hours=number)}
    run = StoredRun(project_id=owner.id, **{"verdict": "pass", **usual, **found, **known})
    session.add(run)
    session.flush()
    for rule in rules:
        session.add(FoundRule(run_key=run.key, rule=rule, title=f"Title of {rule}", leading=rule == rules[0]))
    session.flush()


def names(session: Session, owner: Project, **wanted: Any) -> list[str]:
    return [run.name for run in find(session, owner, Wanted(**wanted)).runs]


def test_runs_are_found_by_what_is_known_of_them(session, owner):
    """By what is chosen, by any finding, and by words that all stand somewhere; percent signs are letters."""
    store(session, owner, 1, "GRAD001", "ACT001", model="unet", person="anna", status="failed")
    store(session, owner, 2, "ACT001", model="resnet", person="bert", name="Sweep 100%")
    store(session, owner, 3, model="resnet", person="anna", name="sweep 100")
    store(session, finding.project(session, "other"), 4, "ACT001", model="resnet")
    assert names(session, owner) == ["run 1", "Sweep 100%", "sweep 100"]
    assert names(session, owner, verdict="fail") == ["run 1", "Sweep 100%"]
    assert names(session, owner, cause="ACT001") == ["Sweep 100%"]
    assert names(session, owner, found="ACT001") == ["run 1", "Sweep 100%"]
    assert names(session, owner, status="failed") == ["run 1"]
    assert names(session, owner, model="resnet", person="anna") == ["sweep 100"]
    assert names(session, owner, text="SWEEP 100%") == ["Sweep 100%"]
    assert names(session, owner, text="resnet anna") == ["sweep 100"]
    assert names(session, owner, text="grad001") == ["run 1"]
    assert names(session, owner, text="' OR 1=1 --") == []
    known = choices(session, owner)
    assert known.causes == [("ACT001", "Title of ACT001"), ("GRAD001", "Title of GRAD001")]
    assert (known.models, known.persons) == (["resnet", "unet"], ["anna", "bert"])


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_every_run_once_in_the_order_asked_for(session, owner, sort):
    """Also where runs are alike in what they are sorted by; the last page ends, and there is nothing beyond it."""
    total = PAGE + 7
    for number in range(total):
        store(session, owner, number, *(["GRAD001"] * (number % 2)), steps=number % 3, model="ab"[number % 2])
    for way in ("", "-"):
        pages = [find(session, owner, Wanted(sort=way + sort, page=page)) for page in (1, 2, 3)]
        assert [len(page.runs) for page in pages] == [PAGE, 7, 0]
        assert (pages[0].total, pages[0].pages) == (total, 2)
        runs = [run for page in pages for run in page.runs]
        assert len({run.id for run in runs}) == total
    if sort == "verdict":
        assert names(session, owner, sort="verdict")[0] == "run 1"
    if sort in ("steps", "model"):
        values = [getattr(run, sort) for run in find(session, owner, Wanted(sort=sort)).runs]
        assert values == sorted(values)


def test_a_trend_is_said_where_it_is_more_than_chance(session, owner):
    """Of forty runs one rule found something in the earlier half alone, one evenly, one twice at the end."""
    for number in range(40):
        later = number < 20
        rules = [*(["ACT001"] if not later else []), *(["OPT001"] if number % 2 else [])]
        store(session, owner, number, *rules, *(["LOSS001"] if number < 2 else []))
    store(session, owner, 50, verdict="")
    found = trend(session, owner, Span(runs=100), NOW)
    assert (found.runs, len(found.stretches)) == (40, 12)
    said = {one.rule: (one.total, one.before, one.after, one.change) for one in found.rules}
    assert said == {
        "ACT001": (20, 1.0, 0.0, "less often"),
        "OPT001": (20, 0.5, 0.5, "no clear change"),
        "LOSS001": (2, 0.0, 0.1, "no clear change"),
    }
    assert [one.rule for one in found.rules] == ["ACT001", "OPT001", "LOSS001"]
    assert {one.rule: one.leading for one in found.rules} == {"ACT001": 20, "OPT001": 10, "LOSS001": 1}
    assert sum(stretch.verdicts["fail"] for stretch in found.stretches) == 31


def test_weeks_begin_on_monday_and_a_span_ends(session, owner):
    """Runs of a Sunday and of the Monday after it lie in two weeks; what is older than the span is left out."""
    monday = datetime(2026, 2, 23, 1, tzinfo=UTC)
    for number, hours in enumerate((0, 1, -2, -24 * 40)):
        store(session, owner, number, started=monday + timedelta(hours=hours))
    found = trend(session, owner, Span(weeks=4), NOW)
    assert [stretch.runs for stretch in found.stretches] == [1, 2]
    assert trend(session, owner, Span(runs=1), NOW).runs == 1
    assert trend(session, finding.project(session, "empty"), Span(runs=9), NOW).rules == ()
