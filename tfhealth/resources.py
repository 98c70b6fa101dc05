"""Where the rules, templates and schemas lie: in the wheel's `_data`, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["rules_dir", "schema_path", "templates_dir"]

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def rules_dir() -> Path:
    """Return the folder of the built-in rules."""
    return _folder("rules")


def templates_dir() -> Path:
    """Return the folder of the built-in Jinja templates."""
    return _folder("templates")


def schema_path(name: str) -> Path:
    """Return the path of the JSON Schema `name`, e.g. `result-1.schema.json`."""
    return _PACKAGE / "schemas" / name
