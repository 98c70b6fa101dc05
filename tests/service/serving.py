"""A real service on a free port of this machine, for tests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import uvicorn
from fastapi import FastAPI

from tfhealth.service.app import create_app
from tfhealth.service.settings import Settings

T = TypeVar("T")

ROOT = Path(__file__).parent.parent.parent
"""The folder of the project."""


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Run a service under uvicorn in a thread; yield its address."""
    with answering(create_app(settings)) as address:
        yield address


@contextmanager
def answering(app: FastAPI) -> Iterator[str]:
    """Run an application so."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=5, proxy_headers=False, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def sqlite(folder: Path) -> Settings:
    """Return settings with a new database in a folder."""
    return Settings(database=f"sqlite:///{folder / 'service.db'}", workers=1)


def until(found: Callable[[], T], seconds: float = 60.0) -> T:
    """Ask until there is an answer that is true, and return it."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return answer


def heard(lines: Iterator[str], most: int) -> list[str]:
    """Return the next events of a page, until there are so many or no more will come."""
    events = (line.removeprefix("event: ") for line in lines if line.startswith("event: "))
    return list(islice(events, most))
