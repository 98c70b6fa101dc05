"""Run -> tables of the settings it was trained with, one for each group of facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfhealth.report.document import Table
from tfhealth.report.words import clean, shorten, value
from tfhealth.run import Run

__all__ = ["settings"]

_HEAD = ("Setting", "Value")
_MOST = 50
_UNUSED = ("none", "no", "0")
"""What settings that are left out or switched off say; there are many of them, and they stand together."""


def settings(run: Run) -> tuple[Table, ...]:
    """Return a table for each group of facts; what is left out or switched off is named below it.

    Groups of which all is left out or switched off stand together in the last one.
    """
    groups = [(site.name, facts) for site, facts in run.sites.items() if site.kind == "fact" and facts]
    tables = [Table(shorten(clean(name)), _HEAD, *_rows_and_more(facts)) for name, facts in groups]
    silent = [one for one in tables if not one.rows]
    if len(silent) < 2:
        return tuple(tables)
    together = Table(", ".join(one.title for one in silent), _HEAD, (), "; ".join(one.more for one in silent))
    return (*(one for one in tables if one.rows), together)


def _rows_and_more(facts: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    pairs = [(shorten(clean(name)), value(one)) for name, one in facts.items()]
    left = len(pairs) - _MOST
    shown = pairs[:_MOST]
    unused = {text: ", ".join(name for name, said in shown if said == text) for text in _UNUSED}
    more = [f"{text}: {names}" for text, names in unused.items() if names]
    more += [f"and {left:,} more in the run's file"] if left > 0 else []
    return tuple(pair for pair in shown if pair[1] not in unused), "; ".join(more)
