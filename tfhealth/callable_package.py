"""A package that has the name of a function in it -> the package can be called, and calls that function.

`tfhealth.preflight` is what users call, and Python puts the package of that name in its place as soon as a module of it
is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["make_callable"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self.__name__.rpartition(".")[2]
        return getattr(import_module(f"{self.__name__}.run"), name)(*args, **kwargs)


def make_callable(package: str) -> None:
    """Let the imported package `package` be called as the function of its own name in its module `run`."""
    sys.modules[package].__class__ = _Callable
