"""A person changes a profile in a real browser, sees what it would change, and adopts it."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browsing import CHROMIUM
from tests.helpers import run_of
from tests.service.serving import serving, sqlite, until
from tfhealth.client import Client, push

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")


def violations(page: Page) -> list[str]:
    return [one["id"] for one in Axe().run(page).response["violations"]]


def test_judge_again(browser: Browser, tmp_path: Path) -> None:
    """Faults are shown beside the text; the changed profile is tried, its changes are listed, and it is adopted."""
    run_of({("gradient", "dense/kernel", "nonfinite"): [0.0, 1.0]}, folder=tmp_path / "run")
    with serving(sqlite(tmp_path)) as address, Client(address) as client:
        run = push(client, tmp_path / "run").run
        until(lambda: client.summary("default", run).verdict)
        page = browser.new_context(bypass_csp=True, viewport={"width": 1200, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/projects/default/profile")
        editor = page.get_by_label("Profile, YAML")
        editor.fill("set:\n  GRAD0005: off\n")
        page.get_by_role("button", name="Try on the stored runs").click()
        expect(page.get_by_role("alert")).to_contain_text("Line 2, column 3")
        assert editor.input_value() == "set:\n  GRAD0005: off\n"
        assert violations(page) == []
        editor.fill("set:\n  GRAD005: off\n")
        page.get_by_role("button", name="Try on the stored runs").click()
        page.wait_for_url("**/trials/*")
        until(lambda: page.reload() and "All 1 runs were judged." in page.content())
        expect(page.get_by_role("link", name="trial", exact=True)).to_have_attribute(
            "href", f"/projects/default/runs/{run}"
        )
        assert violations(page) == []
        page.get_by_role("button", name="Adopt this profile").click()
        expect(page.get_by_role("status")).to_contain_text("Adopted")
        until(lambda: client.summary("default", run).cause == "")
