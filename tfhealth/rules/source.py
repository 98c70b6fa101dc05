"""A YAML file -> plain data with the line and column of every key."""

from __future__ import annotations

from collections.abc import Sequence
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
                continue  # pydantic names alternatives of a union, which are not in the file
            place = (mark[0] + 1, mark[1] + 1)
        return place

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
        return Fault(shown, 1, 1, "", f"must be a mapping of keys, is {type(data).__name__}")
    return Source(shown, data)


def faults(source: Source, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Turn what pydantic found in `source` into faults that name the legal keys and the nearest one."""
    found: dict[tuple[int, int, str], Fault] = {}
    for detail in error.errors(include_url=False, include_context=True):
        path = detail["loc"]
        if detail["type"] == "extra_forbidden":
            legal = _legal_keys(model, path[:-1])
            what = f"unknown key {path[-1]!r}; legal: {', '.join(legal)}{nearest(str(path[-1]), legal)}"
        elif detail["type"] == "missing":
            what = f"key {path[-1]!r} is required"
        else:
            what = detail["msg"].removeprefix("Value error, ")
        fault = source.fault([part for part in path if not _is_alternative(part)], what)
        found.setdefault((fault.line, fault.column, fault.what), fault)
    return list(found.values())


def _is_alternative(part: str | int) -> bool:
    """Tell whether pydantic put `part` into the path to name one alternative of a union."""
    return isinstance(part, str) and (part[:1].isupper() or "[" in part or part in ("str", "int", "float", "bool"))


def _legal_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys that the mapping at `path` of `model` may have."""
    here: Any = model
    for part in path:
        if _is_alternative(part) or isinstance(part, int):
            continue
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
