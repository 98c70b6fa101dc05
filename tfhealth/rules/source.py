"""A YAML file -> plain data with the line and column of every key; what pydantic finds wrong in it -> faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tfhealth.errors import Fault, Level, PartError, nearest
from tfhealth.rules.plain_yaml import MAX_DEPTH, NotPlainError, Place, document

__all__ = ["MAX_DEPTH", "Place", "Source", "faults", "parsed", "plain", "read"]

_MAX_CHARACTERS = 200_000
_MOST_FAULTS = 500  # of one file; a file of ten thousand unknown keys is not worth ten thousand searches


class Source:
    """The plain data of one file, and where each part of it stands.

    Attributes:
        file: as faults show it.
        data: mappings with text keys, lists, text, numbers, dates, bool, None.
        places: {path: (line, column)} of every key and entry, both from 1.
    """

    def __init__(self, file: str, data: Any, places: Mapping[Place, tuple[int, int]] | None = None) -> None:
        self.file = file
        self.data = data
        self.places = places or {}

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, both from 1, of the deepest part of `path` that exists in the file."""
        whole = tuple(path)
        known = (self.places[whole[:end]] for end in range(len(whole), 0, -1) if whole[:end] in self.places)
        return next(known, (1, 1))

    def real(self, path: Sequence[str | int]) -> Place:
        """Return the parts of `path` that are in the file: pydantic also names alternatives of a union."""
        node: Any = self.data
        found: list[str | int] = []
        for part in path:
            there = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
            if part in there:
                found.append(part)
                node = node[part]
        return tuple(found)

    def fault(self, path: Sequence[str | int], what: str, level: Level = "error") -> Fault:
        """Return a fault at `path`."""
        line, column = self.position(path)
        return Fault(self.file, line, column, ".".join(str(part) for part in path), what, level)


def read(path: Path, shown: str) -> Source | Fault:
    """Read the YAML file `path`, called `shown` in errors; a Fault where it is no plain YAML 1.2."""
    try:
        size = path.stat().st_size
        if size > 4 * _MAX_CHARACTERS:
            return Fault(shown, 1, 1, "", f"has {size} bytes; at most {_MAX_CHARACTERS} characters are read")
        text = path.read_text(encoding="utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        return Fault(shown, 1, 1, "", f"cannot be read: {error}")
    if text is None:
        return Fault(shown, 1, 1, "", "cannot be read: it is no file")
    return parsed(text, shown)


def parsed(text: str, shown: str) -> Source | Fault:
    """Return what a text called `shown` says; a Fault where it is no plain YAML 1.2."""
    if len(text) > _MAX_CHARACTERS:
        return Fault(shown, 1, 1, "", f"has {len(text)} characters; at most {_MAX_CHARACTERS} are read")
    try:
        data, places = document(text)
    except NotPlainError as refused:
        return Fault(shown, refused.line, refused.column, "", str(refused))
    if not isinstance(data, dict):
        found = "empty" if data is None else "a list" if isinstance(data, list) else "a single value"
        return Fault(shown, 1, 1, "", f"must be a mapping of keys, is {found}")
    return Source(shown, data, places)


def plain(value: Any) -> Any:
    """Return data without the types that the reader, or Python, makes of text, numbers, mappings and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value if value is None or isinstance(value, date) else str(value)


def faults(source: Source, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Turn what pydantic found in `source` into faults that name the legal keys and the nearest one."""
    found: dict[Place, list[tuple[str, str]]] = {}
    for detail in error.errors(include_url=False, include_context=True)[:_MOST_FAULTS]:
        *_, last = (None, *detail["loc"])
        path = source.real(detail["loc"])
        if detail["type"] == "extra_forbidden":
            path = path if path[-1:] == (last,) else (*path, str(last))
            legal = _legal_keys(model, path[:-1])
            what = f"unknown key {last!r}; legal: {', '.join(legal)}{nearest(str(last), legal)}"
        elif detail["type"] == "missing":
            what = f"value {last + 1} is required" if isinstance(last, int) else f"key {last!r} is required"
            path = (*path, str(last))
        else:
            what = detail["msg"].removeprefix("Value error, ")
            error_of_ours = detail.get("ctx", {}).get("error")
            if isinstance(error_of_ours, PartError):
                path = (*path, *error_of_ours.path)
        found.setdefault(path, []).append((detail["type"], what))
    # Every alternative of a union complains: where one of them went deeper into the file, that is what was meant.
    return [source.fault(path, _either(said)) for path, said in found.items() if not _is_prefix(path, found)]


def _is_prefix(path: Place, others: Iterable[Place]) -> bool:
    return bool(path) and any(len(other) > len(path) and other[: len(path)] == path for other in others)


def _either(said: Sequence[tuple[str, str]]) -> str:
    """Join what the alternatives of a union said of one value: (pydantic's type of error, words)."""
    # An alternative that has the right shape and another complaint is the one that was meant.
    meant = [what for kind, what in said if not kind.endswith(("_type", "_parsing", "literal_error"))]
    first, *others = dict.fromkeys(meant or [what for _, what in said])
    return " or ".join([first, *(what.removeprefix("Input should be ") for what in others)])


def _legal_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys that the mapping at `path` of `model` may have."""
    here: Any = model
    for part in path:
        here = next((one for one in _models_below(here, str(part))), here)
    return [field.alias or name for name, field in here.model_fields.items()]


def _models_below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """Return the models that the field `key` of `model` may hold."""
    field = next((f for name, f in model.model_fields.items() if key in (name, f.alias)), None)
    found: list[type[BaseModel]] = []
    queue = [field.annotation] if field else []
    while queue:
        kind = queue.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        queue += list(getattr(kind, "__args__", ()))
    return found
