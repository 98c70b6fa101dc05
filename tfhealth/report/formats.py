"""Report -> bytes: the page, and the PDF made of the same page; the list of formats is at the foot."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tfhealth import resources
from tfhealth.report.writing import Format

# The command line asks for the names of the formats; what makes them takes half a second to load.
if TYPE_CHECKING:
    from jinja2 import Environment

    from tfhealth.report.chart import Chart
    from tfhealth.report.document import Report
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

    from tfhealth.report import brand

    header, at_header = brand.render_part(report, brand.HEADER)
    footer, at_footer = brand.render_part(report, brand.FOOTER)
    return rendered(
        "report.html.j2",
        report,
        report.letterhead.style if report.letterhead else "",
        notices=[*report.notices, *filter(None, (at_header, at_footer))],
        header=Markup(header),  # noqa: S704 - written anew from a list of tags
        footer=Markup(footer),  # noqa: S704 - as above
    )


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


def _picture(chart: Chart) -> str:
    from tfhealth.report.drawing import draw
    from tfhealth.report.svg import data_uri

    return data_uri(draw(chart))


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
