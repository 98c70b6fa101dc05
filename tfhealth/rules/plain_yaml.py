"""A text of plain YAML 1.2 -> its data, and where each part of it stands.

The syntax is libyaml's, as events; what they come to is built here, since rules may say only what JSON could say too:
no anchors, which grow without bound, no tags, no merging, no key twice, no depth without end. Untagged words mean what
the core schema of YAML 1.2 says, so `off` is text and `1e-3` a number. A composer for round trips took twelve times as
long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

__all__ = ["MAX_DEPTH", "NotPlainError", "Place", "document"]

MAX_DEPTH = 20

Place = tuple[str | int, ...]
"""The keys and numbers of entries that lead to a part of a file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # as builds without libyaml have it: slower, the same events

_CORE_SCHEMA = re.compile(  # https://yaml.org/spec/1.2.2/#1032-tag-resolution
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)"
    r"|(?P<decimal>[-+]?[0-9]+)|(?P<based>0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<unbounded>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_MEANINGS: dict[str | None, Callable[[str], Any]] = {
    "null": lambda _: None,
    "true": lambda _: True,
    "false": lambda _: False,
    "decimal": int,
    "based": lambda text: int(text, 0),
    "float": float,
    "unbounded": lambda text: float(text.replace(".", "")),
}


class NotPlainError(Exception):
    """What is wrong with a text, and where: line and column from 1."""

    def __init__(self, what: str, mark: Any = None) -> None:
        super().__init__(what)
        self.line, self.column = _position(mark)

    def within(self, text: str) -> NotPlainError:
        """Return it with a place in the text: libyaml takes its end for a further line."""
        lines = text.split("\n")
        if self.line > len(lines):
            self.line, self.column = len(lines), len(lines[-1]) + 1
        return self


def document(text: str) -> tuple[Any, dict[Place, tuple[int, int]]]:
    """Return what a text says, and {path: (line, column)} of every key and entry, both from 1.

    The data are dict with text keys, list, str, int, float, bool and None; dates are text.

    Raises:
        NotPlainError: the text is no YAML, not one document, or uses what rules may not.
    """
    try:
        reader = _Reader(text)
        return reader.whole(), reader.places
    except yaml.MarkedYAMLError as error:
        raise NotPlainError(f"not YAML: {error.problem or error}", error.problem_mark).within(text) from None
    except (yaml.YAMLError, ValueError) as error:
        raise NotPlainError(f"not YAML: {error}") from None


class _Reader:
    """Builds the data of one document from its events."""

    def __init__(self, text: str) -> None:
        self.events = yaml.parse(text, Loader=_LOADER)
        self.places: dict[Place, tuple[int, int]] = {}

    def whole(self) -> Any:
        """Return the data of the only document; None of a text without any."""
        next(self.events)  # the stream begins
        if isinstance(next(self.events), StreamEndEvent):
            return None
        data = self.value(next(self.events), ())
        while isinstance(event := next(self.events), DocumentEndEvent):
            pass
        if not isinstance(event, StreamEndEvent):
            raise NotPlainError("not YAML: but found another document", event.start_mark)
        return data

    def value(self, event: Event, path: Place) -> Any:
        """Return what begins with `event`; the events of it are used up."""
        _refuse_what_is_not_plain(event)
        if len(path) >= MAX_DEPTH:
            raise NotPlainError(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        if isinstance(event, MappingStartEvent):
            return self.mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(path)
        assert isinstance(event, ScalarEvent)
        return _meaning(event)

    def mapping(self, path: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = _key(event)
            here = (*path, key)
            if key in found:
                first = self.places[here][0]
                raise NotPlainError(f"key {key!r} is written twice, first in line {first}", event.start_mark)
            self.note(here, event)
            found[key] = self.value(next(self.events), here)
        return found

    def sequence(self, path: Place) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*path, len(found))
            self.note(here, event)
            found.append(self.value(event, here))
        return found

    def note(self, path: Place, event: Event) -> None:
        self.places[path] = _position(event.start_mark)


def _position(mark: Any) -> tuple[int, int]:
    """Return the line and column of a mark, both from 1."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _refuse_what_is_not_plain(event: Event) -> None:
    """Raise NotPlainError where a node has an anchor or a tag, or is an alias."""
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        raise NotPlainError("anchors and aliases are not allowed", event.start_mark)
    if getattr(event, "tag", None) is not None:
        raise NotPlainError("tags are not allowed", event.start_mark)


def _key(event: Event) -> str:
    _refuse_what_is_not_plain(event)
    if not isinstance(event, ScalarEvent):
        raise NotPlainError("a key must be text, not a list or a mapping", event.start_mark)
    if event.value == "<<":
        raise NotPlainError("merge keys (<<) are not allowed", event.start_mark)
    return str(event.value)


def _meaning(event: ScalarEvent) -> Any:
    """Return what a word means: text, where it is quoted or a block."""
    plain, _ = event.implicit
    matched = _CORE_SCHEMA.fullmatch(event.value) if plain else None
    if matched is None:
        return event.value
    try:
        return _MEANINGS[matched.lastgroup](event.value)
    except ValueError as error:  # a whole number of thousands of digits
        raise NotPlainError(f"not YAML: {error}", event.start_mark) from None
