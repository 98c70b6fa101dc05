"""A source and entry points -> a package that is installed for one test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def installing(folder: Any, monkeypatch: Any, group: str, load: Any) -> Iterator[Callable[..., str]]:
    """Yield a function that installs a module with a source, and its entry points {name: what stands after `module:`}.

    Args:
        folder: where it is installed.
        monkeypatch: pytest's.
        group: the entry point group.
        load: the cached function that loads what is offered there.
    """
    modules = []

    def installed(source: str, names: Mapping[str, str], package: str) -> str:
        module, site = package.replace("-", "_"), folder / "site"
        (site / f"{module}-1.2.dist-info").mkdir(parents=True)
        (site / f"{module}.py").write_text(source, "utf-8")
        entries = "".join(f"{name} = {module}:{attribute}\n" for name, attribute in names.items())
        for file, text in {
            "METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n",
            "entry_points.txt": f"[{group}]\n{entries}",
        }.items():
            (site / f"{module}-1.2.dist-info" / file).write_text(text, "utf-8")
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        modules.append(module)
        return module

    load.cache_clear()
    yield installed
    load.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)
