"""The table `[tool.tfhealth]` of a pyproject.toml -> plain data, and about where in the file its keys stand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfhealth.errors import Fault
from tfhealth.rules.source import MAX_DEPTH, Place, Source, plain

__all__ = ["TABLE", "depth", "read", "speaks_of_us"]

TABLE = ("tool", "tfhealth")
_MAX_BYTES = 1_000_000

_KEY = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def speaks_of_us(path: Path) -> bool:
    """Return whether a file has the table, or is damaged and names it."""
    try:
        text = _text(path)
    except (OSError, UnicodeDecodeError):
        return False
    if not re.search(r"\btfhealth\b", text):
        return False
    try:
        return _table(tomllib.loads(text)) is not None
    except (tomllib.TOMLDecodeError, RecursionError):
        return re.search(r"^\s*\[+\s*tool\s*\.\s*tfhealth\b", text, re.MULTILINE) is not None


def read(path: Path, shown: str) -> Source | Fault:
    """Read the table of the file `path`, called `shown` in faults."""
    try:
        text = _text(path)
        table = _table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = _AT.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(text.splitlines()), 1)
        return Fault(shown, line, column, "", f"not TOML: {_AT.sub('', str(error))}")
    except (OSError, UnicodeDecodeError) as error:
        return Fault(shown, 1, 1, "", f"cannot be read: {error}")
    except RecursionError:
        return Fault(shown, 1, 1, "", f"nested more than {MAX_DEPTH} deep")
    if table is None:
        return Fault(shown, 1, 1, "", f"has no table [{'.'.join(TABLE)}]")
    data = plain(table)
    if depth(data) > MAX_DEPTH:
        return Fault(shown, 1, 1, "", f"nested more than {MAX_DEPTH} deep")
    return Source(shown, data, _places(text, data))


def depth(data: Any) -> int:
    """Return how deep mappings and lists are nested in plain data."""
    if not isinstance(data, dict | list):
        return 0
    return 1 + max((depth(one) for one in (data.values() if isinstance(data, dict) else data)), default=0)


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError("it is no file")
    if path.stat().st_size > _MAX_BYTES:
        raise OSError(f"it has more than {_MAX_BYTES} bytes")
    return path.read_text(encoding="utf-8")


def _table(data: dict[str, Any]) -> dict[str, Any] | None:
    tool = data.get(TABLE[0])
    table = tool.get(TABLE[1]) if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _places(text: str, data: dict[str, Any]) -> dict[Place, tuple[int, int]]:
    """Return the line and column of every key: of those on lines of their own, and inside of values by their text.

    Python's reader keeps no positions. A text that looks like a key may mislead this one, never the data.
    """
    lines = text.splitlines()
    places: dict[Place, tuple[int, int]] = {}
    for path, line, column in _keys(lines):
        if path[: len(TABLE)] == TABLE:
            for end in range(len(TABLE) + 1, len(path) + 1):
                places.setdefault(path[len(TABLE) : end], (line, column))
    starts = sorted(line for line, _ in places.values())
    for path, value in _walk(data, ()):
        if path not in places and path[:-1] in places:
            line, column = places[path[:-1]]
            end = next((start for start in starts if start > line), len(lines) + 1)
            places[path] = _found(lines, _looks_like(path[-1], value), line, column, end) or (line, column)
    return places


def _keys(lines: list[str]) -> Iterator[tuple[Place, int, int]]:
    """Yield the path, line and column of every key and header that begins a line."""
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, line in enumerate(lines, 1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
            table = _numbered(table, counts)
            yield table, number, header.start(2) + 1
        elif entry := _ENTRY.match(line):
            yield (*table, *_parts(entry[1])), number, entry.start(1) + 1


def _parts(dotted: str) -> Place:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


def _numbered(table: Place, counts: dict[Place, int]) -> Place:
    """Put the number of the entry behind the name of every list of tables in a header."""
    path: list[str | int] = []
    for end, part in enumerate(table, 1):
        path.append(part)
        if table[:end] in counts:
            path.append(counts[table[:end]])
    return tuple(path)


def _walk(data: Any, path: Place) -> Iterator[tuple[Place, Any]]:
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for part, value in below:
        yield (*path, part), value
        yield from _walk(value, (*path, part))


def _looks_like(part: str | int, value: Any) -> str | None:
    """Return a pattern for a key of an inline table, or for a text in a list; None for what has no text of its own."""
    if isinstance(part, str):
        return rf"""(?<![\w-])["']?{re.escape(part)}["']?\s*[=.]"""
    return rf"""["']{re.escape(value)}["']""" if isinstance(value, str) else None


def _found(lines: list[str], pattern: str | None, line: int, column: int, end: int) -> tuple[int, int] | None:
    """Return where a pattern first matches between a place and the line `end`."""
    if pattern is None:
        return None
    for number in range(line, end):
        if found := re.compile(pattern).search(lines[number - 1], column if number == line else 0):
            return number, found.start() + 1
    return None
