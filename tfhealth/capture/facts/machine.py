"""The process -> the facts of where a model is trained: `versions`, `hardware`, `code`, `seed`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import tensorflow as tf
from packaging.requirements import Requirement

from tfhealth.series import Attribute

__all__ = ["code_facts", "conflicts", "hardware_facts", "seed_facts", "version_facts"]

_PACKAGES = ("tensorflow", "keras", "numpy", "tfhealth")


def version_facts() -> dict[str, Attribute]:
    """Return the versions of Python and of what trains, and the CUDA that TensorFlow was built for."""
    found: dict[str, Attribute] = {"python": platform.python_version()}
    found |= {package: _version(package) for package in _PACKAGES}
    built = tf.sysconfig.get_build_info()
    found["conflicts"] = ", ".join(conflicts("tensorflow", "keras")) or "none"
    return found | {"cuda_build": bool(tf.test.is_built_with_cuda()), "cuda": built.get("cuda_version")}


def conflicts(*packages: str) -> list[str]:
    """Return what these packages ask for and is not what is installed, in words.

    Packages that are not installed ask for nothing, nor do extras.
    """
    found = []
    for package in packages:
        try:
            asked = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, asked):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                there = _version(requirement.name)
                if there is not None and not requirement.specifier.contains(there, prereleases=True):
                    found.append(f"{package} asks for {requirement.name}{requirement.specifier}, found {there}")
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def hardware_facts() -> dict[str, Attribute]:
    """Return the machine, its memory, and the accelerators that TensorFlow sees."""
    gpus = [device for device in tf.config.list_physical_devices() if device.device_type == "GPU"]
    names = (tf.config.experimental.get_device_details(one).get("device_name") or "GPU" for one in gpus)
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "memory_gb": _memory(),
        "gpus": len(gpus),
        "gpu_names": ", ".join(names) or None,
    }


def _memory() -> float | None:
    """Return the main memory in GB of 10⁹ bytes; None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None


def code_facts() -> dict[str, Attribute]:
    """Return the script, its arguments, and the git revision that it stands at."""
    script = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None
    here = Path(sys.argv[0]).resolve().parent if script else Path.cwd()
    revision = _git(here, "rev-parse", "HEAD")
    return {
        "script": script,
        "arguments": " ".join(sys.argv[1:])[:500],
        "revision": revision,
        "local_changes": bool(_git(here, "status", "--porcelain", "--untracked-files=no")) if revision else None,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None where there is no repository, no git, or no answer in two seconds."""
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607
            cwd=folder if folder.is_dir() else None,
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def seed_facts() -> dict[str, Attribute]:
    """Return what `keras.utils.set_random_seed` was given."""
    from keras.src.utils.rng_utils import get_random_seed  # Keras has no public way to ask

    seed = get_random_seed()
    return {"keras": None if seed is None else int(seed)}
