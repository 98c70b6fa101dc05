"""Faults -> what is printed of them: lines for people, JSON, or annotations for GitHub."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from tfhealth.errors import Fault
from tfhealth.report.github import command
from tfhealth.report.inert import inert
from tfhealth.report.words import visible

__all__ = ["FORMATS", "add_option", "counted"]


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--format`."""
    names = ", ".join(FORMATS)
    parser.add_argument(
        "--format", choices=FORMATS, default="text", metavar="NAME", help=f"how to print it: {names} (default: text)"
    )


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in words.

    >>> counted({"fault": 1, "warning": 2})
    '1 fault, 2 warnings'
    """
    return ", ".join(f"{count} {name}{'s' if count != 1 else ''}" for name, count in counts.items())


def _text(faults: Sequence[Fault], summary: str) -> None:
    for fault in _ordered(faults):
        print(inert(" ".join(visible(fault).split())))
    print(summary)


def _json(faults: Sequence[Fault], summary: str) -> None:
    print(json.dumps({"summary": summary, "faults": [asdict(fault) for fault in _ordered(faults)]}, indent=2))


def _github(faults: Sequence[Fault], summary: str) -> None:
    for fault in _ordered(faults):
        title = f"tfhealth {fault.path}".rstrip()
        print(command(fault.level, title, fault.what, file=fault.file, line=fault.line, col=fault.column))
    print(summary)


def _ordered(faults: Sequence[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column))


FORMATS: dict[str, Callable[[Sequence[Fault], str], None]] = {"text": _text, "json": _json, "github": _github}
"""Ways to print faults and a line that sums them up."""
