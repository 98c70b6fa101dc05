"""A folder of rule files -> Checklist, or every fault in it at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml.comments import CommentedBase

from tfhealth import resources
from tfhealth.errors import Fault, RuleError, UsageError, nearest
from tfhealth.rules import source
from tfhealth.rules.checklist import Checklist, Rows
from tfhealth.rules.model import Rule

__all__ = ["load_checklist"]

ROWS_FILE = "checklist.yaml"

M = TypeVar("M", bound=BaseModel)


def load_checklist(folder: Path | str | None = None) -> Checklist:
    """Read the rules in `folder` and its sub-folders; the built-in ones where it is None.

    The rows are the folder's own `checklist.yaml` where it has one, else the built-in ones.

    Raises:
        UsageError: `folder` is no folder or has no rule file.
        RuleError: every fault in every file.
    """
    return _builtin() if folder is None else _load(Path(folder))


@cache
def _builtin() -> Checklist:
    return _load(resources.rules_dir())


def _load(folder: Path) -> Checklist:
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder of rules.")
    files = sorted(path for path in folder.rglob("*.y*ml") if path.name != ROWS_FILE)
    if not files:
        raise UsageError(f"{folder}: has no rule file (*.yaml) in it.")
    own = folder / ROWS_FILE
    faults: list[Fault] = []
    rows = _read(own if own.is_file() else resources.rules_dir() / ROWS_FILE, Rows, folder, faults)
    rules: dict[str, Rule] = {}
    places: dict[str, Path] = {}
    for path in files:
        rule = _read(path, Rule, folder, faults)
        if rule is not None:
            faults += _misplaced(path, folder, rule, rules)
            rules.setdefault(rule.id, rule)
            places.setdefault(rule.id, path)
    if rows is not None:
        faults += [fault for rule in rules.values() for fault in _dangling(places[rule.id], folder, rule, rows)]
    if faults or rows is None:
        raise RuleError(faults)
    return Checklist.of(rows, list(rules.values()))


def _shown(path: Path, folder: Path) -> str:
    return str(Path(folder.name) / path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _read(path: Path, model: type[M], folder: Path, faults: list[Fault]) -> M | None:
    found = source.read(path, _shown(path, folder))
    if isinstance(found, Fault):
        faults.append(found)
        return None
    try:
        return model.model_validate(_plain(found.data))
    except ValidationError as error:
        faults += source.faults(found, error, model)
        return None


def _misplaced(path: Path, folder: Path, rule: Rule, known: dict[str, Rule]) -> list[Fault]:
    """Return what is wrong with the rule's place among the others: its file name and its id."""
    file = _shown(path, folder)
    found = []
    if not path.stem.startswith(rule.id):
        found.append(Fault(file, 1, 1, "id", f"file name must begin with the id: {rule.id}-{path.stem}{path.suffix}"))
    if rule.id in known:
        found.append(Fault(file, 1, 1, "id", f"{rule.id} is already the id of {known[rule.id].title!r}"))
    return found


def _dangling(path: Path, folder: Path, rule: Rule, rows: Rows) -> list[Fault]:
    """Return the rows and rules that a rule names and that do not exist."""
    items = [item.id for chapter in rows.chapters for item in chapter.items]
    named = [("checklist", rule.checklist, items)]
    # In a folder of few rules a cause may be a rule that lives elsewhere: only rows are checked there.
    named += [("explained_by", name, items) for name in rule.explained_by if "." in name]
    return [
        Fault(_shown(path, folder), 1, 1, key, f"{name!r} is no row of the checklist{nearest(name, legal)}")
        for key, name, legal in named
        if name not in legal
    ]


def _plain(value: Any) -> Any:
    """Return the file's data without the marks that round-trip reading leaves on it."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, CommentedBase) or type(value) in (bool, int, float, str, type(None)):
        return value
    for kind in (bool, int, float, str):  # ruamel's own ScalarInt, ScalarFloat and quoted strings
        if isinstance(value, kind):
            return kind(value)
    return str(value)
