"""What a person sees: both documents in a real browser, wide and narrow, light and dark, and without a mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browsing import CHROMIUM, SCREENS, browsing
from tests.test_report import LAYERS, record
from tfhealth import load_checklist
from tfhealth.comparison import Judged, compare
from tfhealth.diagnosis import evaluate
from tfhealth.report.comparison.formats import Source
from tfhealth.report.formats import page
from tfhealth.report.view import view

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report on a sick run by the built-in rules, and its comparison with a run of fewer layers."""
    checklist = load_checklist()
    runs = [record(None, layers) for layers in (LAYERS, LAYERS[:2])]
    sick, other = (Judged(run, evaluate(checklist, run)) for run in runs)
    assert sick.result.verdict == "fail"
    folder = tmp_path_factory.mktemp("pages")
    made = {"report": page(view(sick.result, sick.run, checklist)), "compare": Source(compare(other, sick)).page}
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", ["report", "compare"])
def test_a_page_keeps_its_policy_and_fits_the_screen(browser, documents, name, width, scheme):
    """No complaint on the console, nothing asked for beyond the page itself, nothing wider than the screen."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    shown = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(documents[name].as_uri())
    assert said == []
    assert [one for one in asked if not one.startswith("data:")] == [documents[name].as_uri()]
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(18, 23, 29)" if scheme == "dark" else "rgb(245, 247, 249)")
    broken = "[...document.images].filter(one => !one.naturalWidth || !one.alt).length"
    assert shown.evaluate(broken) == 0
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", ["report", "compare"])
def test_axe_finds_no_violation(browser, documents, name, width, scheme):
    """axe-core looks at contrast, names, order and keyboard access, with every part of the page unfolded."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    shown = context.new_page()
    shown.goto(documents[name].as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    violations = Axe().run(shown).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in violations] == []
    context.close()


def test_axe_would_find_a_violation(browser, tmp_path):
    """A picture without words is one."""
    (tmp_path / "bare.html").write_text('<html><body><img src="data:image/png;base64,"></body></html>')
    shown = browser.new_page()
    shown.goto((tmp_path / "bare.html").as_uri())
    assert "image-alt" in {one["id"] for one in Axe().run(shown).response["violations"]}


def test_the_keyboard_reaches_links_and_folded_parts(browser, documents):
    """Tab goes from link to link, and Enter unfolds what is folded."""
    shown = browser.new_page()
    shown.goto(documents["report"].as_uri())
    for _ in range(30):
        shown.keyboard.press("Tab")
        if shown.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    folded = "document.activeElement.parentElement.open"
    assert shown.evaluate(folded) is False
    shown.keyboard.press("Enter")
    assert shown.evaluate(folded) is True
