"""Paths, patterns and URLs -> the run folders that are meant; a run of an object store -> a copy for a moment."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from tfhealth.database import DATABASE
from tfhealth.errors import RunError, UsageError

__all__ = ["PROTOCOLS", "at_hand", "found"]

PROTOCOLS = ("s3", "gs", "az", "abfs", "hdfs", "file")
"""What a URL may begin with; fsspec knows more, some of which run programs or lead elsewhere."""

_LARGEST = 4_000_000_000  # bytes of a run that is copied


def found(named: Sequence[str]) -> list[str]:
    """Return the run folders that are meant, each once, in order.

    Args:
        named: run folders, folders of them, patterns with `*` and `?`, or URLs of these.

    Raises:
        UsageError: a URL that cannot be meant, or cannot be read with what is installed.
        RunError: something that is named is no run, and has none in it.
    """
    places = [place for one in named for place in (_remote(one) if "://" in one else _local(one))]
    return list(dict.fromkeys(places))


def _local(named: str) -> list[str]:
    paths = [Path(one) for one in sorted(glob.glob(named))] if glob.has_magic(named) else [Path(named)]  # noqa: PTH207
    places = [place for path in paths for place in ([path] if _is_run(path) else sorted(_below(path)))]
    if not places:
        raise RunError(f"{named}: not a run directory, and there is none in it.")
    return [str(one.absolute()) for one in places]


def _is_run(path: Path) -> bool:
    return (path / DATABASE).is_file()


def _below(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if _is_run(one)] if path.is_dir() else []


def _remote(named: str) -> list[str]:
    try:
        files, inside = _files(named)
        base = inside.rstrip("/")
        keys = files.glob(f"{base}/{DATABASE}") or files.glob(f"{base}/*/{DATABASE}")
    except UsageError:
        raise
    except Exception as error:  # each store has errors of its own, of which we know none
        raise UsageError(f"{named}: cannot be read ({type(error).__name__}: {error}).") from None
    if not keys:
        raise RunError(f"{named}: not a run directory, and there is none in it.")
    protocol = named.partition("://")[0]
    return [f"{protocol}://{str(PurePosixPath(key).parent).lstrip('/' if protocol != 'file' else '')}" for key in keys]


def _files(url: str) -> tuple[Any, str]:
    """Return what reads a URL, and the path of it there."""
    protocol, _, path = url.partition("://")
    if protocol not in PROTOCOLS:
        raise UsageError(f"{url}: a URL begins with one of {', '.join(f'{one}://' for one in PROTOCOLS)}.")
    if "::" in url or "\0" in url or ".." in PurePosixPath(path).parts:
        raise UsageError(f"{url}: no run lies there; `..` and `::` are not followed.")
    try:
        import fsspec

        files, inside = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"{url}: {error}. `pip install 'tfhealth[fleet]'` has fsspec; stores have packages.") from None
    return files, str(inside)


@contextmanager
def at_hand(place: str) -> Iterator[Path]:
    """Yield the folder of a run, or of a copy of its file that is deleted afterwards.

    Raises:
        RunError: it is too large to be copied.
        UsageError: a URL that cannot be meant.
        OSError: the store cannot be read.
    """
    if "://" not in place:
        yield Path(place)
        return
    files, inside = _files(place)
    with TemporaryDirectory(prefix="tfhealth-") as folder:
        for name in (DATABASE, f"{DATABASE}-wal"):  # names of our own: what a store calls its files leads nowhere here
            key = f"{inside.rstrip('/')}/{name}"
            if name == DATABASE or files.exists(key):
                if files.size(key) > _LARGEST:
                    raise RunError(f"{place}: {name} is larger than {_LARGEST} bytes.")
                files.get_file(key, str(Path(folder) / name))
        yield Path(folder)
