"""Verdicts, one by one -> two Parquet files: a row for each run, and a row for each finding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tfhealth.errors import UsageError
from tfhealth.fleet.task import Judged

__all__ = ["FINDINGS", "RUNS", "Tables", "findings_file"]

RUNS = {
    "run": ("string", "path or URL of the run folder"),
    "name": ("string", "name of the run"),
    "model": ("string", "name of the model"),
    "status": ("string", "running, completed, interrupted or failed"),
    "complete": ("bool_", "whether the training ended by itself and its file is sound"),
    "started": ("timestamp", "when it began, UTC"),
    "ended": ("timestamp", "when it ended, UTC"),
    "steps": ("int64", "optimizer steps seen"),
    "probed_steps": ("int64", "how many of them were probed"),
    "verdict": ("string", "pass, warn, fail or not_measured; null where it could not be judged"),
    "sentence": ("string", "the verdict in one sentence"),
    "cause": ("string", "rule of the leading finding"),
    "findings": ("int64", "how many findings there are"),
    "tfhealth": ("string", "version that judged"),
    "seconds": ("float64", "how long judging took"),
    "trouble": ("string", "why it could not be judged, or what was wrong with its file"),
}
"""{column of the file of runs: (type, meaning)}."""

FINDINGS = {
    "run": ("string", "path or URL of the run folder"),
    "place": ("int64", "its place among the findings of the run, from 0, the leading cause"),
    "rule": ("string", "id of the rule"),
    "title": ("string", "its title"),
    "checklist": ("string", "the row that it decides"),
    "verdict": ("string", "warn or fail"),
    "severity": ("string", "the rung that was breached"),
    "kind": ("string", "kind of the leading site"),
    "site": ("string", "its name"),
    "sites": ("int64", "how many sites there are"),
    "step": ("int64", "step since which it holds there"),
    "value": ("float64", "value at that step; null where it is no number"),
    "message": ("string", "what the rule says"),
}
"""{column of the file of findings: (type, meaning)}."""

_BATCH = 2000  # rows that are kept in memory


def findings_file(runs: Path) -> Path:
    """Return where the findings are written, beside the runs."""
    return runs.with_name(f"{runs.stem}.findings.parquet")


class Tables:
    """Writes both files as the verdicts come; nothing is there under their names before the end.

    Args:
        path: of the file of runs.

    Raises:
        UsageError: pyarrow is not installed, or the files cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._files = {path: RUNS, findings_file(path): FINDINGS}
        self._rows: dict[Path, list[dict[str, Any]]] = {one: [] for one in self._files}
        self._writers: dict[Path, Any] = {}
        self._path = path

    def __enter__(self) -> Tables:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise UsageError("pyarrow is not installed; `pip install 'tfhealth[fleet]'` brings it.") from None
        with ExitStack() as stack:
            for path, columns in self._files.items():
                types = [(name, _type(pa, kind)) for name, (kind, _) in columns.items()]
                try:
                    writer = stack.enter_context(parquet.ParquetWriter(_part(path), pa.schema(types)))
                except OSError as error:
                    raise UsageError(f"{path}: cannot be written: {error.strerror or error}.") from None
                self._writers[path] = writer
            stack.pop_all()
        return self

    def add(self, one: Judged) -> None:
        """Add a run with its findings."""
        self._rows[self._path].append(_sound(_run(one)))
        self._rows[findings_file(self._path)].extend(map(_sound, _findings(one)))
        for path, rows in self._rows.items():
            if len(rows) >= _BATCH:
                self._write(path)

    def _write(self, path: Path) -> None:
        import pyarrow as pa

        writer, rows = self._writers[path], self._rows[path]
        writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
        rows.clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for path, writer in self._writers.items():
            if kind is None:
                self._write(path)
            writer.close()
        for path in self._writers:
            if kind is None:
                _part(path).replace(path)
            else:
                _part(path).unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _type(pa: Any, kind: str) -> Any:
    return pa.timestamp("us") if kind == "timestamp" else getattr(pa, kind)()


def _run(one: Judged) -> dict[str, Any]:
    if one.result is None:
        return {"run": one.place, "trouble": one.trouble, "seconds": one.seconds}
    result, info = one.result, one.result.run
    return {
        "run": one.place,
        "name": info.name,
        "model": one.model,
        "status": info.status,
        "complete": info.complete,
        "started": _time(info.started),
        "ended": _time(info.ended),
        "steps": info.steps,
        "probed_steps": info.probed_steps,
        "verdict": result.verdict,
        "sentence": result.sentence,
        "cause": result.findings[0].rule if result.findings else None,
        "findings": len(result.findings),
        "tfhealth": result.tfhealth,
        "seconds": one.seconds,
        "trouble": info.damage or None,
    }


def _findings(one: Judged) -> Iterator[dict[str, Any]]:
    for place, finding in enumerate(one.result.findings if one.result is not None else ()):
        yield {
            "run": one.place,
            "place": place,
            "sites": len(finding.sites),
            "value": finding.value if isinstance(finding.value, int | float) else None,
            **{name: getattr(finding, name) for name in ("rule", "title", "checklist", "verdict", "severity")},
            **{name: getattr(finding, name) for name in ("kind", "site", "step", "message")},
        }


def _sound(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that Parquet can hold whatever a run says: what is no Unicode or too large a number is not."""
    return {name: _held(value) for name, value in row.items()}


def _held(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and not -(2**53) < value < 2**53:
        return None
    return value


def _time(said: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(said) if said else None
        return found.astimezone(UTC).replace(tzinfo=None) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
