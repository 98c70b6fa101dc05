"""A message template and the facts of a finding -> one sentence; names and format specs only, nothing to execute."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from tfhealth.errors import nearest

__all__ = ["NAMES", "render", "unknown_names"]

NAMES = {
    "site": "name of the site, e.g. the layer's path",
    "kind": "kind of site, e.g. activation",
    "step": "step since which the condition holds",
    "value": "value at that step",
    "low": "lower limit",
    "high": "upper limit",
    "severity": "rung that was breached",
    "count": "number of sites that breach",
    "places": "kind and name of the first five sites that breach",
    "interval": "between which steps the condition began to hold: the last probe before it, and that step",
    "layer": "class of the layer at the site",
    "activation": "activation of the layer at the site",
    "units": "units of the layer at the site",
    "loss": "compiled loss of the output",
    "label_shape": "shape of the labels of the output",
    "output_activation": "activation of the output that the labels are for",
    "shape": "shape of the tensor or variable at the site",
    "classes": "number of classes",
}
"""What a message may name, each with its meaning."""


_HUGE = re.compile(r"\d{3}")


class _Formatter(string.Formatter):
    """Formats `{name:spec}`; refuses `{name.attribute}`, `{name[key]}`, `{name!r}` and positions."""

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        if field_name not in kwargs:
            legal = ", ".join(sorted(kwargs))
            raise ValueError(f"{{{field_name}}} is unknown; legal: {legal}{nearest(field_name, kwargs)}")
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if len(format_spec) > 8 or _HUGE.search(format_spec):
            raise ValueError(f"format {format_spec!r} is too wide")
        if format_spec.endswith("c"):  # fails for a number that no letter has, in the report of a long training
            raise ValueError(f"format {format_spec!r} makes letters of numbers")
        if value is None:
            return "unknown"
        if isinstance(value, str):
            return value
        return str(format(value, format_spec))

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion:
            raise ValueError(f"conversion !{conversion} is not allowed")
        return value


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Fill `template` from `facts`, whose missing names read `unknown`.

    Raises:
        ValueError: a name outside `NAMES`, an attribute, index or conversion, or a format that does not fit.

    >>> render("{site}: {value:.2g}", {"site": "dense", "value": 0.0123})
    'dense: 0.012'
    """
    return _Formatter().vformat(template, (), dict.fromkeys(NAMES) | {key: facts.get(key) for key in NAMES})


def unknown_names(template: str) -> list[str]:
    """Return what is wrong with the names in `template`, one sentence each."""
    try:
        fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        return [f"not a template: {error}; write a literal brace twice"]
    unknown = [
        f"{{{name}}} is unknown; legal: {', '.join(NAMES)}{nearest(name, NAMES)}"
        for name, _ in fields
        if name not in NAMES
    ]
    return unknown + [
        f"a format may not name anything, {{{name}:{spec}}} does" for name, spec in fields if "{" in (spec or "")
    ]
