"""Imports run down only, and what needs no TensorFlow loads none."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tfhealth"

FLOORS = [
    "errors",
    "destination",
    "resources",
    "callable_package",
    "offers",
    "packages",
    "series",
    "samples",
    "summaries",
    "histograms",
    "task",
    "experiments",
    "statistics",
    "derive",
    "conditions",
    "database",
    "run",
    "loading",
    "recorder",
    "wire",
    "rules",
    "plan",
    "panels",
    "decide",
    "result",
    "baseline",
    "accepted",
    "gating",
    "diagnosis",
    "comparison",
    "trials",
    "report",
    "export",
    "console",
    "client",
    "fleet",
    "capture",
    "preflight",
    "replay",
    "testing",
    "store",
    "service",
    "cli",
]
"""The lowest first; a floor imports itself and those below. `tfhealth/__init__` and `__main__` stand on top of all."""

TOP = ("__init__", "__main__")
LAZY = ["tensorflow", "keras", "matplotlib", "weasyprint", "jinja2", "pydantic", "numpy"]


def modules() -> dict[str, Path]:
    """Return every module of the package with its file, e.g. `tfhealth.rules.model`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str) -> Iterator[str]:
    """Yield what a file imports, wherever in it: `tfhealth.a` and, for each name, `tfhealth.a.name`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> str:
    """Return the part of a module's path that names its floor."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def upward(sources: dict[str, str]) -> list[str]:
    """Return every import that leads from a lower floor to a higher one."""
    height = {name: number for number, name in enumerate([*FLOORS, *TOP])}
    found = []
    for module, source in sources.items():
        for name in imported(source):
            if name.split(".")[0] != "tfhealth" or name == "tfhealth.__version__":
                continue
            if height[floor(name)] > height[floor(module)]:
                found.append(f"{module} imports {name}")
    return found


def test_every_module_has_its_floor():
    """Nothing stands outside of the house, and no floor is empty by mistake."""
    found = {floor(module) for module in modules()} - {*TOP}
    assert found - set(FLOORS) == set()
    assert set(FLOORS) - found == set()


def test_imports_run_down():
    """Also those inside of functions and those for the type checker."""
    assert upward({module: path.read_text("utf-8") for module, path in modules().items()}) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("tfhealth.run", "from tfhealth.decide import decide", ["tfhealth.run imports tfhealth.decide.decide"]),
        ("tfhealth.run", "import tfhealth.cli.main", ["tfhealth.run imports tfhealth.cli.main"]),
        ("tfhealth.rules.model", "from tfhealth import report", ["tfhealth.rules.model imports tfhealth.report"]),
        (
            "tfhealth.series",
            "def f():\n    from tfhealth.run import Run",
            ["tfhealth.series imports tfhealth.run.Run"],
        ),
        (
            "tfhealth.derive",
            "if TYPE_CHECKING:\n    from tfhealth.conditions import Bound",
            ["tfhealth.derive imports tfhealth.conditions.Bound"],
        ),
        ("tfhealth.report.view", "from tfhealth.rules.model import Rule", []),
        ("tfhealth.diagnosis", "from tfhealth import __version__", []),
        ("tfhealth.cli.run", "from tfhealth.capture.script import run_script\nimport keras", []),
    ],
    ids=str,
)
def test_the_check_of_imports_can_fail(module: str, source: str, expected: list[str]):
    """Imports that run up are found in every form that Python knows."""
    assert upward({module: source}) == expected


def loaded(code: str, watched: list[str]) -> list[str]:
    """Return which of the watched packages a new interpreter has loaded after `code`."""
    code = f"import json, sys\n{code}\nprint(json.dumps([name for name in {watched!r} if name in sys.modules]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_but_capture_preflight_replay_and_testing_loads_tensorflow():
    """Every other module is imported, in one interpreter, and the whole command line is built."""
    apart = {"capture", "preflight", "replay", "testing", "__main__"}
    # Migrations are Alembic's to run.
    names = [name for name in modules() if floor(name) not in apart and ".migrations." not in name]
    assert len(names) > 30
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    assert loaded(f"{code}\nfrom tfhealth.cli.main import build_parser; build_parser()", ["tensorflow", "keras"]) == []


def test_the_check_of_tensorflow_can_fail():
    """The callback does load it."""
    assert loaded("from tfhealth import HealthCallback", ["tensorflow", "keras"]) == ["tensorflow", "keras"]


def test_import_of_the_package_alone_loads_nothing_large():
    """`import tfhealth` costs nothing; each name costs what it needs."""
    assert loaded("import tfhealth; dir(tfhealth); tfhealth.__version__", LAZY) == []
    assert loaded("from tfhealth import UsageError", LAZY) == []
    assert loaded("from tfhealth import load_run", LAZY) == ["numpy"]


def test_public_names_are_there():
    """Each name in `__all__` leads to what it names; any other is an error that Python knows."""
    import tfhealth

    assert [name for name in tfhealth.__all__ if not hasattr(tfhealth, name)] == []
    assert dir(tfhealth) == sorted(tfhealth.__all__)
    with pytest.raises(AttributeError, match="module 'tfhealth' has no attribute 'HealthCalback'"):
        _ = tfhealth.HealthCalback
