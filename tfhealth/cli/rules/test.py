"""`tfhealth rules test`: packs -> whether their rules say of examples and of runs what they should."""

from __future__ import annotations

import argparse

from tfhealth.cli.exits import Exit
from tfhealth.cli.rules import faults, targets
from tfhealth.errors import RuleError, UsageError
from tfhealth.rules.loader import Opened
from tfhealth.rules.pack import Pack
from tfhealth.trials import Tally, try_pack

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "test",
        help="run the examples of rules and the tests of packs",
        description="Run the examples of every rule, as its pack wrote it, and the tests/*.yaml of every pack, by the "
        "rules of the pack or, with --profile, by those that the profile puts in force. Returns 1 where one does not "
        "hold.",
    )
    targets.add_options(parser)
    faults.add_option(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    found = targets.opened(arguments)
    errors = [targets.located(fault, one.packs) for one in found for fault in one.errors]
    if errors:
        raise RuleError(errors)
    profile = found.pop() if arguments.profile is not None and arguments.paths else None
    total = Tally()
    tried = [(pack, (profile or one)) for one in found for pack in one.packs]
    for pack, rules in tried:
        _check_in_force(pack, rules, arguments)
        tally = try_pack(pack, rules.checklist)
        total += Tally(tally.passed, tuple(targets.located(fault, [pack]) for fault in tally.failures))
    counts = {"rule": sum(len(pack.rules) for pack, _ in tried), "test file": sum(len(pack.tests) for pack, _ in tried)}
    summary = f"{len(total.failures)} failed, {total.passed} passed in {faults.counted(counts)}"
    faults.FORMATS[arguments.format](total.failures, summary)
    return Exit.FAILED if total.failures else Exit.PASSED


def _check_in_force(pack: Pack, rules: Opened, arguments: argparse.Namespace) -> None:
    """Refuse a pack whose rules the profile does not know: its tests would say nothing."""
    if all(pack.folder != one.folder for one in rules.packs):
        raise UsageError(f"{pack.name} is not in force by {arguments.profile}; add it to its `extends`.")
