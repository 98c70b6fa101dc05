"""A profile and what it extends -> the packs and the profiles in force, in order, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tfhealth.errors import Fault, UsageError
from tfhealth.rules.checklist import BUILT_IN
from tfhealth.rules.installed import open_installed
from tfhealth.rules.pack import Pack, built_in, read_pack
from tfhealth.rules.profile import FILES, ProfileFile, is_path, read_profile
from tfhealth.rules.source import MAX_DEPTH

__all__ = ["Chain", "follow"]


@dataclass
class Chain:
    """What is in force.

    Attributes:
        faults: what is wrong in any file.
        base: what `built-in` stands for.
        packs: in the order in which they were named.
        profiles: an extended one before the one that extends it.
        whole: whether everything that was named was found.
    """

    faults: list[Fault]
    base: Pack = field(default_factory=built_in)
    packs: list[Pack] = field(default_factory=list)
    profiles: list[ProfileFile] = field(default_factory=list)
    whole: bool = True

    def add(self, pack: Pack) -> None:
        """Add a pack that is not there yet."""
        if all(pack.folder != one.folder for one in self.packs):
            self.packs.append(pack)


def follow(profile: ProfileFile, chain: Chain, path: Path | None = None) -> None:
    """Add to `chain` what a profile extends, and then the profile itself.

    Args:
        profile: the profile.
        chain: is added to.
        path: the profile's file; None: it has none.
    """
    _Walk(chain).into(profile, [path.resolve()] if path else [])


class _Walk:
    """Follows `extends` from file to file."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.seen: set[Path] = set()

    def into(self, profile: ProfileFile, way: list[Path]) -> None:
        """Add what a profile extends, and the profile; `way` has the files that led here, this one the last."""
        for number, entry in enumerate(profile.settings.extends):
            wrong = self._extended(profile, entry, way)
            if wrong is not None:
                self.chain.whole = False
                self.chain.faults.append(profile.source.fault(("extends", number), wrong))
        self.chain.profiles.append(profile)

    def _extended(self, profile: ProfileFile, entry: str, way: list[Path]) -> str | None:
        """Add what one entry names; return what is wrong with it."""
        if entry == BUILT_IN:
            self.chain.add(self.chain.base)
            return None
        if not is_path(entry):
            try:
                self.chain.add(open_installed(entry, self.chain.faults))
            except UsageError as error:
                return f"{error}; a folder is written ./{entry}"
            return None
        try:
            return self._path(profile, entry, way)
        except UsageError as error:
            return str(error)
        except OSError as error:
            return f"{entry!r} cannot be read: {error.strerror}"

    def _path(self, profile: ProfileFile, entry: str, way: list[Path]) -> str | None:
        path = profile.folder / entry
        if path.is_dir():
            self.chain.add(read_pack(path, self.chain.faults))
            return None
        if path.is_file() and path.suffix in FILES:
            return self._file(path, way)
        kinds = f"neither a folder nor a file ({', '.join(FILES)})"
        return f"{entry!r} is {kinds}" if path.exists() else f"there is no file or folder {entry!r}"

    def _file(self, path: Path, way: list[Path]) -> str | None:
        real = path.resolve()
        if real in way:
            circle = [*way[way.index(real) :], real]
            return f"extends itself: {' → '.join(one.name for one in circle)}"
        if len(way) >= MAX_DEPTH:
            return f"more than {MAX_DEPTH} files extend one another"
        if real not in self.seen:
            self.seen.add(real)
            found = read_profile(path, self.chain.faults)
            if found is not None:
                self.into(found, [*way, real])
            self.chain.whole &= found is not None
        return None
