"""Facts that a person or a caller tells -> fact sites, checked, and merged with those that were recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhealth.errors import UsageError
from tfhealth.series import Attribute

__all__ = ["Facts", "checked", "merged"]

Facts = Mapping[str, Mapping[str, Attribute]]
"""{fact site: {attribute: value}}: `{"data": {"validation_share": 0.2}}` is the fact `data.validation_share`."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST = 1000  # characters of a text
_OPEN = ("data", "fit")  # what is told of these stands above what was recorded


def checked(facts: Any) -> dict[str, dict[str, Attribute]]:
    """Return `facts` with NumPy's numbers as Python's.

    Raises:
        UsageError: every name and value in it that cannot be recorded.
    """
    if not isinstance(facts, Mapping):
        raise UsageError(f"facts must be a mapping {{site: {{name: value}}}}, received {type(facts).__name__}")
    faults: list[str] = []
    found: dict[str, dict[str, Attribute]] = {}
    for site, attributes in facts.items():
        faults += _misnamed(str(site), site)
        if not isinstance(attributes, Mapping):
            faults.append(f"{site}: must be a mapping {{name: value}}, received {type(attributes).__name__}")
            continue
        for name, value in attributes.items():
            faults += _misnamed(f"{site}.{name}", name) + _unfit(f"{site}.{name}", _plain(value))
        found[str(site)] = {str(name): _plain(value) for name, value in attributes.items()}
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        raise UsageError("\n".join([f"{count} in facts", *(f"  {fault}" for fault in faults)]))
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _misnamed(shown: str, name: object) -> list[str]:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return []
    return [f"{shown}: the name {name!r} must be small letters, digits and _, a letter first"]


def _unfit(shown: str, value: object) -> list[str]:
    if not isinstance(value, str | bool | int | float | type(None)):
        return [f"{shown}: must be text, a number, True, False or None, received {type(value).__name__}"]
    if isinstance(value, str) and len(value) > _LONGEST:
        return [f"{shown}: a text has at most {_LONGEST} characters, this one has {len(value)}"]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{shown}: a number must be finite, received {value}"]
    return []


def merged(recorded: Facts, told: Sequence[Facts]) -> tuple[dict[str, dict[str, Attribute]], list[tuple[str, str]]]:
    """Lay what was told over what was recorded, later tellers over earlier ones.

    Of `data` and `fit` a person may know more than could be seen; anywhere else what was seen stands, and what is
    told only fills what is not known.

    Returns:
        The facts, and (fact site, why) for each attribute that was told in vain.
    """
    found = {site: dict(attributes) for site, attributes in recorded.items()}
    vain: list[tuple[str, str]] = []
    for facts in told:
        for site, attributes in facts.items():
            known = found.setdefault(site, {})
            for name, value in attributes.items():
                if site in _OPEN or known.get(name) is None:
                    known[name] = value
                elif known[name] != value:
                    vain.append((f"fact {site}", f"{name} was told to be {value!r}, but is {known[name]!r}"))
    return found, vain
