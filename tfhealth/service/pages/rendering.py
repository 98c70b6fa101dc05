"""A template and what it shows -> a page that may load nothing from elsewhere and run nothing but our own scripts."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tfhealth import __version__, resources
from tfhealth.report import markdown, words

__all__ = ["POLICY", "page"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; frame-src 'self'; base-uri 'none'"
)
"""The Content-Security-Policy of every page."""


def page(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: what is answered.
        template: a file of `templates/service/`.
        status: of the answer.
        shown: what the template speaks of; all text in it is escaped.
    """
    known = {"caller": getattr(request.state, "caller", None), "version": __version__}
    text = _environment().get_template(f"service/{template}").render(request=request, **known, **shown)
    return HTMLResponse(text, status, {"Content-Security-Policy": POLICY})


def _name(text: object) -> str:
    """Return a foreign name as lists show it."""
    return words.shorten(words.clean(text), 60)


def _moment(when: datetime) -> str:
    """Return a time as lists show it."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(resources.templates_dir(), encoding="utf-8"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": _name, "clean": words.clean, "moment": _moment}
    environment.filters["markdown"] = lambda text: Markup(markdown.to_html(text))  # noqa: S704 - no HTML of its own
    environment.filters["line"] = lambda text: Markup(markdown.to_line(text))  # noqa: S704 - escaped there
    environment.globals |= {"VERDICTS": words.VERDICTS}
    return environment
