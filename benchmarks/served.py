"""A database -> a real server on it in a process of its own, and what that takes."""

import http.client
import itertools
import multiprocessing
import os
import socket
import time
from pathlib import Path

import uvicorn

from tfhealth.service.app import create_app
from tfhealth.service.settings import Settings


def serve(url, port, workers, works):
    """Be the server."""
    settings = Settings(database=url, workers=workers, works=works)
    uvicorn.run(create_app(settings), port=port, log_level="warning", access_log=False, backlog=2048)


def started(url, workers=1, works=False):
    """Start a server; return its process and its address."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port, workers, works))
    process.start()
    for _ in itertools.count():
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()
            break
        except OSError:
            assert process.is_alive()
            time.sleep(0.1)
    return process, f"http://127.0.0.1:{port}"


def used(process):
    """Return the CPU seconds that a process took so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
