"""A layer, a function, anything of Python -> the package that made it, and whether that is Keras."""

from __future__ import annotations

from typing import Any

__all__ = ["of_keras", "package_of"]


def package_of(thing: Any) -> str:
    """Return the name of the package that a function or a class comes from, of another object its class."""
    return str(getattr(thing, "__module__", None) or type(thing).__module__).split(".")[0]


def of_keras(thing: Any) -> bool:
    """Tell whether something is Keras's own, and not of the user or of a package that builds on Keras."""
    return package_of(thing) == "keras"
