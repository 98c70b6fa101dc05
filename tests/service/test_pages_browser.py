"""What a person sees and does on the pages, in a real browser: wide, narrow, light, dark, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browsing import CHROMIUM, SCREENS
from tests.service.patients import There, sick_and_well
from tests.service.serving import until
from tfhealth.client import push
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
from tfhealth.service.tasks import judging

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")

RUNS = "/projects/default/runs"
EVIL = "<img src=x onerror=window.hacked=true><script>window.hacked=true</script>"
SLOW = 60_000  # ms


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    with sick_and_well(tmp_path_factory.mktemp("browser"), EVIL) as found:
        yield found


@contextmanager
def looking(browser: Browser, there: There, **how: object) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page and everything that should not happen on it: complaints, and requests that leave the service."""
    context = browser.new_context(base_url=there.address, **how)
    context.set_default_timeout(SLOW)
    shown = context.new_page()
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(message.text))
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("dialog", lambda dialog: wrong.append(dialog.message))
    shown.on("request", lambda request: wrong.append(request.url) if not own(request.url, there) else None)
    yield shown, wrong
    context.close()


def own(url: str, there: There) -> bool:
    return url.startswith((there.address, "data:"))


def paths(there: There) -> list[str]:
    """Return the addresses of pages, of each kind one."""
    return [
        "/projects",
        RUNS,
        f"{RUNS}?q=nothing",
        f"{RUNS}/{there.sick}/report",
        f"/projects/default/compare?before={there.sick}&after={there.well}",
        f"/projects/default/compare?after={there.well}",
        "/projects/default/rules",
        "/projects/default/rules/GRAD005",
        "/projects/default/trend",
        "/projects/default/nothing",
    ]


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_pages_keep_their_policy_and_fit_the_screen(browser, there, width, scheme):
    """No complaint, no request elsewhere, nothing wider than the screen, no markup at work."""
    with looking(browser, there, color_scheme=scheme, viewport={"width": width, "height": 900}) as (shown, wrong):
        for path in paths(there)[:-1]:
            shown.goto(path)
            assert shown.evaluate("document.documentElement.scrollWidth") == width, path
            assert shown.evaluate("window.hacked === undefined")
            assert shown.evaluate("document.querySelectorAll('img[src=x]').length") == 0
            background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == ("rgb(18, 23, 29)" if scheme == "dark" else "rgb(245, 247, 249)")
        assert wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_axe_finds_no_violation(browser, there, width, scheme):
    """On no page, with every part of it unfolded."""
    how = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with looking(browser, there, **how) as (shown, _):
        for path in paths(there):
            shown.goto(path)
            shown.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            violations = Axe().run(shown).response["violations"]
            assert [(path, one["id"], one["nodes"][0]["target"]) for one in violations] == []


def test_a_list_is_searched_sorted_and_compared(browser, there):
    """What is typed narrows the list without a reload, the address says so; two that are ticked are compared."""
    with looking(browser, there) as (shown, wrong):
        shown.goto(RUNS)
        shown.evaluate("window.same = true")
        expect(shown.locator("#runs tbody tr")).to_have_count(2)
        shown.get_by_label("Search").press_sequentially("trial")
        expect(shown.locator("#runs tbody tr")).to_have_count(1)
        expect(shown).to_have_url(f"{there.address}{RUNS}?q=trial")
        shown.get_by_label("Verdict").select_option("fail")
        expect(shown.get_by_text("No run is like this.")).to_be_visible()
        assert shown.evaluate("window.same")
        shown.go_back()
        shown.get_by_role("link", name="show all").click()
        shown.get_by_role("link", name="Verdict").click()
        expect(shown.locator("th[aria-sort=ascending]")).to_have_text("Verdict ↑")
        expect(shown.locator("#runs tbody tr").first).to_contain_text("fail")
        shown.get_by_role("checkbox").first.check()
        with shown.expect_response(lambda answer: "sort=verdict" in answer.url):
            shown.evaluate("htmx.trigger('#rows', 'again')")  # as the page does by itself after a while
        expect(shown.locator("#rows[class]")).to_have_count(0)
        expect(shown.get_by_role("checkbox").first).to_be_checked()
        shown.get_by_role("checkbox").last.check()
        shown.get_by_role("button", name="Compare").click()
        expect(shown.get_by_role("heading", name="Two runs compared")).to_be_visible()
        tables = shown.locator("#report table").evaluate_all("all => all.map(one => getComputedStyle(one).display)")
        assert set(tables) == {"table"}
        expect(shown.locator("#report .fate.gone, #report .fate.unknown")).to_have_count(1)
        assert wrong == []


