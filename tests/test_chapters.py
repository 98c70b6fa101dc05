"""An organization's own chapters and its own order of the page: what they show, and what gets through from them."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_brand import HEADER, brand
from tests.test_report import LAYERS, RULES, STEPS, Seen, record, rules_in
from tfhealth.diagnosis import evaluate
from tfhealth.report.brand import LAYOUT, letterhead
from tfhealth.report.document import Letterhead, Report
from tfhealth.report.formats import page
from tfhealth.report.pdf import to_pdf
from tfhealth.report.sections import SECTIONS
from tfhealth.report.view import view
from tfhealth.rules.brand import read_templates

CHAPTER = "<h2>Release of {{ report.name }}</h2>\n{% for one in report.findings %}<h3>{{ one.title }}</h3>{% endfor %}"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    checklist, run = rules_in(tmp_path_factory.mktemp("rules"), RULES), record(None, LAYERS, STEPS[::6])
    return view(evaluate(checklist, run), run, checklist)


def dressed(report: Report, layout: str = "", **chapters: str) -> str:
    """Return the page with chapters and an order of its own."""
    named = tuple((f"chapter-{name}.html.j2", text) for name, text in chapters.items())
    return page(replace(report, letterhead=Letterhead("acme", "Acme", chapters=named, layout=layout)))


def shown(text: str) -> list[str]:
    """Return the ids of a page's sections, in order."""
    return re.findall(r'<section id="([a-z-]+)"', text)


def told(text: str) -> list[str]:
    """Return what a page says of the pack."""
    return [one for one in Seen(text).words if one.startswith("Pack acme")]


def test_a_chapter_stands_before_the_checklist(report):
    """With a heading, links from the top and from the contents, and what the template makes of the report."""
    text = dressed(report, release=CHAPTER)
    assert shown(text)[-3:] == ["chapter-release", "checklist", "reproduce"]
    assert '<h2 id="chapter-release-title">Release of mnist-mlp</h2>' in text
    assert f"<h3>{report.findings[0].title}</h3>" in text
    assert text.count('<a href="#chapter-release">Release of mnist-mlp</a>') == 2
    assert told(text) == []


def test_a_template_orders_the_page(report):
    """Parts stand where it says, with words between; links lead only to what is there."""
    text = dressed(report, "<p>First</p>{{ parts.verdict }}{{ parts.chapters }}<hr>{{ parts.checklist }}", own=CHAPTER)
    assert shown(text) == ["verdict", "chapter-own", "checklist"]
    assert "<main>\n<p>First</p>\n<section" in text
    linked = re.findall(r'<a href="#([a-z-]+)"', text.partition("<main>")[0])
    assert linked == ["chapter-own", "checklist"]
    assert re.search(r"</section>\s*<hr>\s*<section id=\"checklist\"", text)
    assert told(text) == []


def test_the_usual_order_written_down_is_the_usual_page(report):
    """A template of all parts changes nothing."""
    layout = "".join(f"{{{{ parts.{name} }}}}\n" for name in SECTIONS)
    assert dressed(report, layout, own=CHAPTER) == dressed(report, own=CHAPTER)


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("{{ parts.findings }}", "does not show parts.verdict"),
        ("{{ parts.verdict }}{{ parts.verdict }}", "shows parts.verdict more than once"),
        ('{{ parts.verdict }}<p title="{{ parts.findings }}">x</p>', "shows a part inside of a tag"),
        ("{{ parts.verdict }}\n{{ parts.nothing }}", "line 2: UndefinedError: "),
        ("{{ parts.verdict }}\n\n{% include 'report.css' %}", "line 3: include is not allowed"),
        ("{{ parts.verdict }}\n{% extends 'x' %}", "line 2: extends is not allowed"),
        ("{{ parts.__class__ }}{{ parts.verdict }}", "line 1: SecurityError: "),
        ("{{ parts.verdict }}\n{% if %}", "line 2: TemplateSyntaxError: "),
    ],
)
def test_a_template_that_cannot_be_used_costs_only_itself(report, layout, why):
    """The page is the usual one, and says which file and line is wrong."""
    text = dressed(report, layout, own=CHAPTER)
    assert shown(text) == shown(dressed(report, own=CHAPTER))
    (said,) = told(text)
    assert said.startswith(f"Pack acme: its {LAYOUT} is left out: {why}")


