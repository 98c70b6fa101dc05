"""A file of accepted findings <-> Baseline: read, made of results, pruned, written with one entry a line."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tfhealth.conditions import SEVERITIES, Severity
from tfhealth.errors import Fault, RuleError, UsageError, nearest
from tfhealth.result import Finding, Result
from tfhealth.rules import source
from tfhealth.series import KINDS

__all__ = ["Baseline", "Entry", "Key", "accept", "prune", "read", "write"]

_MAX_BYTES = 20_000_000  # some 150,000 entries

Key = tuple[str, str, str]
"""(rule, kind, site)."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Model):
    """One finding at one site that was accepted, up to a severity, on a day."""

    rule: str = Field(min_length=1)
    kind: str
    site: str
    severity: Severity
    since: date = Field(strict=True)  # else 5 were a second of 1970

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"kind of site {kind!r} is unknown; legal: {', '.join(KINDS)}{nearest(kind, KINDS)}")
        return kind

    @property
    def key(self) -> Key:
        """What the entry is for."""
        return self.rule, self.kind, self.site


class Baseline(_Model):
    """The findings that were there when somebody began to look; only what is new or worse counts.

    Entries are sorted, and there is one for each (rule, kind, site).
    """

    baseline_version: Literal["1.0"]
    entries: tuple[Entry, ...]

    @field_validator("baseline_version", mode="before")
    @classmethod
    def _readable(cls, version: Any) -> Any:
        if version != "1.0":
            raise ValueError(f"{version!r} is unknown, this tfhealth reads 1.0; was the file written by a newer one?")
        return version

    @model_validator(mode="after")
    def _each_once(self) -> Baseline:
        seen: set[Key] = set()
        for entry in self.entries:
            if entry.key in seen:
                raise ValueError(f"{entry.rule} at {entry.kind} {entry.site} is listed twice")
            seen.add(entry.key)
        return self


def read(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        UsageError: there is no such file.
        RuleError: it is no baseline; every fault with its line and column.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _wrong(path, 1, 1, f"has more than {_MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
        json.loads(text)  # knows lines and columns, which pydantic does not
        return Baseline.model_validate_json(text)
    except OSError as error:
        advice = f"`tfhealth evaluate RUN --write-baseline {path}` makes one"
        raise UsageError(f"{path}: no baseline can be read there: {error.strerror}; {advice}.") from None
    except ValidationError as error:
        raise _invalid(path, error) from None
    except json.JSONDecodeError as error:
        raise _wrong(path, error.lineno, error.colno, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of 5,000 digits, 10,000 brackets
        raise _wrong(path, 1, 1, f"not JSON: {error}") from None


def _wrong(path: Path, line: int, column: int, what: str) -> RuleError:
    return RuleError([Fault(str(path), line, column, "", what)])


def _invalid(path: Path, error: ValidationError) -> RuleError:
    """Say where the faults stand: JSON is YAML too, and the reader of rule files knows lines and columns."""
    found = source.read(path, str(path))
    data = found if isinstance(found, source.Source) else source.Source(str(path), None)
    return RuleError(source.faults(data, error, Baseline))


def write(path: Path, baseline: Baseline) -> None:
    """Write a baseline, whole or not at all.

    Raises:
        UsageError: it cannot be written there.
    """
    lines = [f"    {json.dumps(entry.model_dump(mode='json'))}" for entry in baseline.entries]
    entries = "[\n" + ",\n".join(lines) + "\n  ]" if lines else "[]"
    text = f'{{\n  "baseline_version": "{baseline.baseline_version}",\n  "entries": {entries}\n}}\n'
    part = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: the baseline cannot be written there: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def accept(results: Sequence[Result], today: date, before: Baseline | None = None) -> Baseline:
    """Return a baseline of every finding in `results`; entries that were in `before` keep their day.

    What is suppressed otherwise is left out.
    """
    days = {entry.key: entry.since for entry in before.entries} if before else {}
    worst = _shown(finding for result in results for finding in result.findings)
    entries = [
        Entry(rule=key[0], kind=key[1], site=key[2], severity=severity, since=days.get(key, today))
        for key, severity in sorted(worst.items())
    ]
    return Baseline(baseline_version="1.0", entries=tuple(entries))


def prune(baseline: Baseline, results: Sequence[Result]) -> tuple[Baseline, tuple[Entry, ...]]:
    """Return the baseline without entries that no result shows any more, and these.

    `results` are those of an evaluation, by this baseline or by none. An entry whose rule is in force but could be
    decided in none of them stays: nothing is known of it.
    """
    found = [finding for result in results for finding in result.findings]
    found += [one.finding for result in results for one in result.suppressed]
    shown = _shown(found).keys()
    verdicts = [one for result in results for one in result.rules]
    undecided = {one.rule for one in verdicts} - {
        one.rule for one in verdicts if one.verdict not in ("not_measured", "error")
    }
    kept = tuple(one for one in baseline.entries if one.key in shown or one.rule in undecided)
    dropped = tuple(one for one in baseline.entries if one not in kept)
    return Baseline(baseline_version="1.0", entries=kept), dropped


def _shown(findings: Iterable[Finding]) -> dict[Key, Severity]:
    """Return every site of the findings with the highest severity there."""
    worst: dict[Key, Severity] = {}
    for finding in findings:
        for breach in finding.sites:
            key = (finding.rule, breach.kind, breach.name)
            worst[key] = max(worst.get(key, breach.severity), breach.severity, key=SEVERITIES.index)
    return worst
