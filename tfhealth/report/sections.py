"""Report -> the sections of its page as HTML, in tfhealth's order or in that of an organization's own template."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass

from tfhealth.report import brand
from tfhealth.report.document import Letterhead, Report
from tfhealth.report.harmless import listed
from tfhealth.report.partial import render
from tfhealth.report.words import clean, shorten

__all__ = ["CHAPTERS", "SECTIONS", "Heading", "OwnChapter", "chapters", "order"]

CHAPTERS = "chapters"
"""The place of an organization's own chapters among the parts."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a section stands, what links to it say, and what the contents call it; `there` says of what reports."""

    anchor: str
    word: str
    title: str
    there: Callable[[Report], bool] = bool


@dataclass(frozen=True, slots=True)
class OwnChapter:
    """A chapter of an organization: `body` is HTML that was written anew from a list of tags."""

    anchor: str
    title: str
    body: str


SECTIONS: dict[str, Heading | None] = {
    "verdict": None,
    "contents": None,
    "findings": Heading("findings", "Findings", "Findings"),
    "accepted": Heading("accepted", "Accepted", "Accepted findings", lambda report: bool(report.accepted)),
    "unjudged": Heading("unjudged", "Not judged", "What could not be judged"),
    "preflight": Heading(
        "preflight", "Preflight", "Preflight", lambda report: bool(report.experiments_intro or report.remedies)
    ),
    "pictures": Heading("pictures", "Pictures", "Pictures", lambda report: bool(report.pictures)),
    "given": Heading("given", "Data", "What the model was given", lambda report: bool(report.given)),
    CHAPTERS: None,
    "checklist": Heading("checklist", "Checklist", "The whole checklist"),
    "reproduce": Heading("reproduce", "Reproduce", "How to reproduce"),
}
"""Every part of a page, in order, and the heading of those that are linked; each has a template of its name."""


def chapters(report: Report) -> tuple[tuple[OwnChapter, ...], tuple[str, ...]]:
    """Return an organization's chapters, and a sentence for each that could not be used as it is."""
    made, told = [], []
    head = report.letterhead
    for name, text in head.chapters if head else ():
        assert head is not None
        try:
            whole, left_out = render(text, report, headings=("h2", "h3", "h4"))
            made.append(_chapter(name, whole))
        except ValueError as error:
            told.append(brand.problem(head.pack, name, f"is left out: {error}"))
            continue
        if left_out:
            told.append(brand.problem(head.pack, name, f"is shown without {listed(left_out)}"))
    return tuple(made), tuple(told)


def _chapter(name: str, whole: str) -> OwnChapter:
    begun = re.match(r"\s*<h2>(.*?)</h2>", whole, re.DOTALL)
    title = "" if begun is None else html.unescape(re.sub(r"<[^>]*>", "", begun[1])).strip()
    if begun is None or not title:
        raise ValueError("line 1: a chapter begins with <h2>its title</h2>")
    body = whole[begun.end() :].strip()
    if "<h2" in body:
        raise ValueError("has more than one <h2>; what stands below is <h3> and <h4>")
    return OwnChapter(name.removesuffix(".html.j2"), shorten(clean(title), 80), body)


def order(report: Report) -> tuple[Sequence[tuple[str, str]], str]:
    """Return what the page is made of, in order, and what to tell of it.

    Each is ("part", its name) or ("html", what an organization's own template has between the parts). A template that
    cannot be used costs only itself.
    """
    usual = [("part", name) for name in SECTIONS]
    head = report.letterhead
    if head is None or not head.layout:
        return usual, ""
    try:
        made, left_out = _laid_out(head, report)
    except ValueError as error:
        return usual, brand.problem(head.pack, brand.LAYOUT, f"is left out: {error}")
    return made, brand.problem(head.pack, brand.LAYOUT, f"is shown without {listed(left_out)}") if left_out else ""


def _laid_out(head: Letterhead, report: Report) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    mark = uuid.uuid4().hex  # which nothing in the report can hold
    named = make_dataclass("Parts", SECTIONS)(*(f"{mark}{name};" for name in SECTIONS))
    whole, left_out = render(head.layout, report, parts=named, headings=("h2", "h3", "h4"))
    token = re.compile(f"{mark}([a-z]+);")
    inside = re.search(rf"<[^>]*{mark}", whole)
    pieces = token.split(whole)
    names = pieces[1::2]
    twice = next((name for name in names if names.count(name) > 1), None)
    if inside or twice or "verdict" not in names:
        raise ValueError(
            "shows a part inside of a tag"
            if inside
            else f"shows parts.{twice} more than once"
            if twice
            else "does not show parts.verdict, without which nothing is said of the training"
        )
    found = [("part" if place % 2 else "html", piece) for place, piece in enumerate(pieces)]
    return [one for one in found if one[1].strip()], left_out
