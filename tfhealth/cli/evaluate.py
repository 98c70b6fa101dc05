"""`tfhealth evaluate RUN…`: recorded runs -> verdicts by other rules, in several formats, a baseline, and a gate."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.cli import options
from tfhealth.cli.exits import told_gate
from tfhealth.cli.fleet import act, is_fleet
from tfhealth.cli.github import tell_github
from tfhealth.errors import UsageError

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Checklist
    from tfhealth.run import Run

__all__ = ["OUTPUTS", "add"]

_SHOWN = 20


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = "Judge recorded runs again, by other rules or limits. Nothing is written into the runs."
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run directory; with --engine ray or a .parquet file as --output also a folder of them, a pattern, or a "
        "URL such as s3://BUCKET/runs",
    )
    options.add_rules(parser)
    options.add_fail_on(parser)
    _add_baseline(parser)
    names = ", ".join(OUTPUTS)
    parser.add_argument("--format", choices=OUTPUTS, default="text", metavar="NAME", help=f"what to print: {names}")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write that into this file, and print a summary instead; into FILE.parquet, a row for each run, and "
        "beside it FILE.findings.parquet, a row for each finding",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where runs are judged: here, or spread over a Ray cluster: that of RAY_ADDRESS, or one on this machine",
    )
    parser.set_defaults(act=_act)


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="accept the findings in this file; only new and graver ones count (default: the profile's)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="accept every finding of these runs, in this file"
    )
    group.add_argument(
        "--prune-baseline",
        action="store_true",
        help="take out of the baseline what none of these runs shows any more, and say what",
    )


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.diagnosis import evaluate
    from tfhealth.loading import load

    checklist = options.checklist(arguments)
    if arguments.baseline is not None:
        checklist = replace(checklist, baseline=arguments.baseline)
    if is_fleet(arguments):
        return act(arguments, checklist)
    arguments.runs = [Path(one) for one in arguments.runs]
    runs = [load(path) for path in arguments.runs]
    if arguments.write_baseline is not None:
        checklist = _write_baseline(checklist, runs, arguments.write_baseline)
    elif arguments.prune_baseline:
        _prune_baseline(checklist, runs)
    results = [evaluate(checklist, run) for run in runs]
    _show(arguments, results)
    return told_gate(results, options.gate(arguments, checklist))


def _write_baseline(checklist: Checklist, runs: Sequence[Run], path: Path) -> Checklist:
    """Accept what the runs show; return the checklist by which it is accepted."""
    from tfhealth import baseline
    from tfhealth.diagnosis import evaluate

    bare = replace(checklist, baseline=None)
    before = baseline.read(path) if path.exists() else None
    made = baseline.accept([evaluate(bare, run) for run in runs], date.today(), before)
    baseline.write(path, made)
    _tell(f"{path}: {_entries(len(made.entries))} written")
    return replace(checklist, baseline=path)


def _prune_baseline(checklist: Checklist, runs: Sequence[Run]) -> None:
    from tfhealth import baseline
    from tfhealth.diagnosis import evaluate

    path = checklist.baseline
    if path is None:
        raise UsageError("--prune-baseline: there is no baseline; name one with --baseline or in the profile.")
    kept, dropped = baseline.prune(baseline.read(path), [evaluate(checklist, run) for run in runs])
    if dropped:
        baseline.write(path, kept)
    more = [f"and {len(dropped) - _SHOWN} more"] if len(dropped) > _SHOWN else []
    listed = [f"{one.rule} at {one.kind} {one.site}" for one in dropped[:_SHOWN]]
    _tell(f"{path}: {_entries(len(dropped))} taken out, {len(kept.entries)} left", *listed, *more)


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _tell(*lines: str) -> None:
    """Print on standard error, which keeps standard output fit for machines."""
    from tfhealth.console import one_line

    print("\n  ".join(one_line(line) for line in (f"tfhealth: {lines[0]}", *lines[1:])), file=sys.stderr)


def _show(arguments: argparse.Namespace, results: Sequence[Result]) -> None:
    """Print or write the results in the format asked for, and tell GitHub where that is who runs us."""
    made = OUTPUTS[arguments.format](arguments.runs, results)
    if arguments.output is None:
        print(made, end="\n" if made else "")
    else:
        try:
            arguments.output.write_text(f"{made}\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{arguments.output}: cannot be written: {error.strerror}.") from None
        print(_text(arguments.runs, results))
    for_people = arguments.output is not None or arguments.format == "text"
    told = arguments.output is None and arguments.format == "github"
    tell_github(results, None if told else sys.stdout if for_people else sys.stderr)


def _text(paths: Sequence[Path], results: Sequence[Result]) -> str:
    from tfhealth.console import summary

    return "\n".join(f"\n{path}{summary(result, None)}" for path, result in zip(paths, results, strict=True))


def _json(paths: Sequence[Path], results: Sequence[Result]) -> str:
    text = json.dumps([result.model_dump(mode="json") for result in results], indent=2)
    # A CI must not find a command such as `##[error]` in a name; JSON has another way to write it.
    return re.sub("#(?=#)", r"\\u0023", text)


def _junit(paths: Sequence[Path], results: Sequence[Result]) -> str:
    from tfhealth.report.inert import inert
    from tfhealth.report.junit import junit

    return inert(junit(results).decode().rstrip("\n"))


def _markdown(paths: Sequence[Path], results: Sequence[Result]) -> str:
    from tfhealth.report.pull_request import pull_request

    return pull_request(results).rstrip("\n")


def _github(paths: Sequence[Path], results: Sequence[Result]) -> str:
    from tfhealth.report.github import workflow_commands

    return "\n".join(workflow_commands(results))


OUTPUTS: dict[str, Callable[[Sequence[Path], Sequence[Result]], str]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
    "github": _github,
}
"""What `--format` names: (paths of the runs, their verdicts) -> text."""
