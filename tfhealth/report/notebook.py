"""Result -> a few lines of HTML below a cell of a notebook: the verdict, what to change, and the findings."""

from __future__ import annotations

import sys
from html import escape

from tfhealth.report.words import VERDICTS, clean, first_sentence
from tfhealth.result import Result

__all__ = ["fragment", "register"]

_SHOWN = 10


def fragment(result: Result) -> str:
    """Return a verdict as HTML without style or script, every text escaped."""
    symbol, word = VERDICTS[result.verdict]
    parts = [f"<p><b>{symbol} {word}</b> {_text(result.sentence)}</p>"]
    if result.findings:
        parts.append(f"<p><b>Change first:</b> {_text(first_sentence(result.findings[0].advice))}</p>")
        cells = [(VERDICTS[one.verdict][0], one.rule, one.checklist, one.message) for one in result.findings[:_SHOWN]]
        rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in cells)
        head = "<tr><th></th><th>Rule</th><th>Row</th><th>Finding</th></tr>"
        parts.append(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
    left = len(result.findings) - _SHOWN
    parts += [f"<p>and {left} more in the report</p>"] if left > 0 else []
    parts += [f"<p>{_text(result.run.path)}</p>"] if result.run.path else []
    return "".join(parts)


def _text(text: str) -> str:
    return escape(clean(text))


def register() -> None:
    """Teach the notebook that runs, if one does, to show a `Result` as HTML; a result does not render itself."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        formatter.formatters["text/html"].for_type(Result, fragment)
