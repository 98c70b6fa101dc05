"""Rules, registries, parser and docstrings -> the pages that are computed from them.

    python docs/generate.py            # write what is stale, delete pages of rules that are gone
    python docs/generate.py --check    # write nothing; list what is stale and return 1

Needs no TensorFlow. Hand-written pages are not touched, but for the text between two marks in those of `MARKED`.
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from generator import python, reference, rules  # noqa: E402 - the path must be set first

from tfhealth.rules import Checklist, load_checklist  # noqa: E402

HEAD = "<!-- Made by docs/generate.py: edit what it is made of, then run `make docs`. -->\n\n"
OWNED = ("docs/rules", "docs/reference")
"""Folders that hold nothing but generated pages."""


def pages(checklist: Checklist) -> dict[str, str]:
    """Return {path below the project's folder: text} for every generated page."""
    made = {f"docs/rules/{rule.id}.md": rules.rule_page(rule, checklist) for rule in checklist.rules}
    made |= {path: make(checklist) for path, make in PAGES.items()}
    made = {path: HEAD + text.rstrip("\n") + "\n" for path, text in made.items()}
    for path in MARKED:
        made[path] = _filled((ROOT / path).read_text("utf-8"), checklist)
    return made


def _filled(text: str, checklist: Checklist) -> str:
    for name, make in MARKS.items():
        inner = make(checklist)
        text = re.sub(rf"(<!-- {name} -->).*?(<!-- /{name} -->)", rf"\g<1>{inner}\g<2>", text, flags=re.DOTALL)
    return text


def stale(made: dict[str, str]) -> list[str]:
    """Return the pages whose file is missing or says something else, and files that no page belongs to."""
    differing = [path for path, text in made.items() if not _says(ROOT / path, text)]
    present = [path.relative_to(ROOT).as_posix() for folder in OWNED for path in (ROOT / folder).rglob("*.md")]
    return sorted({*differing, *(path for path in present if path not in made)})


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the pages that are computed from rules, registries and parser.")
    parser.add_argument("--check", action="store_true", help="write nothing; list what is stale and return 1")
    checking = parser.parse_args().check
    made = pages(load_checklist())
    old = stale(made)
    for path in old:
        print(f"{'stale' if checking else 'wrote' if path in made else 'deleted'}: {path}")
        if checking:
            continue
        if path in made:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(made[path], "utf-8")
        else:
            (ROOT / path).unlink()
    return 1 if checking and old else 0


PAGES: dict[str, Callable[[Checklist], str]] = {
    "docs/rules/index.md": rules.index_page,
    "docs/reference/cli.md": lambda _: reference.cli_page(),
    "docs/reference/rule-file.md": lambda _: reference.rule_file_page(),
    "docs/reference/test-file.md": lambda _: reference.test_file_page(),
    "docs/reference/conditions.md": lambda _: reference.conditions_page(),
    "docs/reference/statistics.md": lambda _: reference.statistics_page(),
    "docs/reference/result.md": lambda _: reference.result_page(),
    "docs/reference/python.md": lambda _: python.page(),
}
"""Every generated page but those of single rules."""

MARKED = ("README.md", "docs/index.md")
MARKS: dict[str, Callable[[Checklist], str]] = {"counts": rules.counts, "chapters": rules.chapters}
"""What stands between `<!-- name -->` and `<!-- /name -->` in hand-written pages."""

if __name__ == "__main__":
    sys.exit(main())
