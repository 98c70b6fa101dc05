"""Names of programs -> what their reports say: `python -m tests.clinic [NAME ...] [--seeds 3] [--module DOTTED]`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import tests.clinic
from tests.clinic.diagnosis import diagnosed


def programs(module: str | None) -> dict[str, Callable[[], Any]]:
    """Return every function of the clinic, or of one module, by name."""
    names = [module] if module else [f"tests.clinic.{one.name}" for one in pkgutil.iter_modules(tests.clinic.__path__)]
    found = {}
    for name in names:
        if name.rpartition(".")[2].startswith(("_", "test_")):
            continue
        for key, value in vars(importlib.import_module(name)).items():
            if callable(value) and getattr(value, "__annotations__", {}).get("return") in ("Program", tuple):
                found[key] = value
    return found


def main(arguments: list[str]) -> None:
    """Print the findings of each program at each seed."""
    parser = argparse.ArgumentParser(prog="tests.clinic")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--module")
    chosen = parser.parse_args(arguments)
    found = programs(chosen.module)
    for name in chosen.names or found:
        for seed in range(chosen.seeds):
            result = diagnosed(found[name], seed)
            print(f"{name} [{seed}] {result.verdict}")
            for one in result.findings:
                print(f"    {one.verdict:5} {one.checklist:28} {one.rule:8} {one.site}  {one.message}")
            for rule in result.rules:
                if rule.verdict == "error":
                    print(f"    ERROR {rule.rule} {rule.reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
