"""A person with a token, in a real browser: log in, make a token, end it, log out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browsing import CHROMIUM
from tests.service.guarded import Place

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")


@pytest.fixture
def shown(place: Place, browser: Browser) -> Iterator[Page]:
    """Yield a page of a browser that knows nothing; afterwards nothing has complained about a policy."""
    page = browser.new_page(base_url=place.address)
    page.set_default_timeout(60_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    yield page
    page.close()
    assert [one for one in said if "Content Security Policy" in one] == []


@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_no_violation(place: Place, browser: Browser, width: int) -> None:
    """On the login page and the settings page, wide and narrow; and neither is wider than the screen."""
    context = browser.new_context(base_url=place.address, viewport={"width": width, "height": 900}, bypass_csp=True)
    shown = context.new_page()
    found = []
    for path, headers in (("/login", {}), ("/projects/default/settings", {"X-User": "ada"})):
        context.set_extra_http_headers(headers)
        shown.goto(path)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        found += [(path, one["id"], one["nodes"][0]["html"]) for one in Axe().run(shown).response["violations"]]
    context.close()
    assert found == []


def log_in(place: Place, shown: Page, path: str) -> None:
    shown.goto(path)
    shown.get_by_label("Token").fill(place.tokens["own"])
    shown.get_by_role("button", name="Log in").click()
    expect(shown).to_have_url(f"{place.address}{path}", timeout=60_000)


def test_a_person_makes_a_token_and_ends_it(place: Place, shown: Page) -> None:
    """All by forms, which the browser says to come from our own page; the cookie is for no script."""
    log_in(place, shown, "/projects/default/settings")
    assert shown.evaluate("document.cookie") == ""
    shown.get_by_label("Name").fill("laptop <i>")
    shown.get_by_label("May").select_option("read")
    shown.get_by_role("button", name="Make a token").click()
    secret = shown.locator("#made").inner_text(timeout=60_000)
    assert place.ask("GET", "/api/v1/whoami", secret).json()["name"] == "laptop <i>"
    shown.goto("/projects/default/settings")
    shown.get_by_role("button", name="Revoke laptop <i>").click()
    expect(shown.get_by_role("row", name=re.compile(r"laptop <i>.*revoked"))).to_be_visible(timeout=60_000)
    assert place.ask("GET", "/api/v1/whoami", secret).status_code == 401
    shown.get_by_role("button", name="Log out").click()
    expect(shown.get_by_role("heading", name="Log in")).to_be_visible(timeout=60_000)
    shown.goto("/projects/default/settings")
    expect(shown).to_have_url(re.compile("/login"), timeout=60_000)


def test_a_form_of_another_site_changes_nothing_and_a_link_works(place: Place, shown: Page) -> None:
    """The browser of somebody who is logged in is led there by a page elsewhere."""
    log_in(place, shown, "/projects/default/settings")
    form = f"<form method=post action={place.address}/projects/default/tokens><input name=name value=forged></form>"
    link = f"<a href={place.address}/projects/default/runs>runs</a>"
    shown.route("http://evil.example/", lambda route: route.fulfill(body=form + link, content_type="text/html"))
    shown.goto("http://evil.example/")
    with shown.expect_response(re.compile("/tokens$")) as answered:
        shown.evaluate("document.forms[0].submit()")
    assert answered.value.status == 403
    assert "forged" not in place.ask("GET", "/api/v1/tokens", "admin").text
    shown.goto("http://evil.example/")
    shown.get_by_role("link").click()
    expect(shown).to_have_url(f"{place.address}/projects/default/runs", timeout=60_000)
