"""Options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfhealth.conditions import SEVERITIES
from tfhealth.errors import UsageError
from tfhealth.report.formats import FORMATS
from tfhealth.report.writing import chosen

if TYPE_CHECKING:
    from tfhealth.rules.checklist import Checklist, Gate

__all__ = ["Parser", "add_fail_on", "add_formats", "add_rules", "checklist", "gate"]


class Parser(argparse.ArgumentParser):
    """A parser whose options with a value that may be left out take one after `=` only, never the next argument."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does."""
        words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._spelled_out(words), namespace)

    def _spelled_out(self, words: list[str]) -> list[str]:
        """Return the words with `--option` as `--option=CONST`, up to the first that is no option."""
        options = self._option_string_actions
        place = 0
        while place < len(words) and words[place].startswith("-"):
            action = options.get(words[place])
            if action is not None and action.nargs == "?":
                words[place] += f"={action.const}"
            place += 2 if action is not None and action.nargs is None else 1
        return words


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


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Add `--fail-on`."""
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
