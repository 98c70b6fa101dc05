"""The files that a pack's reports are dressed with -> bytes and a folder that hold nothing else, or what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["TEMPLATES", "chapters_in", "is_inside", "read_logo", "read_templates"]

_FIXED = ("header.html.j2", "footer.html.j2", "style.css", "report.html.j2")
TEMPLATES = (*_FIXED, "chapter-NAME.html.j2")
"""What the folder of templates may hold; NAME is a word of small letters, digits and hyphens."""
_CHAPTER = re.compile(r"chapter-[a-z0-9][a-z0-9-]{0,39}\.html\.j2")
_MOST_CHAPTERS = 8
_MAX_BYTES = 100_000
_PNG = b"\x89PNG\r\n\x1a\n"


def read_logo(folder: Path, name: str | None) -> tuple[bytes | None, list[str]]:
    """Return the picture `name` of the pack in `folder`, and what is wrong with it."""
    if name is None:
        return None, []
    try:
        return _logo(folder, folder / name, name)
    except OSError as error:
        return None, [f"{name!r} cannot be read: {error.strerror}"]


def _logo(folder: Path, path: Path, name: str) -> tuple[bytes | None, list[str]]:
    wrong = _wrong(folder, path)
    if wrong is None and path.suffix not in (".svg", ".png"):
        wrong = f"{name!r} is neither an .svg nor a .png"
    if wrong is not None:
        return None, [wrong]
    data = path.read_bytes()
    if path.suffix == ".png":
        return (data, []) if data.startswith(_PNG) else (None, [f"{name!r} is no PNG picture"])
    return (data, []) if _is_svg(data) else (None, [f"{name!r} is no SVG picture without a DOCTYPE"])


def read_templates(folder: Path, name: str | None) -> tuple[Path | None, list[str]]:
    """Return the folder of templates `name` of the pack in `folder`, and what is wrong with its files."""
    if name is None:
        return None, []
    try:
        return _templates(folder, folder / name, name)
    except OSError as error:
        return None, [f"{name!r} cannot be read: {error.strerror}"]


def _templates(folder: Path, inside: Path, name: str) -> tuple[Path | None, list[str]]:
    if not is_inside(folder, inside):
        return None, [f"{name!r} is not inside the pack"]
    if not inside.is_dir():
        return None, [f"{name!r} is no folder of the pack"]
    wrong = []
    for path in sorted(inside.iterdir()):
        if path.name not in _FIXED and not _CHAPTER.fullmatch(path.name):
            wrong.append(f"{path.name!r} is no template; legal: {', '.join(TEMPLATES)}")
        elif (what := _wrong(folder, path)) is not None:
            wrong.append(what)
    if (found := sum(_CHAPTER.fullmatch(path.name) is not None for path in inside.iterdir())) > _MOST_CHAPTERS:
        wrong.append(f"{name!r} has {found} chapters; at most {_MOST_CHAPTERS} are shown")
    return inside.resolve(), wrong


def chapters_in(folder: Path | None) -> list[str]:
    """Return the names of the chapters in a folder of templates, in the order in which they are shown."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if _CHAPTER.fullmatch(path.name))[:_MOST_CHAPTERS]


def is_inside(folder: Path, path: Path) -> bool:
    """Return whether `path` is in `folder` after every link."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte
        return False


def _wrong(folder: Path, path: Path) -> str | None:
    """Return what is wrong with a file of a pack: where it is, or how large."""
    name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    if not is_inside(folder, path):
        return f"{name!r} is not inside the pack"
    if not path.is_file():
        return f"{name!r} is no file of the pack"
    size = path.stat().st_size
    return f"{name!r} has {size} bytes; at most {_MAX_BYTES} are read" if size > _MAX_BYTES else None


def _is_svg(data: bytes) -> bool:
    """Return whether this is text that begins as an SVG does; a DOCTYPE may declare entities that grow without end."""
    try:
        text = data.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        return False
    return text.startswith(("<svg", "<?xml", "<!--")) and "<svg" in text and "<!DOCTYPE" not in text
