"""What the pages say, without a browser: they are found, cached, escaped, and refused where they must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import select, update

from tests.helpers import run_of
from tests.service.patients import There, sick_and_well
from tests.service.serving import heard, until
from tfhealth.client import push
from tfhealth.store.tables import Chunk, Project, Rendering, StoredRun

RUNS = "/projects/default/runs"
EVIL = "<script>alert(1)</script> {{ 7 * 7 }} \u202e"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    with sick_and_well(tmp_path_factory.mktemp("pages"), EVIL) as found:
        yield found


class Unwanted(HTMLParser):
    """Collects what no page may have: scripts and styles that stand in it, or come from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        from_here = (known.get("src") or "").startswith("/static/")
        self.seen += [tag] if tag in ("style", "iframe", "object") or (tag == "script" and not from_here) else []
        self.seen += [name for name in known if name == "style" or name.startswith("on")]


def text(answer: httpx.Response) -> str:
    """Return a page that was given, after looking at what every page must have."""
    assert answer.status_code == 200, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script>alert" not in answer.text
    found = Unwanted()
    found.feed(answer.text)
    assert found.seen == []
    return answer.text


def test_the_list_shows_runs_as_text(there):
    """With links that stay, and names that are never markup; directions of writing are left out."""
    assert there.pages.get("/").headers["location"] == RUNS
    page = text(there.pages.get(RUNS))
    assert f'href="{RUNS}/{there.sick}"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page
    assert "\u202e" not in re.sub(r"<[^>]*>", "", page)
    page = text(there.pages.get(RUNS, params={"verdict": "fail", "q": EVIL}))
    assert there.sick in page
    assert there.well not in page


@pytest.mark.parametrize("name", ["q", "verdict", "status", "cause", "found", "model", "person", "sort"])
def test_whatever_is_asked_for_is_text(there, name):
    """Markup, quotes, NUL and SQL in an address find nothing, break nothing and stand nowhere unescaped."""
    for value in (EVIL, "\"'><b>", "a\0b", "'; DROP TABLE run; --", "x" * 200):
        page = text(there.pages.get(RUNS, params={name: value}))
        assert "<b>" not in re.sub(r"<b>\d", "", page)
    assert there.pages.get(RUNS, params={name: "x" * 201}).status_code == 422


def test_a_list_is_asked_for_by_htmx_under_a_short_address(there):
    """Fields that are empty do not come to stand in the address bar."""
    asked = {"q": "a b", "verdict": "", "sort": "-started", "page": 1}
    answer = there.pages.get(RUNS, params=asked, headers={"HX-Trigger": "filters"})
    assert answer.headers["hx-push-url"] == f"{RUNS}?q=a+b"


def test_a_run_is_shown_at_once_and_its_report_when_it_is_drawn(there):
    """The report is made once; the page then has it, with the same anchors, and downloads are the same document."""
    address = f"{RUNS}/{there.sick}"
    page = text(there.pages.get(address))
    assert 'id="finding-1"' in page
    assert f'hx-get="{address}/report"' in page
    drawn = text(there.pages.get(f"{address}/report"))
    assert 'id="checklist"' in drawn
    assert text(there.pages.get(address)) == drawn
    alone = there.pages.get(f"{address}/report.html")
    assert "sandbox" in alone.headers["content-security-policy"]
    assert drawn.count('id="finding-1"') == alone.text.count('id="finding-1"') == 1
    assert "<script" not in alone.text
    with there.database.reading() as session:
        kept = session.scalars(select(Rendering.format)).all()
    assert kept == ["html"]


def test_downloads_are_files(there):
    """JSON is the verdict itself, Markdown and PDF are made in a process apart."""
    files = {kind: there.pages.get(f"{RUNS}/{there.well}/report.{kind}") for kind in ("json", "md", "pdf")}
    assert {kind: one.status_code for kind, one in files.items()} == {"json": 200, "md": 200, "pdf": 200}
    assert all(one.headers["content-disposition"].startswith("attachment;") for one in files.values())
    assert files["json"].json() == there.client.result("default", there.well).model_dump(mode="json")
    assert files["pdf"].content.startswith(b"%PDF-")
    assert files["md"].text.startswith("## ✓ tfhealth: pass")
    assert there.pages.get(f"{RUNS}/{there.well}/report.exe").status_code == 422