@pytest.mark.parametrize(
    ("chapter", "why"),
    [
        ("<p>No title</p>", "line 1: a chapter begins with <h2>its title</h2>"),
        ("<h2> </h2>", "line 1: a chapter begins with <h2>its title</h2>"),
        ("<h2>a</h2><h2>b</h2>", "has more than one <h2>"),
        ("<h2>a</h2>\n{{ 9 ** 9 ** 9 }}", "line 2: pow is not allowed"),
        ("<h2>a</h2>\n{{ 'a' * 9999999 }}", "line 2: mul is not allowed"),
        ("<h2>a</h2>\n{{ report.findings.append(1) }}", "line 2: call is not allowed"),
        ("<h2>a</h2>\n{{ report.name.__class__.__mro__ }}", "line 2: SecurityError"),
        ("<h2>a</h2>\n{{ report.pictures }}", "line 2: shows a tuple; legal are texts and numbers"),
        ("<h2>a</h2>\n{{ parts.verdict }}", "line 2: UndefinedError: "),
        ("<h2>a</h2>" + "{% for a in report.chapters %}" * 13 + "{% endfor %}" * 13, "line 1: is nested more than"),
        (
            "<h2>a</h2>" + "{% for a in report.sentence %}" * 4 + "{% endfor %}" * 4,
            "line 1: loops more than 10,000 times",
        ),
        ("<h2>a</h2>" + "x" * 30_000, "has 30,010 characters"),
    ],
)
def test_a_hostile_chapter_costs_only_itself(report, chapter, why):
    """Neither time nor memory, nor anything beyond the report's words; the chapter beside it stays."""
    text = dressed(report, hostile=chapter, sound=CHAPTER)
    assert "chapter-hostile" not in shown(text)
    assert "chapter-sound" in shown(text)
    (said,) = told(text)
    assert said.startswith(f"Pack acme: its chapter-hostile.html.j2 is left out: {why}")


def test_what_could_load_or_run_is_left_out(report):
    """Scripts, events, frames and styles do not reach the page from either, nor do unclosed tags reach beyond them."""
    bad = "<script>alert(1)</script><iframe src='//x'></iframe><p onclick='a()' style='a:b'>x<img src='http://x/y.png'>"
    text = dressed(
        report, f"{bad}<div><b>{{{{ parts.verdict }}}}{{{{ parts.checklist }}}}", bad=f"<h2>a</h2>{bad}<div>"
    )
    body = text.partition("</head>")[2]
    for one in ("<script", "<iframe", "onclick=", "style=", "http://x"):
        assert one not in body
    assert shown(text) == ["verdict", "checklist"]
    assert text.count("<b>") == text.count("</b>")
    both = dressed(report, bad=f"<h2>a</h2>{bad}<div>")
    assert both.count("<div") == both.count("</div>")
    assert "its chapter-bad.html.j2 is shown without <script>, <iframe>" in told(both)[0]
    assert to_pdf(both).startswith(b"%PDF")


def test_a_name_in_the_report_cannot_stand_for_a_part(report):
    """What a run is called is text, whatever it looks like."""
    named = replace(report, name="{{ parts.findings }}")
    text = dressed(named, "<p>{{ report.name }}</p>{{ parts.verdict }}")
    assert shown(text) == ["verdict"]
    assert "<p>{{ parts.findings }}</p>" in text


def test_both_come_from_the_folder_of_a_pack(tmp_path):
    """In the order of their names; a ninth chapter and another file are faults of the pack."""
    look = brand(tmp_path / "looks", header=HEADER)
    for name in ("chapter-b", "chapter-a", "report"):
        (tmp_path / "looks" / f"{name}.html.j2").write_text(f"<h2>{name}</h2>{{{{ parts.verdict }}}}")
    found = letterhead((look,))
    assert [name for name, _ in found.chapters] == ["chapter-a.html.j2", "chapter-b.html.j2"]
    assert found.layout == "<h2>report</h2>{{ parts.verdict }}"
    assert read_templates(tmp_path, "looks")[1] == []
    for place in range(9):
        (tmp_path / "looks" / f"chapter-{place}.html.j2").write_text("<h2>a</h2>")
    (tmp_path / "looks" / "chapter_x.html.j2").write_text("<h2>a</h2>")
    wrong = read_templates(tmp_path, "looks")[1]
    assert [one.split(";")[0] for one in wrong] == ["'chapter_x.html.j2' is no template", "'looks' has 11 chapters"]
    assert len(letterhead((look,)).chapters) == 8


def test_a_picture_in_a_chapter_lies_in_the_page(report):
    """As data of a PNG; from elsewhere it is left out."""
    tiny = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    text = dressed(report, own=f'<h2>a</h2><img alt="mark" src="data:image/png;base64,{tiny}">')
    assert f'<img alt="mark" src="data:image/png;base64,{tiny}">' in text


def test_chapters_of_links_are_not_followed(tmp_path: Path):
    """A chapter that leads out of the pack is not read."""
    (tmp_path / "secret").write_text("<h2>very secret</h2>")
    look = brand(tmp_path / "looks")
    (tmp_path / "looks" / "chapter-a.html.j2").symlink_to(tmp_path / "secret")
    found = letterhead((look,))
    assert found.chapters == ()
    assert found.problems == (
        "Pack acme-rules: its chapter-a.html.j2 is left out: leads out of the folder of templates.",
    )
