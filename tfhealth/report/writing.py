"""Formats and what they are made of -> files in a folder, each whole or not at all, and a line for what went wrong."""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from tfhealth.errors import UsageError, nearest

__all__ = ["Format", "Written", "chosen", "replace", "write_all"]

_LOG = logging.getLogger(__name__)
_OBJECTS = 50_000  # made since the last look for garbage; some 10 MB of a layout


Of = TypeVar("Of")


@dataclass(frozen=True)
class Format(Generic[Of]):
    """One kind of file: its name in the folder, and how it is made."""

    file: str
    make: Callable[[Of], bytes]


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        paths: {format: file} for what was written.
        problems: {format: one line} for what was not, and what to do about it.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def write_all(folder: Path, formats: str | Sequence[str], legal: Mapping[str, Format[Of]], source: Of) -> Written:
    """Write the formats that are named into `folder`; one that fails does not cost the others.

    Args:
        folder: made where it is missing.
        formats: names of `legal`, a list of them or one text with commas.
        legal: every format.
        source: what they are made of.

    Raises:
        UsageError: an unknown format, or none at all.
    """
    written = Written()
    for name in chosen(formats, legal):
        target = folder / legal[name].file
        try:
            with _seldom_collected():
                replace(target, legal[name].make(source))
            written.paths[name] = target
        except Exception as error:
            _LOG.debug("%s not written", name, exc_info=True)
            written.problems[name] = f"{name.upper()} not written: {_reason(error)}"
    return written


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let Python look for garbage seldom in the block: charts and layouts are made of so much that it takes a sixth."""
    usual = gc.get_threshold()
    if usual[0]:
        gc.set_threshold(max(usual[0], _OBJECTS), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def chosen(formats: str | Sequence[str], legal: Iterable[str]) -> tuple[str, ...]:
    """Return the names in `formats`, a list of them or one text with commas, each once.

    Raises:
        UsageError: one that is not legal, or none at all.
    """
    known = list(legal)
    listed = formats.split(",") if isinstance(formats, str) else formats
    names = dict.fromkeys(name.strip() for name in listed if name.strip())
    for name in names:
        if name not in known:
            raise UsageError(f"format {name!r} is unknown; legal: {', '.join(known)}{nearest(name, known)}")
    if not names:
        raise UsageError(f"no format is named; legal: {', '.join(known)}")
    return tuple(names)


def _reason(error: Exception) -> str:
    from tfhealth.report.pdf import PdfError

    text = str(error) if isinstance(error, PdfError | OSError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def replace(target: Path, data: bytes) -> None:
    """Put `data` at `target` so that a reader sees the old file or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
