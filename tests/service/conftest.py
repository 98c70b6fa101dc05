"""Databases of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.postgres import Cluster, cluster, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL that all tests of a process share, each with databases of its own."""
    found = programs()
    if found is None:
        pytest.skip("needs Debian's package postgresql")
    with cluster(found) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database, of either kind."""
    return database_url(request, tmp_path)


def database_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the URL of a new database of the kind that a fixture's parameter names."""
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'service.db'}"
    found: Cluster = request.getfixturevalue("postgres")
    return found.new()
