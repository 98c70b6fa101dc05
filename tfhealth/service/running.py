"""Settings and an address -> a service that answers there until it is told to stop."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from tfhealth.errors import RunError, UsageError
from tfhealth.service import logs
from tfhealth.service.app import create_app
from tfhealth.service.metrics import SHARED
from tfhealth.service.settings import Settings
from tfhealth.store.database import connected

__all__ = ["Running", "check", "database_in", "run"]

_PATIENCE = 10  # seconds for which answers that are being given may go on after the service is told to stop
_ALIVE = 30  # seconds after which a process that says nothing is replaced; a busy machine takes long to begin one


@dataclass(frozen=True)
class Running:
    """Where and how a service answers.

    Attributes:
        settings: how it runs.
        host: name or address to listen at.
        port: 0: any that is free.
        servers: processes that answer.
        log: a name of `logs.FORMATS`.
        told: called with the service's address once it is known.
    """

    settings: Settings
    host: str = "127.0.0.1"
    port: int = 8765
    servers: int = 1
    log: str = "text"
    told: Callable[[str], None] = print


def check(running: Running) -> None:
    """Refuse what would be no good idea.

    Raises:
        UsageError: an address that others reach without a token; several processes on SQLite; a header that nobody is
            believed.
    """
    settings = running.settings
    if not settings.guarded and not _own(running.host):
        raise UsageError(
            f"{running.host} can be reached from other machines: add --tokens, so that only those with a token come "
            "in, or leave --host out."
        )
    if settings.user_header and not settings.proxies:
        raise UsageError("--user-header: say which proxy is believed, with --proxy ADDRESS.")
    if running.servers > 1 and connected(settings.database).is_sqlite:
        raise UsageError("--servers: several processes need PostgreSQL: --database postgresql://USER@HOST/NAME.")


def _own(host: str) -> bool:
    """Tell whether only this machine reaches a host."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise UsageError(f"--host: {host!r} is no host of this machine ({error.strerror}).") from None
    return all(ipaddress.ip_address(str(one).partition("%")[0]).is_loopback for one in found)


@contextmanager
def database_in(url: str | None) -> Iterator[str]:
    """Yield a database's URL; where none is given, that of a new one, which is gone afterwards."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="tfhealth-", ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{Path(folder) / 'service.db'}"


def run(running: Running) -> None:
    """Answer until SIGTERM or Ctrl-C: then what is being answered and done is finished, and streams end.

    Raises:
        UsageError: the address is taken, or is not one of this machine.
        RunError: it could not begin, e.g. because its database cannot be reached.
    """
    listening = _listen(running.host, running.port)
    host = f"[{running.host}]" if ":" in running.host else running.host
    running.told(f"http://{host}:{listening.getsockname()[1]}")
    logs.set_up(running.log)
    signal.signal(signal.SIGTERM, _end)  # uvicorn passes on what stopped it, and whoever called has to tidy up yet
    with listening, _shared_counts(running.servers), suppress(KeyboardInterrupt, SystemExit):
        if running.servers > 1:
            Multiprocess(_config(running), [listening]).run()
            return
        server = uvicorn.Server(_config(running))
        server.run(sockets=[listening])
        if not server.started:
            raise RunError("the service could not begin; its log says why.")


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)


def _config(running: Running) -> uvicorn.Config:
    return uvicorn.Config(
        partial(_application, running.settings, running.log),
        factory=True,
        workers=running.servers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is believed is said by `Settings.proxies`
        timeout_graceful_shutdown=_PATIENCE,
        timeout_worker_healthcheck=_ALIVE,
    )


def _application(settings: Settings, log: str) -> FastAPI:
    logs.set_up(log)
    return create_app(settings)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(f"cannot listen at {host} port {port}: {error.strerror}; --port names another one.") from None


@contextmanager
def _shared_counts(servers: int) -> Iterator[None]:
    """Let several processes count into one folder."""
    if servers == 1 or SHARED in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tfhealth-metrics-") as folder:
        os.environ[SHARED] = folder
        try:
            yield
        finally:
            del os.environ[SHARED]
