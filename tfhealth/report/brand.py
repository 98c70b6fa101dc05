"""Packs in force -> the letterhead of the first that has one: its files read and checked, nothing of them run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tfhealth.errors import Fault
from tfhealth.report.document import Letterhead, Report
from tfhealth.report.harmless import MAX_CSS, check_css, listed
from tfhealth.report.logo import logo_uri
from tfhealth.report.partial import MAX_TEXT, problem_in, render
from tfhealth.report.words import clean, shorten
from tfhealth.rules.brand import chapters_in
from tfhealth.rules.checklist import Brand
from tfhealth.rules.pack import Pack

__all__ = ["FOOTER", "HEADER", "LAYOUT", "STYLE", "letterhead", "problem", "render_part", "template_faults"]

HEADER, FOOTER, STYLE, LAYOUT = "header.html.j2", "footer.html.j2", "style.css", "report.html.j2"


def letterhead(packs: Sequence[Brand]) -> Letterhead | None:
    """Return how the first pack that has a title, a logo or templates wants its reports to look; None: no pack has.

    What cannot be used is left out, and the letterhead's `problems` say so.
    """
    brand = next((one for one in packs if one.title or one.logo or one.templates), None)
    if brand is None:
        return None
    problems: list[str] = []

    def tried(what: str, make: Callable[[], str]) -> str:
        try:
            return make()
        except (ValueError, OSError) as error:
            problems.append(problem(brand.name, what, f"is left out: {error}"))
            return ""

    def logo() -> str:
        uri, left_out = logo_uri(brand.logo) if brand.logo else ("", ())
        if left_out:
            problems.append(problem(brand.name, "logo", f"is shown without {listed(left_out)}"))
        return uri

    def read(name: str) -> Callable[[], str]:
        return lambda: _read(brand.templates, name, MAX_TEXT)

    return Letterhead(
        pack=clean(brand.name),
        title=shorten(clean(brand.title or brand.name), 80),
        logo=tried("logo", logo),
        style=tried(STYLE, lambda: _style(brand.templates)),
        header=tried(HEADER, read(HEADER)),
        footer=tried(FOOTER, read(FOOTER)),
        chapters=tuple((name, text) for name in chapters_in(brand.templates) if (text := tried(name, read(name)))),
        layout=tried(LAYOUT, read(LAYOUT)),
        problems=tuple(problems),
    )


def problem(pack: str, what: str, why: str) -> str:
    """Return one sentence for the report on something of a pack that could not be used."""
    return clean(f"Pack {pack}: its {what} {shorten(why.rstrip('.'), 300)}.")


def render_part(report: Report, what: str) -> tuple[str, str]:
    """Return the HTML of a report's header or footer, and what to tell of it; an error costs only this part."""
    head = report.letterhead
    text = "" if head is None else {HEADER: head.header, FOOTER: head.footer}[what]
    if head is None or not text:
        return "", ""
    try:
        made, left_out = render(text, report)
    except ValueError as error:
        return "", problem(head.pack, what, f"is left out: {error}")
    return made, problem(head.pack, what, f"is shown without {listed(left_out)}") if left_out else ""


def template_faults(pack: Pack) -> list[Fault]:
    """Return what is wrong in the templates and the style of a pack, as far as it shows without a report."""
    folder, manifest = pack.brand.templates, pack.manifest
    if folder is None or manifest is None or manifest.templates is None:
        return []
    found = {name: _problem_in(folder, name) for name in (HEADER, FOOTER, STYLE, LAYOUT, *chapters_in(folder))}
    shown = Path(pack.folder.name) / manifest.templates
    return [Fault(str(shown / name), wrong[0], 1, "", wrong[1]) for name, wrong in found.items() if wrong is not None]


def _problem_in(folder: Path, name: str) -> tuple[int, str] | None:
    try:
        if name != STYLE:
            return problem_in(_read(folder, name, MAX_TEXT))
        _style(folder)
    except (ValueError, OSError) as error:
        return 1, str(error)
    return None


def _style(folder: Path | None) -> str:
    text = _read(folder, STYLE, MAX_CSS)
    check_css(text)
    return text


def _read(folder: Path | None, name: str, most: int) -> str:
    """Return a text file of a pack's folder, empty where it has none; links that lead out of it are refused."""
    if folder is None or not (folder / name).exists():
        return ""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("leads out of the folder of templates")
    if not path.is_file():
        raise ValueError("is no file")
    with path.open("rb") as file:
        data = file.read(4 * most + 1)
    text = data.decode("utf-8")
    if len(text) > most:
        raise ValueError(f"has more than {most:,} characters")
    return text.strip()
