"""A folder of rules -> Pack: its rules, its rows, its tests, and how its reports look; nothing in it is ever run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from tfhealth import __version__, resources
from tfhealth.errors import Fault, UsageError
from tfhealth.rules import source
from tfhealth.rules.brand import TEMPLATES, is_inside, read_logo, read_templates
from tfhealth.rules.checklist import BUILT_IN, Brand, Rows
from tfhealth.rules.model import Line, Rule
from tfhealth.rules.source import Source

__all__ = ["MANIFEST", "ROWS", "Manifest", "Pack", "PackName", "RuleFile", "built_in", "read_pack"]

MANIFEST = "pack.yaml"
ROWS = "checklist.yaml"
_MAX_FILES = 1_000
_MAX_BYTES = 10_000_000  # of all rule files together

PackName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]

M = TypeVar("M", bound=BaseModel)


class Manifest(BaseModel):
    """The file `pack.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PackName = Field(description="small letters, digits and single hyphens; profiles and reports call it so")
    version: Annotated[str, StringConstraints(pattern=r"^[\w.+!-]+$", max_length=40)] = Field(
        description="version of the pack, in quotes"
    )
    requires: Line | None = Field(None, description="versions of tfhealth that can read it, e.g. '>=0.1'")
    title: Line | None = Field(None, description="heads the report")
    logo: Line | None = Field(None, description="an SVG or PNG inside the pack, at most 100 kB")
    templates: Line | None = Field(None, description=f"folder inside the pack with any of {', '.join(TEMPLATES)}")

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == BUILT_IN:
            raise ValueError(f"{BUILT_IN!r} is the name of tfhealth's own rules")
        return name

    @field_validator("requires")
    @classmethod
    def _met(cls, requires: str | None) -> str | None:
        if requires is not None and not _specifiers(requires).contains(__version__, prereleases=True):
            raise ValueError(f"the pack needs tfhealth {requires}, this is {__version__}")
        return requires


@dataclass(frozen=True)
class RuleFile:
    """One rule, and what its file says word for word."""

    rule: Rule
    source: Source


@dataclass(frozen=True)
class Pack:
    """A folder of rules.

    Attributes:
        name: as `pack.yaml` says; the folder's name where there is none.
        folder: where it is, absolute.
        manifest: what `pack.yaml` says; None: there is none, or it is broken.
        rules: the rules that are sound, in the order of their files.
        broken: ids of those that are not.
        rows: chapters and rows that it brings along; None: none.
        rows_source: the file of these, word for word.
        tests: its test files, `tests/*.yaml`.
        brand: how its reports look.
    """

    name: str
    folder: Path
    manifest: Manifest | None
    rules: tuple[RuleFile, ...]
    broken: frozenset[str]
    rows: Rows | None
    rows_source: Source | None = field(repr=False)
    tests: tuple[Path, ...]
    brand: Brand


@cache
def built_in() -> Pack:
    """Return the rules that come with tfhealth."""
    faults: list[Fault] = []
    pack = read_pack(resources.rules_dir(), faults, BUILT_IN)
    assert not faults, faults  # the wheel has what its tests have seen
    return pack


def read_pack(folder: Path, faults: list[Fault], name: str | None = None) -> Pack:
    """Read the pack in `folder`, adding to `faults` what is wrong in any of its files.

    Args:
        folder: an existing folder.
        faults: is added to.
        name: what the pack is called, whatever it says itself.

    Raises:
        UsageError: it has no rule file.
    """
    given, folder = folder, folder.resolve() if ".." in folder.parts else folder.absolute()
    reader = _Reader(folder, faults)
    is_pack = (folder / MANIFEST).exists()
    files = sorted(islice(reader.below(folder / "rules" if is_pack else folder), _MAX_FILES + 1))
    if not files:
        raise UsageError(f"{given}: has no rule file (*.yaml) in {'its folder rules' if is_pack else 'it'}.")
    manifest, manifest_source = reader.model(folder / MANIFEST, Manifest) if is_pack else (None, None)
    called = name or (manifest.name if manifest else folder.name)
    rules, broken = reader.rules(files if reader.within_limits(files) else [])
    rows, rows_source = reader.model(folder / ROWS, Rows) if (folder / ROWS).exists() else (None, None)
    tests = tuple(sorted((folder / "tests").glob("*.y*ml")))
    brand = Brand(called)
    if manifest is not None and manifest_source is not None:
        brand = reader.brand(called, manifest, manifest_source)
    return Pack(called, folder, manifest, rules, broken, rows, rows_source, tests, brand)


class _Reader:
    """Reads the files of one folder, and collects what is wrong in them."""

    def __init__(self, folder: Path, faults: list[Fault]) -> None:
        self.folder, self.faults = folder, faults

    def shown(self, path: Path) -> str:
        return str(Path(self.folder.name) / path.relative_to(self.folder))

    def model(self, path: Path, model: type[M]) -> tuple[M | None, Source | None]:
        """Return what one file says, and its source; None for what cannot be used."""
        if not is_inside(self.folder, path):
            self.faults.append(Fault(self.shown(path), 1, 1, "", "is a link that leads out of the pack"))
            return None, None
        found = source.read(path, self.shown(path))
        if isinstance(found, Fault):
            self.faults.append(found)
            return None, None
        try:
            return model.model_validate(found.data), found
        except ValidationError as error:
            self.faults += source.faults(found, error, model)
            return None, found

    def below(self, top: Path) -> Iterator[Path]:
        """Yield what is a rule file by its name and place."""
        own = (self.folder / MANIFEST, self.folder / ROWS)
        for path in top.rglob("*.y*ml"):
            parts = path.relative_to(self.folder).parts
            if path not in own and parts[0] != "tests" and not any(part.startswith(".") for part in parts):
                yield path

    def within_limits(self, files: Sequence[Path]) -> bool:
        """Return whether there are not too many files to read."""
        what = None
        if len(files) > _MAX_FILES:
            what = f"has more than {_MAX_FILES} rule files"
        elif sum(path.stat().st_size for path in files if path.is_file()) > _MAX_BYTES:
            what = f"has rule files of more than {_MAX_BYTES} bytes"
        if what is not None:
            self.faults.append(Fault(self.folder.name, 1, 1, "", what))
        return what is None

    def rules(self, files: Sequence[Path]) -> tuple[tuple[RuleFile, ...], frozenset[str]]:
        """Return the rules that are sound, and the ids that the others seem to have."""
        known: dict[str, RuleFile] = {}
        broken = set()
        for path in files:
            rule, found = self.model(path, Rule)
            if rule is None or found is None:
                broken.add(str(found.data.get("id")) if found else path.stem.split("-")[0])
                continue
            if not path.stem.startswith(rule.id):
                named = f"{rule.id}-{path.stem}{path.suffix}"
                self.faults.append(found.fault(("id",), f"file name must begin with the id: {named}"))
            if rule.id in known:
                title = known[rule.id].rule.title
                self.faults.append(found.fault(("id",), f"{rule.id} is already the id of {title!r}"))
            known.setdefault(rule.id, RuleFile(rule, found))
        return tuple(known.values()), frozenset(broken - known.keys())

    def brand(self, name: str, manifest: Manifest, found: Source) -> Brand:
        """Return how reports of the pack look."""
        logo, wrong = read_logo(self.folder, manifest.logo)
        self.faults += [found.fault(("logo",), what) for what in wrong]
        templates, wrong = read_templates(self.folder, manifest.templates)
        self.faults += [found.fault(("templates",), what) for what in wrong]
        return Brand(name, manifest.version, manifest.title or "", logo, templates)


def _specifiers(requires: str) -> SpecifierSet:
    try:
        return SpecifierSet(requires)
    except InvalidSpecifier:
        raise ValueError(f"{requires!r} names no versions; write '>=0.1' or '>=0.1,<2'") from None
