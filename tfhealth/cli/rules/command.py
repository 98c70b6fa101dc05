"""`tfhealth rules ACTION`: arguments -> one action of `ACTIONS`, each a module beside this one."""

from __future__ import annotations

import argparse

from tfhealth.cli.rules import check, diff, explain, new, new_pack, schema
from tfhealth.cli.rules import list as list_
from tfhealth.cli.rules import test as test_

__all__ = ["ACTIONS", "add"]

_EPILOG = """exit codes of check, test and diff:
  0  nothing to complain of (check: warnings at most), every expectation holds, no difference
  1  faults, expectations that do not hold, differences
  2  wrong use: arguments, rules or paths that cannot be meant
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser one sub-command for each of `ACTIONS`."""
    parser.description = "List, explain, write, check, test and compare rules."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for add_action in ACTIONS:
        add_action(actions)


ACTIONS = (list_.add, explain.add, new.add, new_pack.add, schema.add, check.add, test_.add, diff.add)
"""What adds each action to the parser."""
