"""A test file of a pack and a checklist -> a tally of what the rules say of the runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from tfhealth.accepted import COMPLAINTS, accept
from tfhealth.conditions import Severity
from tfhealth.decide import Decision, decide_all
from tfhealth.diagnosis.findings import finding_of
from tfhealth.errors import Fault, RunError, nearest
from tfhealth.loading import DATABASE, load
from tfhealth.rules import Checklist, source
from tfhealth.rules.source import Source
from tfhealth.run import Run
from tfhealth.trials.model import Expectation, Trial, TrialFile
from tfhealth.trials.tally import Tally

__all__ = ["read_trials", "try_file"]


def read_trials(path: Path, shown: str, faults: list[Fault]) -> tuple[TrialFile, Source] | None:
    """Read a test file, called `shown` in faults; None where it cannot be used, for the reasons added to `faults`."""
    found = source.read(path, shown)
    if isinstance(found, Fault):
        faults.append(found)
        return None
    try:
        return TrialFile.model_validate(found.data), found
    except ValidationError as error:
        faults += source.faults(found, error, TrialFile)
        return None


def try_file(path: Path, shown: str, pack: Path, checklist: Checklist) -> Tally:
    """Judge every run of a test file by the rules in force, and compare what they say with what is expected.

    The checklist's baseline is left aside: it is about one model, and a test asks what the rules say.

    Args:
        path: the file; recorded runs are named relative to it.
        shown: what faults call it.
        pack: the folder that recorded runs must lie in.
        checklist: rules in force.

    Returns:
        One result for each rule that a test names; a file that cannot be read is nothing but its faults.
    """
    faults: list[Fault] = []
    read = read_trials(path, shown, faults)
    if read is None:
        return Tally(0, tuple(faults))
    file, found = read
    checklist = replace(checklist, baseline=None)
    total = Tally()
    for number, trial in enumerate(file.tests):
        run = _run(trial, path.parent, pack, found, number)
        total += Tally(0, (run,)) if isinstance(run, Fault) else _tried(trial, run, checklist, found, number)
    return total


def _run(trial: Trial, here: Path, pack: Path, found: Source, number: int) -> Run | Fault:
    if trial.run is None:
        return trial.described()
    place = ("tests", number, "run")
    folder = here / trial.run
    if not all(path.resolve().is_relative_to(pack.resolve()) for path in (folder, folder / DATABASE)):
        return found.fault(place, f"{trial.run!r} is not inside the pack")
    try:
        run = load(folder)
    except RunError as error:
        return found.fault(place, str(error))
    return found.fault(place, f"{trial.run!r} is damaged: {run.damage}") if run.damage else run


@dataclass(frozen=True)
class _Seen:
    """What a rule said of a run: its verdict, the worst site and all of them, and its words."""

    verdict: str
    said: str
    sites: dict[str, tuple[Severity | None, int | None]]


def _tried(trial: Trial, run: Run, checklist: Checklist, found: Source, number: int) -> Tally:
    seen = _all_seen(run, checklist)
    results: list[Fault | None] = []
    for rule, expected in trial.expected().items():
        place = ("tests", number, "expect", rule)
        if rule not in seen:
            what = f"{rule} is no rule in force{nearest(rule, seen)}"
            results.append(found.fault(place, f"{trial.name}: {what}"))
            continue
        wrong = _differing(expected, seen[rule])
        results.append(found.fault(place, f"{trial.name}: {wrong}") if wrong else None)
    return Tally.of(results)


def _all_seen(run: Run, checklist: Checklist) -> dict[str, _Seen]:
    """Return {rule id: what it said}; of a suppressed rule, what was suppressed."""
    accepted = accept(decide_all(checklist, run), checklist, date.today())
    taken = {part.rule.id: part for part, _ in reversed(accepted.taken)}
    seen = {}
    for one in accepted.decisions:
        shown = taken[one.rule.id] if one.verdict == "suppressed" else one
        said = finding_of(shown, run, checklist).message if shown.verdict in COMPLAINTS else one.reason
        seen[one.rule.id] = _Seen(one.verdict, said, _places(shown))
    return seen


def _places(decision: Decision) -> dict[str, tuple[Severity | None, int | None]]:
    places: dict[str, tuple[Severity | None, int | None]] = {}
    for site, outcome, _ in decision.breaches:
        places.setdefault(site.name, (outcome.severity, outcome.step))
    return places


def _differing(expected: Expectation, seen: _Seen) -> str:
    """Return what was expected and what was found, in words; empty where they agree."""
    severity, step = seen.sites.get(expected.site or next(iter(seen.sites), ""), (None, None))
    pairs: list[tuple[str, str]] = [(expected.verdict, seen.verdict)]
    if expected.severity is not None:
        pairs.append((f"severity {expected.severity}", f"severity {severity or 'none'}"))
    if expected.site is not None:
        shown = expected.site if expected.site in seen.sites else _listed(seen.sites)
        pairs.append((f"at {expected.site}", f"at {shown}"))
    if expected.sites is not None:
        pairs.append((f"at {_listed(sorted(expected.sites))}", f"at {_listed(sorted(seen.sites))}"))
    if expected.step is not None:
        pairs.append((f"from step {expected.step}", f"from step {step}" if step is not None else "from no step"))
    if expected.message is not None:
        same = expected.message in seen.said
        pairs.append((f"saying {expected.message!r}", f"saying {expected.message!r}" if same else "other words"))
    if all(one == other for one, other in pairs):
        return ""
    wanted, got = (", ".join(one) for one in zip(*pairs, strict=True))
    return f"expected {wanted}; found {got}" + (f" ({seen.said})" if seen.said else "")


def _listed(names: Sequence[str] | dict[str, tuple[Severity | None, int | None]]) -> str:
    return ", ".join(list(names)) or "no site"
