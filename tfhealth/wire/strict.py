"""What a run's file says in loose JSON <-> the same in strict JSON, which every reader of JSON takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["loose", "strict"]

_NUMBER, _TEXT, _PAIRS = "number", "text", "pairs"
_NAMES = {_NUMBER, _TEXT, _PAIRS}
"""The only key of a mapping that stands for something else; one that looks like it travels as pairs."""


def strict(value: Any) -> Any:
    """Return what was read from a file as strict JSON has it.

    A number that is not finite becomes `{"number": "nan"}`, text that is no Unicode `{"text": …}` with its escapes, and
    a mapping with such a key, or which could be taken for one of these, `{"pairs": [[key, value], …]}`.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: str(value)}
    if isinstance(value, str):
        return value if _sound(value) else {_TEXT: json.dumps(value)}
    if isinstance(value, Mapping):
        if _is_marked(value) or not all(map(_sound, value)):
            return {_PAIRS: [[strict(key), strict(one)] for key, one in value.items()]}
        return {key: strict(one) for key, one in value.items()}
    if isinstance(value, list):
        return [strict(one) for one in value]
    return value


def loose(value: Any) -> Any:
    """Return what `strict` was given; a mapping that it never makes stays as it is."""
    if isinstance(value, list):
        return [loose(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    try:
        return _meant(value) if _is_marked(value) else {key: loose(one) for key, one in value.items()}
    except (ValueError, TypeError):
        return value


def _meant(value: Mapping[str, Any]) -> Any:
    ((mark, inner),) = value.items()
    if mark == _NUMBER:
        return float(inner)
    if mark == _TEXT:
        return json.loads(inner)
    return {str(loose(key)): loose(one) for key, one in inner}


def _is_marked(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and not _NAMES.isdisjoint(value)


def _sound(text: str) -> bool:
    """Tell whether text is Unicode; half of a surrogate pair is not, and no UTF-8 can hold it."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
