"""A pack and the rules in force -> how its examples and its tests go, and what is wrong with them as they stand."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tfhealth.errors import Fault, nearest
from tfhealth.rules import Checklist, Pack
from tfhealth.rules.pack import built_in
from tfhealth.trials.examples import check_examples, try_examples
from tfhealth.trials.files import read_trials, try_file
from tfhealth.trials.tally import Tally

__all__ = ["check_pack", "try_pack"]


def try_pack(pack: Pack, checklist: Checklist) -> Tally:
    """Judge the examples of a pack's rules, as the pack wrote them, and its test files by the rules in force."""
    total = Tally()
    for one in pack.rules:
        total += try_examples(one.rule, one.source)
    for path in pack.tests:
        total += try_file(path, _shown(path, pack), pack.folder, checklist)
    return total


def check_pack(pack: Pack, ids: Collection[str]) -> list[Fault]:
    """Return what is wrong with a pack's examples and test files without running the latter.

    Args:
        pack: its rules are sound, its test files perhaps not.
        ids: of the rules in force; a test may name these, those of the pack, and the built-in ones.
    """
    faults = [fault for one in pack.rules for fault in check_examples(one.rule, one.source)]
    legal = {*ids, *pack.broken, *(one.rule.id for each in (pack, built_in()) for one in each.rules)}
    for path in pack.tests:
        read = read_trials(path, _shown(path, pack), faults)
        if read is None:
            continue
        file, source = read
        faults += [
            source.fault(("tests", number, "expect", name), f"there is no rule {name!r}{nearest(name, legal)}")
            for number, trial in enumerate(file.tests)
            for name in trial.expect
            if name not in legal
        ]
    return faults


def _shown(path: Path, pack: Pack) -> str:
    """Return what faults call a file of a pack, as they call its other files."""
    return str(Path(pack.folder.name) / path.relative_to(pack.folder))
