"""Every program of the clinic, at several seeds -> the table of what each rule found: `make clinic`.

Run as `python -m tests.clinic.table --seeds 3 --write docs/clinic.md`. Each program is trained once a seed. With
`--runs FOLDER` the runs are kept there, and later ones judge them again without training: what a changed rule costs
is known in minutes. What a rule did not look at when a run was recorded is not in it.
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

What the built-in rules say of {sick} sick and {healthy} healthy programs, each trained at {seeds} under
`HealthCallback()` as shipped. Made by `make clinic`; the programs are in `tests/clinic/`. They were written together
with the rules, so these are no error rates for programs of other people. Intervals are Wilson's, at 95 %, over
programs and seeds together.
"""


@dataclass(frozen=True)
class Book:
    """What was found: the results of programs at some seeds.

    Attributes:
        seeds: how many, from 0 on.
        kept: the folder of their runs; None where they are not kept.
    """

    seeds: int
    kept: Path | None

    def of(self, program: Callable[..., object], seed: int) -> Result:
        """Return what is said of a program at a seed; it is trained where that was not done yet."""
        return diagnosed(program, seed, self.kept)


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


def count(programs: Sequence[Callable[..., object]], book: Book, holds: Callable[[Result], bool]) -> Count:
    """Count the programs of which `holds` is true, at each seed."""
    return Count(len(programs), [sum(holds(book.of(one, seed)) for one in programs) for seed in range(book.seeds)])


def totals(found: Sequence[Pair], well: Sequence[Callable[..., object]], book: Book) -> Iterable[str]:
    """Yield a list of the counts over all programs."""
    seeds = range(book.seeds)
    rows = Count(len(found), [sum(says(pair, book.of(pair.sick, seed)) for pair in found) for seed in seeds])
    first = Count(len(found), [sum(leads(pair, book.of(pair.sick, seed)) for pair in found) for seed in seeds])
    fails, warns = (count(well, book, functools.partial(any_row, word)) for word in ("fail", "warn"))
    yield f"- sick, the row says so: {rows}\n- sick, the row leads: {first}"
    yield f"- healthy, some row fails: {fails}\n- healthy, some row warns: {warns}\n"


def row_lines(found: Sequence[Pair], well: Sequence[Callable[..., object]], book: Book) -> Iterable[str]:
    """Yield a line for each row that has a pair."""
    yield "| Row | sick: row says so | sick: row leads | healthy: fails | healthy: warns |"
    yield "|---|---|---|---|---|"
    for row in dict.fromkeys(pair.row for pair in found):
        own = [pair for pair in found if pair.row == row]
        said = Count(
            len(own), [sum(says(pair, book.of(pair.sick, seed)) for pair in own) for seed in range(book.seeds)]
        )
        first = Count(
            len(own), [sum(leads(pair, book.of(pair.sick, seed)) for pair in own) for seed in range(book.seeds)]
        )
        fails, warns = (count(well, book, functools.partial(has, row, word)) for word in ("fail", "warn"))
        yield f"| {row} | {said} | {first} | {fails} | {warns} |"


def rule_lines(found: Sequence[Pair], well: Sequence[Callable[..., object]], book: Book) -> Iterable[str]:
    """Yield a line for each rule: of the sick programs of its row, in how many it found something."""
    yield "| Rule | Row | sick found | sick missed | healthy flagged |"
    yield "|---|---|---|---|---|"
    for rule in load_checklist().rules:
        own = [pair.sick for pair in found if pair.row == rule.checklist]
        complains = functools.partial(found_by, rule.id)
        hits, flagged = (count(group, book, complains) for group in (own, well))
        missed = Count(hits.of, [hits.of - one for one in hits.seeds])
        yield f"| {rule.id} | {rule.checklist} | {hits} | {missed} | {flagged} |"


def verdict(result: Result, row: str) -> str:
    """Return what a row says."""
    return next(one.verdict for one in result.checklist if one.id == row)


def any_row(word: str, result: Result) -> bool:
    """Whether some row has a verdict."""
    return any(row.verdict == word for row in result.checklist)


def has(row: str, word: str, result: Result) -> bool:
    """Whether a row has a verdict."""
    return verdict(result, row) == word


def says(pair: Pair, result: Result) -> bool:
    """Whether the row of a sick program has the verdict that it should have."""
    return verdict(result, pair.row) == pair.verdict


def leads(pair: Pair, result: Result) -> bool:
    """Whether the first finding is of the row of a sick program."""
    return bool(result.findings) and result.findings[0].checklist == pair.row


def found_by(rule: str, result: Result) -> bool:
    """Whether a rule found something."""
    return any(one.rule == rule for one in result.findings)


def misses(found: Sequence[Pair], well: Sequence[Callable[..., object]], book: Book) -> Iterable[str]:
    """Yield a line for each program that was judged wrongly at some seed."""
    for pair in found:
        results = [book.of(pair.sick, seed) for seed in range(book.seeds)]
        wrong = [seed for seed, one in enumerate(results) if not (says(pair, one) and leads(pair, one))]
        if wrong:
            where = ", ".join(map(str, wrong))
            yield f"- `{pair.sick.__name__}` ({pair.row}) is missed, or does not lead, at seed {where}"
    for one in well:
        for seed in range(book.seeds):
            rows = {f"{finding.checklist} ({finding.verdict})" for finding in book.of(one, seed).findings}
            if rows:
                yield f"- `{one.__name__}`, healthy, at seed {seed}: {', '.join(sorted(rows))}"


def page(book: Book) -> str:
    """Train everything, with a progress bar, and return the page."""
    found, well = pairs(), healthy()
    everything = [*dict.fromkeys([*(pair.sick for pair in found), *well])]
    for program in track(everything, "Training"):
        for seed in range(book.seeds):
            book.of(program, seed)
    parts = [
        HEAD.format(sick=len({pair.sick for pair in found}), healthy=len(well), seeds=_several(book.seeds, "seed")),
        *totals(found, well, book),
    ]
    for title, lines in (("Rows", row_lines), ("Rules", rule_lines), ("Judged wrongly", misses)):
        parts.append(f"## {title}\n\n" + "\n".join([*lines(found, well, book)] or ["None."]) + "\n")
    return "\n".join(parts)


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def main(arguments: list[str]) -> None:
    """Print the table, or write it to a file."""
    parser = argparse.ArgumentParser(prog="tests.clinic.table")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--runs", type=Path, help="keep the runs here; judge those that are here without training")
    chosen = parser.parse_args(arguments)
    if chosen.runs:
        chosen.runs.mkdir(parents=True, exist_ok=True)
    text = page(Book(chosen.seeds, chosen.runs))
    if chosen.write:
        chosen.write.write_text(text)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
