"""Databases of both kinds, a guarded service, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browsing import browsing
from tests.service.guarded import Place, guarded
from tests.service.postgres import Cluster, cluster, programs
from tfhealth.store.database import Database, connected


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


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new database with its tables, of either kind."""
    found = connected(url)
    found.upgrade()
    yield found
    found.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service where everybody needs a token."""
    with guarded(tmp_path_factory.mktemp("guarded")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; tests that need one are left out where there is none."""
    with browsing() as found:
        yield found
