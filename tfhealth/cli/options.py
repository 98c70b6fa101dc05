"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfhealth.conditions import SEVERITIES
from tfhealth.errors import UsageError
from tfhealth.report import parse_formats

__all__ = ["add_fail_on", "add_formats", "add_rules", "formats"]


def formats(text: str) -> tuple[str, ...]:
    """Return the formats that an option names; argparse shows what is wrong with it."""
    try:
        return parse_formats(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_formats(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `--formats`."""
    parser.add_argument(
        "--formats",
        type=formats,
        default=formats(default),
        metavar="NAMES",
        help=f"what to write, with commas: json, html, pdf (default: {default})",
    )


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add `--rules`."""
    parser.add_argument(
        "--rules", type=Path, metavar="DIR", help="judge by the rules in this folder instead of the built-in ones"
    )


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Add `--fail-on`."""
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        metavar="LEVEL",
        help=f"return 1 where a finding reaches this severity: {', '.join(SEVERITIES)}",
    )
