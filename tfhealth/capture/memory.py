"""The operating system and TensorFlow -> bytes in use: of this process, and of each GPU."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import tensorflow as tf

from tfhealth.series import Site

__all__ = ["memory"]

_STATUS = Path("/proc/self/status")
_LINES = {"VmRSS": "current", "VmHWM": "peak"}


def memory() -> dict[Site, Mapping[str, float]]:
    """Return {memory site: {statistic: bytes}}; what a system does not tell is left out."""
    found = {Site("memory", "process"): _process(), **_gpus()}
    return {site: known for site, known in found.items() if known}


def _process() -> dict[str, float]:
    """Return what Linux says of the process, or the peak alone, which other systems say."""
    with suppress(OSError, ValueError):
        pairs = (line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return {_LINES[name]: 1024.0 * int(value.split()[0]) for name, value in pairs if name in _LINES}
    with suppress(ImportError):
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"peak": float(peak if sys.platform == "darwin" else 1024 * peak)}
    return {}


def _gpus() -> dict[Site, dict[str, float]]:
    found = {}
    for device in tf.config.list_logical_devices("GPU"):
        name = device.name.removeprefix("/device:")
        with suppress(ValueError):  # a device whose memory TensorFlow does not manage
            known = tf.config.experimental.get_memory_info(name)
            found[Site("memory", name)] = {"current": float(known["current"]), "peak": float(known["peak"])}
    return found
