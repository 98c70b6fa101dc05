"""Results -> Markdown for a comment on a pull request, or the summary of a CI job: bounded, and inert."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tfhealth.report.words import VERDICTS, clean, count, first_sentence, number, shorten, value
from tfhealth.result import Finding, Result, Row, Suppressed

__all__ = ["escape", "pull_request"]

MOST = 60_000
"""Characters; a comment on GitHub may have 65,536."""

_SIZES = (50, 20, 5, 0)  # rows of a table, the most that fits
_UNJUDGED = ("error", "not_measured")
_LONGEST = 300
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKDOWN = "\\`*_[]#|~$"


def escape(text: str) -> str:
    """Return foreign text as one line of Markdown that is only text: no link, tag, mention or picture.

    It must not stand at the start of a line, where `-` is a list and `::` a workflow command.

    >>> escape("<b>*a*</b>")
    '&lt;b&gt;\\\\*a\\\\*&lt;/b&gt;'
    """
    line = shorten(" ".join(clean(text).split()), _LONGEST)
    made = "".join(_HTML.get(letter) or (f"\\{letter}" if letter in _MARKDOWN else letter) for letter in line)
    # GitHub makes links of these without any mark around them: a zero-width space keeps them text.
    return re.sub(r"(@|#|(?<=\w):(?=//)|\bwww(?=\.)|\bGH(?=-))", "\\1\u200b", made, flags=re.IGNORECASE)


def pull_request(results: Sequence[Result]) -> str:
    """Return one section a run: the verdict, a table of its findings, and what was not judged, folded.

    At most `MOST` characters: tables lose rows first, then whole runs are left out, and both are said.
    """
    parts: list[str] = []
    left = MOST
    for place, result in enumerate(results):
        section = next((one for size in _SIZES if len(one := _section(result, size)) < left - 100), None)
        if section is None:
            parts.append(f"{count(len(results) - place, 'more run')} left out: this text may not be longer.\n")
            break
        parts.append(section)
        left -= len(section) + 1
    return "\n".join(parts)


def _section(result: Result, most: int) -> str:
    """Return the section of one run, with at most so many rows in each table."""
    symbol, word = VERDICTS[result.verdict]
    unjudged = [row for row in result.checklist if row.verdict in _UNJUDGED]
    accepted = [_accepted(one) for one in result.suppressed]
    parts = [
        f"## {symbol} tfhealth: {word} – {escape(result.run.name)}",
        f"**{escape(result.sentence) or word}**",
        f"Change first: {escape(first_sentence(result.findings[0].advice))}" if result.findings else "",
        *(f"⚠ {escape(one)}" for one in result.warnings[:most]),
        _table(_HEAD, [_finding(one) for one in result.findings], most),
        _folded(count(len(accepted), "suppressed finding"), ("Rule", "Finding", "Why", "Until"), accepted, most),
        _folded(f"{count(len(unjudged), 'row')} not judged", ("Row", "Reason"), [_row(one) for one in unjudged], most),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_HEAD = ("", "Rule", "Finding", "Where", "Since step", "Value", "Limit")


def _finding(finding: Finding) -> tuple[str, ...]:
    others = len(finding.sites) - 1
    more = f" and {count(others, 'more site')}" if others > 0 else ""
    limits = ", ".join(f"{name} {value(one)}" for name, one in finding.limits.items())
    return (
        VERDICTS[finding.verdict][0],
        f"{finding.rule}: {finding.title}",
        finding.message,
        f"{finding.kind} {shorten(finding.site)}{more}",
        "–" if finding.step is None else number(finding.step),
        "–" if finding.value is None else value(finding.value),
        f"{limits} ({finding.limits_set_by})" if limits else finding.limits_set_by,
    )


def _accepted(one: Suppressed) -> tuple[str, ...]:
    return one.finding.rule, one.finding.message, f"{one.reason} ({one.set_by})", one.expires or "for ever"


def _row(row: Row) -> tuple[str, ...]:
    return row.id, row.reason


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> str:
    """Return a table, at most `most` rows of it; empty where there is none."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([escape(cell) for cell in row] for row in rows[:most])]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines) if most else ""
    left = len(rows) - most
    return text + (f"\n\nAnd {left:,} more in the report." if left > 0 else "")


def _folded(summary: str, head: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> str:
    table = _table(head, rows, most)
    return f"<details><summary>{summary}</summary>\n\n{table.strip()}\n\n</details>" if table else ""
