"""An id, or the name of a pack -> files to begin with, each of which is valid as it is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tfhealth import __version__, resources
from tfhealth.errors import UsageError, nearest
from tfhealth.rules.message import NAMES
from tfhealth.rules.model import Line, RuleId
from tfhealth.rules.pack import MANIFEST, PackName, built_in, read_pack
from tfhealth.rules.schema import RULE_SCHEMA, rule_schema, text
from tfhealth.series import KINDS

__all__ = ["ROW", "TITLE", "new_pack", "new_rule"]

ROW = "act.std-range"
"""The row and the title of the rule that `templates/scaffold/rule.yaml` is, where nothing else is asked for."""
TITLE = "Activation spread far from one"


def new_rule(folder: Path, rule_id: str, row: str = ROW, title: str = TITLE) -> list[Path]:
    """Write a commented rule file into `folder`, and the schema for it where none is at hand.

    Args:
        folder: made where it is not there; inside a pack, its rows may be decided and its schema is used.
        rule_id: an id that is taken neither there nor by a built-in rule.
        row: the row of the checklist that the rule decides.
        title: the fault, in a few words; the file is named after it.

    Returns:
        What was written; nothing that was there is touched.

    Raises:
        UsageError: an argument that cannot be meant, or a file that is there already.
    """
    if not _fits(RuleId, rule_id):
        raise UsageError(f"{rule_id!r} is no id: three to five capital letters and three digits, e.g. ACME001")
    if not _fits(Line, title):
        raise UsageError(f"a title has 1 to 400 characters, received {len(title.strip())}")
    pack = _pack_around(folder)
    _check_row(row, pack)
    _check_free(rule_id, folder, pack)
    schema = _schema_near(folder, pack)
    files = {folder / f"{rule_id}-{_slug(title)}.yaml": _rule_text(rule_id, row, title, _relative(schema, folder))}
    if not schema.exists():
        files[schema] = text(rule_schema())
    return _written(files)


def new_pack(parent: Path, name: str) -> list[Path]:
    """Write the folder `name` below `parent`: a project that builds a wheel with a pack of one rule, and its tests.

    Args:
        parent: made where it is not there.
        name: the pack's name, small letters, digits and single hyphens.

    Returns:
        What was written, `pyproject.toml` first.

    Raises:
        UsageError: a name that cannot be meant, or a folder that is there already.
    """
    if not _fits(PackName, name):
        raise UsageError(f"{name!r} is no name for a pack: small letters, digits and single hyphens, e.g. acme-rules")
    folder = parent / name
    if folder.exists():
        raise UsageError(f"{folder} is there already; choose another name, or another folder with --out.")
    # Its own prefix, so that no pack hides a module of Python or of somebody else.
    package = f"tfhealth_{name.replace('-', '_')}"
    first, following = _free_ids(name)
    words = {
        "name": name,
        "package": package,
        "title": name.replace("-", " ").capitalize(),
        "id": first,
        "next": following,
        "tfhealth": ".".join(__version__.split(".")[:2]),
    }
    files = {folder / path.replace("PACKAGE", package): _filled(source, words) for path, source in _PACK.items()}
    inside = folder / package
    rule = _rule_text(first, ROW, TITLE, f"../{RULE_SCHEMA}")
    files[inside / "rules" / f"{first}-{_slug(TITLE)}.yaml"] = rule
    files[inside / RULE_SCHEMA] = text(rule_schema())
    for schema in _COPIED:
        files[inside / schema] = resources.schema_path(schema).read_text("utf-8")
    return _written(files)


_PACK = {
    "pyproject.toml": "pack/project.toml",
    "README.md": "pack/README.md",
    "PACKAGE/__init__.py": "pack/init.txt",
    "PACKAGE/pack.yaml": "pack/pack.yaml",
    "PACKAGE/logo.svg": "pack/logo.svg",
    "PACKAGE/tests/spread.yaml": "pack/tests.yaml",
}
"""{file of a new pack: what it is made of, below `templates/scaffold`}."""
_COPIED = ("pack-1.schema.json", "tests-1.schema.json")


def _check_row(row: str, pack: Path | None) -> None:
    packs = [built_in(), *([read_pack(pack, [])] if pack else [])]
    rows = [item.id for one in packs if one.rows for chapter in one.rows.chapters for item in chapter.items]
    if row not in rows:
        hint = nearest(row, rows) or "; `tfhealth rules list` shows all"
        raise UsageError(f"{row!r} is no row of the checklist{hint}")


def _check_free(rule_id: str, folder: Path, pack: Path | None) -> None:
    if rule_id in _built_in_ids():
        raise UsageError(f"{rule_id} is a built-in rule; to change it, name it under `set` in a profile.")
    files = pack.rglob("*.y*ml") if pack else folder.glob("*.y*ml")
    taken = next((path for path in files if path.name.startswith(rule_id)), None)
    if taken is not None:
        raise UsageError(f"{rule_id} is taken by {taken}; an id is never used again.")


def _built_in_ids() -> set[str]:
    return {one.rule.id for one in built_in().rules}


def _fits(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _rule_text(rule_id: str, row: str, title: str, schema: str) -> str:
    words = {
        "id": rule_id,
        "row": row,
        "title": json.dumps(title.strip(), ensure_ascii=False),  # YAML reads the strings of JSON
        "schema": schema,
        "kinds": ", ".join(KINDS),
        "names": ", ".join(NAMES),
    }
    return _filled("rule.yaml", words)


def _filled(source: str, words: Mapping[str, str]) -> str:
    template = (resources.templates_dir() / "scaffold" / source).read_text("utf-8")
    return Template(template).substitute(words)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")[:60].strip("-") or "rule"


def _pack_around(folder: Path) -> Path | None:
    """Return the folder of the pack that `folder` is in, or None."""
    here = folder.resolve()
    return next((one for one in (here, *here.parents) if (one / MANIFEST).is_file()), None)


def _schema_near(folder: Path, pack: Path | None) -> Path:
    """Return the schema in `folder` or, inside a pack, above it; where there is none, the path for a new one."""
    here = folder.resolve()
    above = [one for one in here.parents if pack is not None and one.is_relative_to(pack)]
    found = next((one / RULE_SCHEMA for one in (here, *above) if (one / RULE_SCHEMA).is_file()), None)
    return found or folder / RULE_SCHEMA


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _free_ids(name: str) -> tuple[str, str]:
    """Return two ids that begin with the letters of a pack's name and are not those of built-in rules."""
    first_word, letters = name.split("-")[0], re.sub(r"[^a-z]", "", name)
    stem = first_word if first_word.isalpha() and len(first_word) >= 3 else letters
    prefix = stem[:5].upper().ljust(3, "X")
    taken = _built_in_ids()
    first, following, *_ = (one for number in range(1, 1000) if (one := f"{prefix}{number:03}") not in taken)
    return first, following


def _written(files: Mapping[Path, str]) -> list[Path]:
    there = next((path for path in files if path.exists()), None)
    if there is not None:
        raise UsageError(f"{there} is there already; nothing was written.")
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(content)
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written ({error.strerror}).") from error
    return list(files)
