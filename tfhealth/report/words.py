"""Numbers, times, names and verdicts -> the words that a report shows; every character of foreign text passes here."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime
from typing import Any

from tfhealth.conditions import Bound, Condition, Severity
from tfhealth.rules.wording import bound_in_words, breach_in_words

__all__ = [
    *("VERDICTS", "breach", "clean", "count", "day", "duration", "first_sentence", "limit", "number", "shorten"),
    *("value", "visible"),
]

VERDICTS = {
    "fail": ("✗", "fail"),
    "warn": ("!", "warn"),
    "pass": ("✓", "pass"),
    "not_applicable": ("–", "not applicable"),
    "not_measured": ("?", "not measured"),
    "error": ("?", "error"),
    "suppressed": ("–", "suppressed"),
    "guide": ("☞", "guide"),
}
"""{verdict: (symbol, word)}; the order is that of the counts."""

_ISOLATES = "\u2068\u2069"
_LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff"
_LEFTWARD_WORDS = re.compile(
    rf"[^\s{_ISOLATES}]*[{_LEFTWARD}](?:[^\n{_ISOLATES}]*[{_LEFTWARD}])?[^\s.,:;!?{_ISOLATES}]*"
)
"""Words of scripts that run from right to left, with all that stands between them."""
_LONGEST_WORD = 80
_LONGEST_TEXT = 8000
_LARGEST = 10**308


def clean(text: object) -> str:
    """Return foreign text without control and direction characters, its overlong words shortened in the middle.

    What runs from right to left stands between isolates, so that the words and numbers around it keep their places.

    >>> clean("a\\u202eb" + chr(0))
    'ab'
    """
    whole = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda found: shorten(found[0], _LONGEST_WORD), visible(text))
    return _isolated(whole)


def _isolated(text: str) -> str:
    return text if text.isascii() else _LEFTWARD_WORDS.sub(rf"{_ISOLATES[0]}\g<0>{_ISOLATES[1]}", text)


def visible(text: object) -> str:
    """Return foreign text without control and direction characters; links and code stay whole."""
    whole = str(text)[:_LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    return "".join(letter for letter in whole if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf"))


def first_sentence(markdown: str) -> str:
    """Return the first sentence of `why` or `advice` in one line; what leads to code ends there.

    >>> first_sentence("Divide the learning rate\\nby ten:\\n\\n```python\\n1\\n```")
    'Divide the learning rate by ten.'
    """
    paragraph = " ".join(clean(markdown.strip().partition("```")[0].partition("\n\n")[0]).split())
    found = re.match(r".+?[.!?:](?=\s|$)", paragraph)
    return re.sub(r":$", ".", found[0] if found else paragraph)


def shorten(name: str, most: int = 48) -> str:
    """Return a name with its middle cut out where it is longer than `most` characters.

    >>> shorten("encoder/block_1/attention/kernel", 20)
    'encoder/bl…on/kernel'
    """
    if len(name) <= most:
        return name
    bare = re.sub(f"[{_ISOLATES}]", "", name)
    head = most // 2
    cut = bare if len(bare) <= most else f"{bare[:head]}…{bare[len(bare) - (most - head - 1) :]}"
    return cut if bare == name else _isolated(cut)


def number(found: float) -> str:
    """Return a number with three significant digits; whole ones whole.

    >>> [number(one) for one in (0.123456, 1234567, 2.0, 0.0000123, 45678.9, float("nan"))]
    ['0.123', '1,234,567', '2', '1.23e-5', '45,700', 'NaN']
    """
    if isinstance(found, int) and abs(found) > _LARGEST:  # in a rule or in settings; no float holds it
        return f"{'less than −' if found < 0 else 'more than '}1e308"
    if not math.isfinite(found):
        return "NaN" if math.isnan(found) else ("Inf" if found > 0 else "−Inf")
    if found == int(found) and abs(found) < 1e9:
        return f"{int(found):,}".replace("-", "−")
    rounded = float(f"{found:.3g}")
    if 1e-3 <= abs(rounded) < 1e6:
        text = f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"
    else:
        mantissa, _, exponent = f"{rounded:.2e}".partition("e")
        shown = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{shown}e{int(exponent)}"
    return f"−{text[1:]}" if text.startswith("-") else text


def value(found: Any) -> str:
    """Return a fact in words: flags as yes or no, numbers short, text clean."""
    if found is None:
        return "none"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return number(found)
    return shorten(clean(found), 300)


def count(amount: int, thing: str) -> str:
    """Return an amount with its noun.

    >>> count(1, "site"), count(1200, "step")
    ('1 site', '1,200 steps')
    """
    return f"{amount:,} {thing}{'' if amount == 1 else 's'}"


def day(moment: str | None) -> str:
    """Return an ISO 8601 moment as `2025-03-01 09:30 UTC`; as it came where it is none."""
    found = _moment(moment)
    if found is None:
        return clean(moment) if moment else "unknown"
    return f"{found:%Y-%m-%d %H:%M} {found.tzname() or ''}".strip()


def duration(start: str | None, end: str | None) -> str:
    """Return the time between two ISO 8601 moments, empty where one of them is unknown.

    >>> duration("2025-03-01T09:30:00+00:00", "2025-03-01T10:32:05+00:00")
    '1 h 2 min'
    """
    first, last = _moment(start), _moment(end)
    if first is None or last is None or (first.tzinfo is None) != (last.tzinfo is None):
        return ""
    seconds = max(int((last - first).total_seconds()), 0)
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def limit(bound: Bound) -> str:
    """Return in words which values breach a bound.

    >>> limit(Bound(look="median", outside=(0.5, 2)))
    'median of all values outside 0.5 to 2'
    """
    return bound_in_words(bound, value)


def breach(condition: Condition, severity: Severity) -> str:
    """Return in words everything that breaches one rung of a condition; empty where nothing does.

    >>> breach(Condition(**{"for": 3}, error=Bound(above=20000)), "error")
    'above 20,000 for 3 probes in a row'
    """
    return breach_in_words(condition, severity, value)
