"""Result -> what is printed: one line an epoch at most, and a few at the end."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from tfhealth.comparison import Comparison
from tfhealth.report import Written
from tfhealth.report.comparison.view import view
from tfhealth.report.inert import inert
from tfhealth.report.words import VERDICTS, clean, first_sentence
from tfhealth.result import Finding, Result

__all__ = ["Terminal", "compared", "epoch_line", "one_line", "summary"]

_STYLES = {"pass": "bold green", "warn": "bold yellow", "fail": "bold red", "not_measured": "bold"}
_SHOWN = 5


class Terminal(Console):
    """Standard output; a pipe that was closed early is left to the caller, where rich would end the process with 1."""

    def on_broken_pipe(self) -> None:
        """Let the error pass."""
        raise BrokenPipeError


def epoch_line(epoch: int, findings: Sequence[Finding]) -> str:
    """Return one line that names the leading finding so far; `epoch` counts from 0."""
    lead = findings[0]
    more = f" (+{len(findings) - 1} more)" if len(findings) > 1 else ""
    return inert(f"\ntfhealth: epoch {epoch + 1}: {one_line(lead.title)}: {one_line(lead.message)}{more}")


def summary(result: Result, written: Written | None, color: bool | None = None) -> str:
    """Return the verdict, the findings, warnings, and where the report lies.

    Whatever names and messages hold, no line of it is a command to a terminal or to the CI that reads it.

    Args:
        result: the verdict.
        written: what was written, if anything.
        color: whether to use terminal colors; None leaves it to the terminal.
    """
    console = Console(file=io.StringIO(), force_terminal=color or None, width=10_000, highlight=False)
    console.print()
    console.print(Text(f"tfhealth: {result.verdict.upper().replace('_', ' ')}", _STYLES[result.verdict]))
    console.print(Text(one_line(result.sentence)))
    if result.findings:
        console.print(Text(f"Change first: {one_line(first_sentence(result.findings[0].advice))}"))
    for finding in result.findings[:_SHOWN]:
        mark = VERDICTS[finding.verdict][0]
        console.print(Text(f"  {mark} {finding.checklist} [{finding.rule}] {one_line(finding.message)}"))
    if len(result.findings) > _SHOWN:
        console.print(Text(f"  … {len(result.findings) - _SHOWN} more in the report"))
    for tried in [one for one in result.remedies if one.verdict != "not_tried"][:_SHOWN]:
        console.print(Text(f"  {tried.rule} {one_line(tried.sentence)}"))
    for warning in result.warnings:
        console.print(Text(f"  warning: {one_line(warning)}"))
    console.print(Text(f"  checklist: {_counted(result)}"))
    for path in (written.paths if written else {}).values():
        console.print(Text(f"  {path}"))
    for problem in (written.problems if written else {}).values():
        console.print(Text(f"  {problem}"))
    assert isinstance(console.file, io.StringIO)
    return inert(console.file.getvalue().rstrip("\n"))


def compared(comparison: Comparison, written: Written) -> str:
    """Return what differs between two runs, a line for each finding, and where the files lie."""
    report = view(comparison)
    console = Console(file=io.StringIO(), width=10_000, highlight=False)
    for side in report.sides:
        console.print(Text(f"{side.letter}  {one_line(side.name)}: {one_line(side.sentence)}"))
    console.print(Text(f"tfhealth: {one_line(report.sentence)}", "bold"))
    for one in report.shifts:
        console.print(Text(f"  {one.word:10} {one.checklist} [{one.rule}] {one_line(one.after or one.before)}"))
    console.print(Text(f"  {one_line(report.settings_intro)}"))
    for line in [*map(str, written.paths.values()), *written.problems.values()]:
        console.print(Text(f"  {line}"))
    assert isinstance(console.file, io.StringIO)
    return inert(console.file.getvalue().rstrip("\n"))


def _counted(result: Result) -> str:
    counts: Counter[str] = Counter(row.verdict for row in result.checklist)
    return ", ".join(f"{counts[verdict]} {word}" for verdict, (_, word) in VERDICTS.items() if counts[verdict])


def one_line(text: str) -> str:
    """Return foreign text in one line, without control characters and commands to a CI."""
    return inert(" ".join(clean(text).split()))