def test_a_run_is_seen_while_it_trains(browser, there, tmp_path, monkeypatch):
    """Curves and findings appear by themselves, also after the tab was hidden; the report takes their place."""
    monkeypatch.setattr(judging, "_REST", timedelta(0))
    recorder = Recorder(tmp_path / "run")
    recorder.meta(name="going on")
    kernel = Site("gradient", "dense/kernel")
    recorder.site(kernel, {})
    gradient = recorder.layout([Probe(kernel, "nonfinite")])
    recorder.append(gradient, np.arange(3), np.zeros((3, 1)))
    pushed = push(there.client, tmp_path / "run").run
    with looking(browser, there) as (shown, wrong):
        shown.goto(f"{RUNS}/{pushed}")
        shown.evaluate("window.same = true")
        expect(shown.locator("#run")).to_contain_text("So far")
        expect(shown.locator("#run svg")).to_have_count(0)
        for epoch in range(3):
            recorder.epoch(epoch, 10 * epoch + 9, {"loss": 2.0 - epoch / 2, "val_loss": 2.1 - epoch / 2})
        push(there.client, tmp_path / "run")
        picture = shown.get_by_role("img", name="loss over steps 9 to 29. training: last 1; validation: last 1.1")
        expect(picture).to_be_visible(timeout=SLOW)
        with shown.expect_event("requestfailed"):  # the browser's word for a connection that the page gave up
            look(shown, away=True)
        recorder.append(gradient, np.arange(3, 6), np.ones((3, 1)))
        push(there.client, tmp_path / "run")
        until(lambda: there.client.summary("default", pushed).verdict == "fail")
        look(shown, away=False)
        expect(shown.locator("#finding-1")).to_contain_text("NaN or Inf in the training step", timeout=SLOW)
        recorder.finish("completed")
        recorder.close()
        push(there.client, tmp_path / "run")
        expect(shown.locator("#report #checklist")).to_be_visible(timeout=2 * SLOW)
        look(shown, away=True)
        look(shown, away=False)
        expect(shown.locator("#run")).to_have_count(0)
        assert shown.evaluate("window.same")
        assert wrong == []


def look(shown: Page, away: bool) -> None:
    """Let a page believe that its tab is hidden, or in front again."""
    shown.evaluate("away => Object.defineProperty(document, 'hidden', {value: away, configurable: true})", away)
    shown.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_link_to_a_finding_leads_to_it(browser, there):
    """Also where the report comes after the page, and its part is folded; the page has it from then on."""
    with looking(browser, there, viewport={"width": 1200, "height": 500}) as (shown, wrong):
        shown.goto(f"{RUNS}/{there.well}#reproduce")
        expect(shown.locator("#reproduce")).to_be_in_viewport(timeout=2 * SLOW)
        shown.goto(f"{RUNS}/{there.sick}#finding-1")
        expect(shown.locator("#finding-1")).to_be_in_viewport(timeout=2 * SLOW)
        assert wrong == []


def test_everything_works_without_scripts(browser, there):
    """Forms have buttons, sorting and pages are links, and the report waits on a page of its own."""
    with looking(browser, there, java_script_enabled=False) as (shown, wrong):
        shown.goto(RUNS)
        shown.get_by_label("Search").fill("trial")
        shown.get_by_role("button", name="Find").click()
        expect(shown.locator("#runs tbody tr")).to_have_count(1)
        shown.get_by_role("link", name="trial").click()
        expect(shown.locator("#verdict-title, #run")).not_to_have_count(0)
        shown.goto(f"{RUNS}/{there.well}/report")
        expect(shown.locator("#checklist")).to_be_visible()
        shown.goto("/projects/default/trend")
        shown.get_by_label("Look at").select_option("weeks-4")
        shown.get_by_role("button", name="Show").click()
        expect(shown.get_by_label("Look at")).to_have_value("weeks-4")
        assert wrong == []


def test_the_keyboard_reaches_the_list(browser, there):
    """The first Tab offers to skip what every page has; the next ones lead on through the page."""
    with looking(browser, there) as (shown, wrong):
        shown.goto(RUNS)
        shown.keyboard.press("Tab")
        expect(shown.get_by_role("link", name="Skip to the content")).to_be_focused()
        shown.keyboard.press("Enter")
        shown.keyboard.press("Tab")
        expect(shown.get_by_label("Search")).to_be_focused()
        assert wrong == []
