"""Every pair and every healthy program of the clinic, collected from the modules beside this one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import tests.clinic
from tests.clinic.pair import Pair, Program

__all__ = ["healthy", "pairs"]


def pairs() -> list[Pair]:
    """Return the pairs of every chapter, in the order of the modules."""
    return list(_all("PAIRS"))


def healthy() -> list[Callable[[], Program]]:
    """Return every healthy program once."""
    return list(dict.fromkeys([*_all("HEALTHY"), *(pair.healthy for pair in pairs())]))


def _all(name: str) -> Iterator[Any]:
    """Yield what the tuples of this name in every module hold."""
    for one in pkgutil.iter_modules(tests.clinic.__path__):
        if not one.name.startswith(("_", "test_")):
            yield from vars(importlib.import_module(f"tests.clinic.{one.name}")).get(name, ())
