"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.errors import UsageError
from tfhealth.report.formats import FORMATS
from tfhealth.report.writing import chosen

if TYPE_CHECKING:
    from tfhealth.rules.checklist import Checklist, Gate

__all__ = ["add_fail_on", "add_formats", "add_rules", "add_server", "checklist", "gate"]


def add_formats(parser: argparse.ArgumentParser, default: str, legal: Iterable[str] = FORMATS) -> None:
    """Add `--formats`; `legal` are the names that it may have."""

    def formats(text: str) -> tuple[str, ...]:
        try:
            return chosen(text, legal)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None  # argparse shows what is wrong with it

    parser.add_argument(
        "--formats",
        type=formats,
        default=formats(default),
        metavar="NAMES",
        help=f"what to write, with commas: {', '.join(legal)} (default: {default})",
    )


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add `--rules` and `--profile`."""
    parser.add_argument(
        "--rules",
        type=Path,
        metavar="PACK",
        help="judge by the rules in this folder, or of this installed pack, instead of the built-in ones",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="a profile: which packs, what differs in their rules, what is accepted, what fails a build "
        "(default, without --rules: the nearest pyproject.toml with a table [tool.tfhealth])",
    )


def checklist(arguments: argparse.Namespace) -> Checklist:
    """Return the checklist in force by the options of `add_rules`.

    Raises:
        UsageError, RuleError: what they name cannot be used.
    """
    from tfhealth.rules import load_checklist

    return load_checklist(arguments.rules, arguments.profile)


def add_server(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add `--server`, `--token` and `--project`."""
    parser.add_argument("--server", metavar="URL", help=f"{purpose} (default: TFHEALTH_SERVER of the environment)")
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help="a token of the service (default: TFHEALTH_TOKEN of the environment, which other users of the machine do "
        "not see)",
    )
    parser.add_argument("--project", metavar="NAME", help="project of the service (default: the one of the token)")


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Add `--fail-on`."""
    from tfhealth.conditions import SEVERITIES

    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        metavar="LEVEL",
        help=f"return 1 where a finding reaches this severity: {', '.join(SEVERITIES)} (default: what the profile's "
        "gate says)",
    )


def gate(arguments: argparse.Namespace, checklist: Checklist) -> Gate:
    """Return the gate of a checklist, with what `--fail-on` says in place of its own `fail_on`."""
    return replace(checklist.gate, fail_on=arguments.fail_on or checklist.gate.fail_on)
