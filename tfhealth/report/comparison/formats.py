"""Comparison -> bytes; the list of formats is at the foot."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfhealth.report.formats import rendered
from tfhealth.report.writing import Format

if TYPE_CHECKING:
    from tfhealth.comparison import Comparison
    from tfhealth.report.comparison.document import ComparisonReport

__all__ = ["FORMATS", "Source"]


@dataclass(frozen=True)
class Source:
    """What a format is made of; words and page are made once, however many formats need them."""

    comparison: Comparison

    @cached_property
    def report(self) -> ComparisonReport:
        """The comparison in words."""
        from tfhealth.report.comparison.view import view

        return view(self.comparison)

    @cached_property
    def page(self) -> str:
        """The comparison as one HTML file."""
        return rendered("compare.html.j2", self.report)


def _html(source: Source) -> bytes:
    return source.page.encode()


def _pdf(source: Source) -> bytes:
    from tfhealth.report.pdf import to_pdf

    return to_pdf(source.page)


def _json(source: Source) -> bytes:
    comparison = source.comparison
    sides = {"before": comparison.before, "after": comparison.after}
    found: dict[str, Any] = {"comparison_version": "1.0", "sentence": source.report.sentence}
    found |= {name: None if one is None else one.result.run.model_dump(mode="json") for name, one in sides.items()}
    for name in ("shifts", "rows", "settings", "ends"):
        found[name] = [_plain(dataclasses.asdict(one)) for one in getattr(comparison, name)]
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(found: Any) -> Any:
    """Return data without NaN and Inf, which JSON does not have; they are null, as in result.json."""
    if isinstance(found, dict):
        return {name: _plain(one) for name, one in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(one) for one in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _md(source: Source) -> bytes:
    from tfhealth.report.pull_request import escape

    report = source.report
    names = " and ".join(f"{side.letter} {escape(side.name)}" for side in report.sides)
    lines = [f"## tfhealth: {names}", "", f"**{escape(report.sentence)}**", ""]
    if report.shifts:
        lines += ["| | Rule | In A | In B |", "|---|---|---|---|"]
        cells = [(one.word, f"{one.rule}: {one.title}", one.before or "–", one.after or "–") for one in report.shifts]
        lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in cells] + [""]
    for table in report.settings:
        lines += [f"| {escape(table.title)} | A | B |", "|---|---|---|"]
        lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in table.rows] + [""]
    return "\n".join(lines).encode()


_MAKERS: dict[str, Callable[[Source], bytes]] = {"html": _html, "pdf": _pdf, "json": _json, "md": _md}

FORMATS: dict[str, Format[Source]] = {name: Format(f"compare.{name}", make) for name, make in _MAKERS.items()}
"""Every format of a comparison."""
