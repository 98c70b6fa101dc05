"""A YAML file -> plain data with the line and column of every key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from tfhealth.errors import Fault, nearest

__all__ = ["Source", "read"]

_MAX_BYTES = 200_000
_MAX_DEPTH = 20


class Source:
    """The data of one file, and where each part of it stands."""

    def __init__(self, file: str, data: Any) -> None:
        self.file = file
        self.data = data

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, both from 1, of the deepest part of `path` that exists in the file."""
        node, place = self.data, (1, 1)
        for part in path:
            marks = getattr(node, "lc", None)
            try:
                mark = marks.key(part) if isinstance(node, dict) else marks.item(part)  # type: ignore[union-attr]
                node = node[part]
            except (KeyError, IndexError, TypeError, AttributeError):
                break  # a required key that is not there
            place = (mark[0] + 1, mark[1] + 1)
        return place

    def real(self, path: Sequence[str | int]) -> tuple[str | int, ...]:
        """Return the parts of `path` that are in the file: pydantic also names alternatives of a union."""
        node: Any = self.data
        found: list[str | int] = []
        for part in path:
            there = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
            if part in there:
                found.append(part)
                node = node[part]
        return tuple(found)

    def fault(self, path: Sequence[str | int], what: str) -> Fault:
        """Return a fault at `path`."""
        line, column = self.position(path)
        return Fault(self.file, line, column, ".".join(str(part) for part in path), what)


def read(path: Path, shown: str) -> Source | Fault:
    """Read the YAML file `path`, called `shown` in errors; a Fault where it is no plain YAML 1.2."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Fault(shown, 1, 1, "", f"cannot be read: {error}")
    if len(text) > _MAX_BYTES:
        return Fault(shown, 1, 1, "", f"has {len(text)} characters; at most {_MAX_BYTES} are read")
    try:
        return _parse(text, shown)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Fault(shown, line, column, "", f"not YAML: {error.problem or error}")
    except (YAMLError, ValueError, RecursionError) as error:
        return Fault(shown, 1, 1, "", f"not YAML: {error}")


def _parse(text: str, shown: str) -> Source | Fault:
    depth = 0
    for event in YAML(typ="rt", pure=True).parse(text):
        name = type(event).__name__
        mark = event.start_mark
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            return Fault(shown, mark.line + 1, mark.column + 1, "", "anchors and aliases are not allowed")
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > _MAX_DEPTH:
            return Fault(shown, mark.line + 1, mark.column + 1, "", f"nested more than {_MAX_DEPTH} deep")
    data = YAML(typ="rt", pure=True).load(text)
    if not isinstance(data, dict):
        found = "empty" if data is None else "a list" if isinstance(data, list) else "a single value"
        return Fault(shown, 1, 1, "", f"must be a mapping of keys, is {found}")
    return Source(shown, data)


def faults(source: Source, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Turn what pydantic found in `source` into faults that name the legal keys and the nearest one."""
    found: dict[tuple[str | int, ...], list[tuple[str, str]]] = {}
    for detail in error.errors(include_url=False, include_context=True):
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
        found.setdefault(path, []).append((detail["type"], what))
    # Every alternative of a union complains: where one of them went deeper into the file, that is what was meant.
    return [source.fault(path, _either(said)) for path, said in found.items() if not _is_prefix(path, found)]


def _is_prefix(path: tuple[str | int, ...], others: Iterable[tuple[str | int, ...]]) -> bool:
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