def test_two_runs_are_compared(there):
    """Whichever is ticked first, the earlier one is A; one alone leads to a choice."""
    ticked = there.pages.get("/projects/default/compare", params={"run": [there.well, there.sick]})
    assert ticked.headers["location"] == f"/projects/default/compare?before={there.sick}&after={there.well}"
    page = text(there.pages.get(ticked.headers["location"]))
    assert "1 gone" in page
    assert f'href="{RUNS}/{there.sick}"' in page
    with there.database.writing() as session:
        session.execute(update(StoredRun).values(model="same"))
    choice = text(there.pages.get("/projects/default/compare", params={"after": there.well}))
    assert f"run={there.sick}" in choice
    for wrong in ({"run": [there.well]}, {"run": [there.well] * 2}, {}):
        assert there.pages.get("/projects/default/compare", params=wrong).status_code == 400
    assert there.pages.get("/projects/default/compare", params={"before": "x"}).status_code == 422
    unknown = {"before": "0" * 32, "after": there.well}
    assert there.pages.get("/projects/default/compare", params=unknown).status_code == 404


def test_rules_in_force_are_those_of_the_profile(there):
    """What a profile switches off is not there; what it changes is said to be its own; a wrong one is said to be."""
    page = text(there.pages.get("/projects/default/rules"))
    assert 'id="GRAD005"' in page
    assert "<b>built-in</b>" in page
    assert "What to change" in text(there.pages.get("/projects/default/rules/GRAD005"))
    assert there.pages.get("/projects/default/rules/NONE001").status_code == 404
    for profile, wanted in (("set: {GRAD005: off}", "set: {GRAD005: off}"), ("set: {GRAD5: off}", "cannot be read")):
        with there.database.writing() as session:
            session.execute(update(Project).values(profile=profile))
        page = text(there.pages.get("/projects/default/rules"))
        assert wanted in page
        assert 'id="GRAD005"' not in page
    with there.database.writing() as session:
        session.execute(update(Project).values(profile=""))


@pytest.mark.parametrize(
    ("page", "section"),
    [
        *(("runs", "Runs"), ("trend", "Trend"), ("rules", "Rules"), ("rules/GRAD005", "Rules")),
        *(("settings", "Settings"), ("profile", "Settings"), ("webhooks", "Settings")),
    ],
)
def test_the_navigation_says_where_one_is(there, page, section):
    """One part of a project is the current one, also on pages below it."""
    shown = text(there.pages.get(f"/projects/default/{page}"))
    assert re.findall(r'aria-current="page">([^<]*)<', shown) == [section]


def test_the_trend_names_what_is_found_most(there):
    """By the last runs or by weeks, and with words for every picture."""
    for span in ("last-24", "weeks-4", "nonsense"):
        page = text(there.pages.get("/projects/default/trend", params={"span": span}))
        assert "NaN or Inf in the training step is found most: in 1 of 2 runs" in page
        assert page.count("<svg") == page.count('role="img" aria-label="')


def test_what_is_not_there_is_said_on_a_page_and_in_json(there):
    """Also in a project that is not there; programs get JSON."""
    for path in ("/nowhere", "/projects/other/runs", f"{RUNS}/{'0' * 32}", f"{RUNS}/{'0' * 32}/events"):
        answer = there.pages.get(path)
        assert answer.status_code == 404
        assert "<h1>There is no such page</h1>" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<p>Nothing is at this address.</p>" in there.pages.get("/nowhere").text
    assert there.pages.get(f"{RUNS}/{'0' * 32}", headers={"Accept": "*/*"}).json() == {
        "detail": "no such run",
        "faults": [],
    }
    assert there.pages.get("/static/%2e%2e/app.py").status_code == 404  # which is there, beside the folder of files


def test_a_report_that_cannot_be_made_costs_only_itself(there, tmp_path):
    """Rows that cannot be read: the page says so, is not made again at once, and the rest is there."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    broken = push(there.client, tmp_path / "run").run
    until(lambda: there.client.summary("default", broken).verdict)
    with there.database.writing() as session:
        key = session.scalar(select(StoredRun.key).where(StoredRun.id == broken))
        session.execute(update(Chunk).where(Chunk.run_key == key).values(data=b"no such thing"))
    assert "The report cannot be written" in text(there.pages.get(f"{RUNS}/{broken}/report"))
    answer = there.pages.get(f"{RUNS}/{broken}/report.html")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "600")
    page = text(there.pages.get(f"{RUNS}/{broken}"))
    assert "The report cannot be written" in page
    assert 'hx-trigger="load"' not in page


def test_many_open_pages_hold_neither_threads_nor_connections(there, tmp_path):
    """Sixty pages wait for a run that goes on, others are answered; then all of them hear of its end."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run", status="running")
    going = push(there.client, tmp_path / "run").run
    until(lambda: there.client.summary("default", going).verdict)
    with ExitStack() as open_:
        address = f"{RUNS}/{going}/events?seen="
        pages = [open_.enter_context(there.pages.stream("GET", address)).iter_lines() for _ in range(60)]
        assert [heard(page, 1) for page in pages] == [["changed"]] * 60
        assert going in text(there.pages.get(RUNS))
        with there.database.writing() as session:
            session.execute(update(StoredRun).where(StoredRun.id == going).values(status="completed"))
        assert [heard(page, 2) for page in pages] == [["done"]] * 60
