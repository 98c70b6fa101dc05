"""`tfhealth rules check`: rules, packs and profiles -> every fault in them, with file, line and column."""

from __future__ import annotations

import argparse

from tfhealth.cli.exits import Exit
from tfhealth.cli.rules import faults, targets
from tfhealth.errors import Fault
from tfhealth.report.brand import template_faults
from tfhealth.rules.lint import lint
from tfhealth.rules.loader import Opened
from tfhealth.trials import check_pack

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "check",
        help="every fault in rules, packs and profiles, with file, line and column",
        description="Find what is wrong in rules, packs, their tests, and profiles: what keeps them from loading, "
        "limits that no value can reach, rungs that no example reaches, what is accepted or changed in vain, "
        "templates that no report can be made of. Returns 1 where there is a fault; warnings alone return 0.",
    )
    targets.add_options(parser)
    faults.add_option(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    opened = targets.opened(arguments)
    found = list(dict.fromkeys(fault for one in opened for fault in _faults(one)))
    rules = {(pack.folder, file.source.file) for one in opened for pack in one.packs for file in pack.rules}
    errors = sum(fault.level == "error" for fault in found)
    counts = {"fault": errors, "warning": len(found) - errors}
    faults.FORMATS[arguments.format](found, f"{faults.counted(counts)} in {faults.counted({'rule': len(rules)})}")
    return Exit.FAILED if errors else Exit.PASSED


def _faults(opened: Opened) -> list[Fault]:
    ids = {rule.id for rule in opened.checklist.rules}
    found = [*opened.faults, *lint(opened)]
    for pack in opened.packs:
        found += [*check_pack(pack, ids), *template_faults(pack)]
    return [targets.located(fault, opened.packs) for fault in found]
