"""Report -> bytes: the page, and the PDF made of the same page; the list of formats is at the foot."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tfhealth import resources
from tfhealth.report.writing import Format

# The command line asks for the names of the formats; what makes them takes half a second to load.
if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from tfhealth.report.chart import Chart
    from tfhealth.report.document import Report
    from tfhealth.report.sections import Heading, OwnChapter
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Checklist
    from tfhealth.run import Run

__all__ = ["FORMATS", "Source", "page", "rendered"]


@dataclass(frozen=True)
class Source:
    """What a format is made of; the page is built once, however many formats need it."""

    result: Result
    run: Run
    checklist: Checklist

    @cached_property
    def page(self) -> str:
        """The report as one HTML file."""
        from tfhealth.report.view import view

        return page(view(self.result, self.run, self.checklist))


def page(report: Report) -> str:
    """Return the report as one HTML file that loads nothing and runs nothing."""
    from markupsafe import Markup

    from tfhealth.report import brand, sections

    header, at_header = brand.render_part(report, brand.HEADER)
    footer, at_footer = brand.render_part(report, brand.FOOTER)
    own, of_own = sections.chapters(report)
    order, of_order = sections.order(report)
    headings = _headings(report, order, own)
    notices = [*report.notices, *filter(None, (at_header, at_footer, *of_own, of_order))]
    return rendered(
        "report.html.j2",
        report,
        report.letterhead.style if report.letterhead else "",
        sections=headings,
        body=Markup("\n").join(_pieces(report, order, own, headings, notices)),
        header=Markup(header),  # noqa: S704 - written anew from a list of tags
        footer=Markup(footer),  # noqa: S704 - as above
    )


def _headings(report: Report, order: Sequence[tuple[str, str]], own: Sequence[OwnChapter]) -> list[Heading]:
    """Return what a page's links lead to."""
    from tfhealth.report.sections import CHAPTERS, SECTIONS, Heading

    found = []
    for kind, name in order:
        known = SECTIONS[name] if kind == "part" else None
        if known is not None and known.there(report):
            found.append(known)
        elif kind == "part" and name == CHAPTERS:
            found += [Heading(one.anchor, one.title, one.title) for one in own]
    return found


def _pieces(
    report: Report,
    order: Sequence[tuple[str, str]],
    own: Sequence[OwnChapter],
    headings: Sequence[Heading],
    notices: Sequence[str],
) -> Iterator[Markup]:
    """Yield the HTML of what a page is made of, in order."""
    from markupsafe import Markup

    from tfhealth.report.sections import CHAPTERS, SECTIONS

    environment = _environment()

    def part(name: str, **more: object) -> Markup:
        made = environment.get_template(f"report/{name}.html.j2")
        return Markup(made.render(report=report, notices=notices, sections=headings, **more))  # noqa: S704 - ours

    for kind, name in order:
        if kind == "html":
            yield Markup(name)  # noqa: S704 - written anew from a list of tags
        elif name == CHAPTERS:
            yield from (part("chapter", chapter=replace(one, body=Markup(one.body))) for one in own)  # noqa: S704 - as above
        elif (heading := SECTIONS[name]) is None or heading.there(report):
            yield part(name)


def rendered(template: str, report: object, style: str = "", **more: object) -> str:
    """Return a document as one HTML file, by one of our templates; `style` is an organization's CSS, after our own."""
    from markupsafe import Markup

    own = (resources.templates_dir() / "report.css").read_text("utf-8").strip()
    whole = "\n".join(filter(None, (own, style)))
    return str(
        _environment()
        .get_template(template)
        .render(
            report=report,
            style=Markup(whole),  # noqa: S704 - our own file, and CSS without any `<`
            style_hash=base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode(),
            **more,
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from tfhealth.report import markdown, png

    # Names of layers and texts of rules come from anywhere: everything is escaped, and nothing else may be left out.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(resources.templates_dir(), encoding="utf-8"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = lambda text: Markup(markdown.to_html(text))  # noqa: S704 - no HTML of its own
    environment.filters["line"] = lambda text: Markup(markdown.to_line(text))  # noqa: S704 - escaped there
    environment.filters["picture"] = _picture
    environment.filters["png"] = png.data_uri
    return environment


def _picture(chart: Chart, narrow: bool = False) -> str:
    from tfhealth.report.drawing import draw
    from tfhealth.report.svg import data_uri

    return data_uri(draw(chart, narrow))


def _json(source: Source) -> bytes:
    return source.result.model_dump_json(indent=2).encode() + b"\n"


def _html(source: Source) -> bytes:
    return source.page.encode()


def _pdf(source: Source) -> bytes:
    from tfhealth.report.pdf import to_pdf

    return to_pdf(source.page)


def _junit(source: Source) -> bytes:
    from tfhealth.report.junit import junit

    return junit([source.result])


def _md(source: Source) -> bytes:
    from tfhealth.report.pull_request import pull_request

    return pull_request([source.result]).encode()


FORMATS: dict[str, Format[Source]] = {
    "json": Format("result.json", _json),
    "html": Format("report.html", _html),
    "pdf": Format("report.pdf", _pdf),
    "junit": Format("junit.xml", _junit),
    "md": Format("report.md", _md),
}
"""Every format of a report."""
