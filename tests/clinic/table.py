"""Every program of the clinic, at several seeds -> the table of what each rule found: `make clinic`.

Run as `python -m tests.clinic.table --seeds 3 --write docs/clinic.md`. Each program is trained once a seed.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import track

from tests.clinic.diagnosis import diagnosed
from tests.clinic.pair import Pair
from tests.clinic.ward import healthy, pairs
from tfhealth import load_checklist
from tfhealth.result import Result

HEAD = """# The clinic

What the built-in rules say of {sick} sick and {healthy} healthy programs, each trained at {seeds} seeds under
`HealthCallback()` as shipped. Made by `make clinic`; the programs are in `tests/clinic/`. They were written together
with the rules, so these are no error rates for programs of other people. Intervals are Wilson's, at 95 %, over
programs and seeds together.

"""


@dataclass
class Count:
    """How often something happened: one entry a seed, of how many programs."""

    of: int
    seeds: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.of:
            return "–"
        total, n = sum(self.seeds), self.of * len(self.seeds)
        low, high = wilson(total, n)
        return f"{' '.join(map(str, self.seeds))} of {self.of} ({low:.0%}–{high:.0%})"


def wilson(found: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Return the limits between which a share lies with 95 % confidence, of which `found` of `of` were seen."""
    share, spread = found / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def count(programs: Sequence[Callable[..., object]], seeds: int, holds: Callable[[Result], bool]) -> Count:
    """Count the programs of which `holds` is true, at each seed."""
    return Count(len(programs), [sum(holds(diagnosed(one, seed)) for one in programs) for seed in range(seeds)])


def row_lines(found: Sequence[Pair], well: Sequence[Callable[..., object]], seeds: int) -> Iterable[str]:
    """Yield a line for each row that has a pair."""
    yield "| Row | sick: row says so | sick: row leads | healthy: fails | healthy: warns |"
    yield "|---|---|---|---|---|"
    for row in dict.fromkeys(pair.row for pair in found):
        own = [pair for pair in found if pair.row == row]
        said = Count(len(own), [sum(says(pair, seed) for pair in own) for seed in range(seeds)])
        first = Count(len(own), [sum(leads(pair, seed) for pair in own) for seed in range(seeds)])
        fails, warns = (count(well, seeds, functools.partial(has, row, word)) for word in ("fail", "warn"))
        yield f"| {row} | {said} | {first} | {fails} | {warns} |"


def rule_lines(found: Sequence[Pair], well: Sequence[Callable[..., object]], seeds: int) -> Iterable[str]:
    """Yield a line for each rule: of the sick programs of its row, in how many it found something."""
    yield "| Rule | Row | sick found | sick missed | healthy flagged |"
    yield "|---|---|---|---|---|"
    for rule in load_checklist().rules:
        own = [pair.sick for pair in found if pair.row == rule.checklist]
        complains = functools.partial(found_by, rule.id)
        hits, flagged = (count(group, seeds, complains) for group in (own, well))
        missed = Count(hits.of, [hits.of - one for one in hits.seeds])
        yield f"| {rule.id} | {rule.checklist} | {hits} | {missed} | {flagged} |"


def verdict(result: Result, row: str) -> str:
    """Return what a row says."""
    return next(one.verdict for one in result.checklist if one.id == row)


def has(row: str, word: str, result: Result) -> bool:
    """Whether a row has a verdict."""
    return verdict(result, row) == word


def says(pair: Pair, seed: int) -> bool:
    """Whether the row of a sick program has the verdict that it should have."""
    return verdict(diagnosed(pair.sick, seed), pair.row) == pair.verdict


def leads(pair: Pair, seed: int) -> bool:
    """Whether the first finding is of the row of a sick program."""
    findings = diagnosed(pair.sick, seed).findings
    return bool(findings) and findings[0].checklist == pair.row


def found_by(rule: str, result: Result) -> bool:
    """Whether a rule found something."""
    return any(one.rule == rule for one in result.findings)


def misses(found: Sequence[Pair], well: Sequence[Callable[..., object]], seeds: int) -> Iterable[str]:
    """Yield a line for each program that was judged wrongly at some seed."""
    for pair in found:
        wrong = [seed for seed in range(seeds) if not (says(pair, seed) and leads(pair, seed))]
        if wrong:
            where = ", ".join(map(str, wrong))
            yield f"- `{pair.sick.__name__}` ({pair.row}) is missed, or does not lead, at seed {where}"
    for one in well:
        for seed in range(seeds):
            rows = {f"{finding.checklist} ({finding.verdict})" for finding in diagnosed(one, seed).findings}
            if rows:
                yield f"- `{one.__name__}`, healthy, at seed {seed}: {', '.join(sorted(rows))}"


def page(seeds: int) -> str:
    """Train everything, with a progress bar, and return the page."""
    found, well = pairs(), healthy()
    everything = [*dict.fromkeys([*(pair.sick for pair in found), *well])]
    for program in track(everything, "Training"):
        for seed in range(seeds):
            diagnosed(program, seed)
    parts = [HEAD.format(sick=len({pair.sick for pair in found}), healthy=len(well), seeds=seeds)]
    for title, lines in (("Rows", row_lines), ("Rules", rule_lines), ("Judged wrongly", misses)):
        parts.append(f"## {title}\n\n" + "\n".join([*lines(found, well, seeds)] or ["None."]) + "\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> None:
    """Print the table, or write it to a file."""
    parser = argparse.ArgumentParser(prog="tests.clinic.table")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args(arguments)
    text = page(chosen.seeds)
    if chosen.write:
        chosen.write.write_text(text)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
