"""Markdown of a rule -> HTML that can neither load nor run anything: no raw HTML, no images, links to the web only."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["to_html", "to_line"]


def to_html(text: str) -> str:
    """Return `why` or `advice` as HTML.

    >>> to_html("**a** ![x](file:///etc/passwd)")
    '<p><strong>a</strong> ![x](file:///etc/passwd)</p>\\n'
    """
    return str(_parser().render(text))


def to_line(text: str) -> str:
    """Return one sentence as HTML: escaped, with what stands between backticks as code.

    >>> to_line("pass it to `fit`, not to <b>")
    'pass it to <code>fit</code>, not to &lt;b&gt;'
    """
    return str(_line_parser().renderInline(text))


@cache
def _line_parser() -> Any:
    from markdown_it import MarkdownIt

    # Names such as __init__ are not emphasis here.
    return MarkdownIt("zero").enable("backticks")


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    class Harmless(MarkdownIt):
        def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
            return url.lower().startswith(("https://", "http://"))

    # Headings would break the order of the report's own.
    return Harmless("commonmark", {"html": False}).disable(
        ["image", "html_inline", "html_block", "heading", "lheading", "reference"]
    )
