"""A service with two runs to look at: a sick one, whose every text is markup, and a healthy one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import update

from tests.helpers import run_of
from tests.service.serving import serving, sqlite, until
from tfhealth.client import Client, push
from tfhealth.store.database import Database, connected
from tfhealth.store.tables import StoredRun


@dataclass(frozen=True)
class There:
    """A service's address, a client, one of its pages, its database, and the identities of the runs that it has."""

    address: str
    client: Client
    pages: httpx.Client
    database: Database
    sick: str
    well: str


@contextmanager
def sick_and_well(folder: Path, evil: str) -> Iterator[There]:
    """Run such a service with a database in a folder, until both runs are judged."""
    settings = sqlite(folder)
    sick = {("gradient", f"dense/{evil}", "nonfinite"): [0.0, 1.0, 1.0], ("loss", "total", "value"): [2.0, 3.0, 4.0]}
    facts = {("fact", "model"): {"name": evil}, ("gradient", f"dense/{evil}"): {"layer": evil}}
    run_of(sick, facts, folder=folder / "sick")
    well = {("gradient", "dense/kernel", "nonfinite"): [0.0] * 3, ("loss", "total", "value"): [2.0, 1.5, 1.0]}
    logs = {("log", "loss", "value"): [2.0, 1.5, 1.2], ("log", "val_loss", "value"): [4.0, 3.0, 2.4]}
    run_of(well | logs, folder=folder / "well")
    with serving(settings) as address, Client(address) as client:
        ids = [push(client, folder / name).run for name in ("sick", "well")]
        for one in ids:
            until(lambda one=one: client.summary("default", one).verdict)
        database = connected(settings.database)
        with database.writing() as session:
            session.execute(update(StoredRun).where(StoredRun.id == ids[0]).values(name=evil, person=evil))
        with httpx.Client(base_url=address, headers={"Accept": "text/html"}, timeout=120) as pages:
            yield There(address, client, pages, database, *ids)
        database.close()
