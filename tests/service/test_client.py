"""The typed client lists, filters and downloads what a service has."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers import run_of
from tests.service.serving import ROOT, serving, sqlite, until
from tfhealth.client import Client, RunFilter, ServerError, api, push
from tfhealth.report.formats import FORMATS

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service with seven runs, one a day; those of even days are sick."""
    folder = tmp_path_factory.mktemp("service")
    with serving(sqlite(folder)) as address, Client(address) as found:
        for day in range(7):
            series = {("gradient", "dense/kernel", "nonfinite"): [0.0, 1.0, 1.0]} if day % 2 == 0 else {}
            series |= {("loss", "total", "value"): [2.0, 1.0, 0.5]}
            model = {("fact", "model"): {"name": f"net_{day % 3}"}}
            began = (BEGAN + timedelta(days=day)).isoformat()
            run_of(series, model, folder / f"run{day}", run=f"run {day}", started=began)
            push(found, folder / f"run{day}")
        until(lambda: all(one.verdict for one in found.runs("default")))
        yield found


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        (None, [6, 5, 4, 3, 2, 1, 0]),
        (RunFilter(verdict="fail"), [6, 4, 2, 0]),
        (RunFilter(verdict="fail", since=BEGAN + timedelta(days=2), until=BEGAN + timedelta(days=6)), [4, 2]),
        (RunFilter(model="net_1"), [4, 1]),
        (RunFilter(text="ET_2"), [5, 2]),
        (RunFilter(text="net_1 trial"), [4, 1]),
        (RunFilter(text="%"), []),
        (RunFilter(status="running"), []),
        (RunFilter(person="somebody"), []),
    ],
    ids=repr,
)
def test_runs_are_listed_page_by_page(client: Client, monkeypatch, asked: RunFilter | None, days: list[int]):
    """Every run that is asked for once, the latest first, however small a page is."""
    monkeypatch.setattr(api, "_PAGE", 2)
    assert [(one.started - BEGAN).days for one in client.runs("default", asked)] == days


def test_runs_are_found_by_a_rule(client: Client):
    """By the leading finding, and by any."""
    sick = next(client.runs("default", RunFilter(verdict="fail")))
    rules = [one.rule for one in client.result("default", sick.id).findings]
    assert sick.cause == rules[0]
    assert next(one.id for one in client.runs("default", RunFilter(cause=sick.cause, verdict="fail"))) == sick.id
    assert sick.id in {one.id for one in client.runs("default", RunFilter(rule=rules[-1]))}
    assert list(client.runs("default", RunFilter(rule="NONE001"))) == []


def test_a_page_is_asked_for_by_the_one_before(client: Client):
    """Anything else is refused in words."""
    with pytest.raises(ServerError, match="422: after: must be `next` of a page"):
        client._ask("GET", "projects/default/runs", {"after": "1~x"})


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_is_downloaded(client: Client, format: str):
    """In every format, as a file that no browser opens as a page of the service."""
    run = next(client.runs("default"))
    beginnings = {"json": b"{", "html": b"<!doctype html>", "pdf": b"%PDF", "junit": b"<?xml", "md": b"#"}
    assert client.report("default", run.id, format).lower().startswith(beginnings[format].lower())
    answer = client._ask("GET", f"projects/default/runs/{run.id}/report", {"format": format})
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_the_guide_says_what_happens(client: Client):
    """Its examples run against a service, and it names every method and every filter."""
    page = (ROOT / "docs/guide/client.md").read_text("utf-8")
    page = page.replace("timedelta(days=7)", "timedelta(days=10_000)").replace("\n```\n", "\n\n")
    names = {"address": client.server, "token": None}
    found = doctest.DocTestParser().get_doctest(page, names, "client.md", None, 0)
    assert doctest.DocTestRunner().run(found).failed == 0
    named = {name for name in vars(Client) if not name.startswith("_")} - {"held", "put", "close"}
    assert [name for name in named if f"`{name}(" not in page] == []
    assert [name for name in RunFilter.model_fields if f"`{name}`" not in page] == []


def test_names_are_names_and_no_paths(client: Client):
    """What is asked for stays below the API, whatever a project is called."""
    with pytest.raises(ServerError) as caught:
        list(client.runs("../../static"))
    assert caught.value.status in (404, 422)
