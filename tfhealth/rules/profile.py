"""A profile file, a pyproject.toml or a mapping -> Profile: which packs, what differs, what is accepted, what fails."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tfhealth.conditions import Severity
from tfhealth.errors import Fault
from tfhealth.rules import source, toml
from tfhealth.rules.checklist import BUILT_IN
from tfhealth.rules.model import Line
from tfhealth.rules.source import MAX_DEPTH, Source

__all__ = [
    *("FILES", "PYPROJECT", "Profile", "ProfileFile"),
    *("discover", "from_mapping", "from_text", "is_path", "read_profile"),
]

PYPROJECT = "pyproject.toml"
FILES = (".yaml", ".yml", ".toml")
"""How the name of a profile's file ends."""

Switch = Literal["off", "on", False, True]
Patch = dict[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OverrideEntry(_Model):
    """What differs in some rules at the sites that a pattern matches."""

    match: Line = Field(description="glob on the paths of layers and variables, e.g. encoder/**")
    set_: dict[str, Switch | Patch] = Field(
        alias="set", min_length=1, description="by rule id: off, or any of condition, severity, message, advice"
    )


def _as_day(value: Any) -> Any:
    """Let through days alone: pydantic would read numbers as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise ValueError(f"must be a day, e.g. 2027-01-31, received {value!r}")


class SuppressEntry(_Model):
    """Findings that somebody looked at and accepts."""

    rule: Line = Field(description="id of a rule, or the beginning of several ids")
    match: Line = Field("**", description="glob on the sites it is for")
    reason: Line = Field(description="why, for whoever reads the report")
    expires: Annotated[date, BeforeValidator(_as_day)] | None = Field(
        None, description="the last day on which it holds"
    )


class GateEntry(_Model):
    """What fails a build."""

    fail_on: Severity | None = Field(None, description="the least severity of a finding that fails it")
    ignore: list[Line] = Field(default_factory=list, description="beginnings of rule ids whose findings do not")
    require: list[Line] = Field(default_factory=list, description="rows or rules that must have been judged")


class Profile(_Model):
    """What a profile says."""

    name: Line | None = Field(None, description="what reports call it; the file's name by default")
    extends: list[Line] = Field(
        default_factory=lambda: [BUILT_IN],
        description="in order: built-in, names of installed packs, ./paths of folders of rules and of profiles",
    )
    select: list[Line] = Field(default_factory=list, description="beginnings of the ids in force; none: all are")
    ignore: list[Line] = Field(default_factory=list, description="beginnings of the ids that are not in force")
    set_: dict[str, Switch | Patch] = Field(
        default_factory=dict, alias="set", description="by rule id: off, on, severity, or any keys of the rule"
    )
    overrides: list[OverrideEntry] = Field(default_factory=list, description="what differs at some layers")
    suppress: list[SuppressEntry] = Field(default_factory=list, description="accepted findings")
    baseline: Line | None = Field(None, description="file of the findings that were there before")
    gate: GateEntry | None = Field(None, description="what fails a build")


@dataclass(frozen=True)
class ProfileFile:
    """One profile, and where its parts stand.

    Attributes:
        name: what reports call it.
        settings: what it says; keys with faults are left out.
        source: word for word.
        folder: what its paths are relative to.
    """

    name: str
    settings: Profile
    source: Source
    folder: Path


def discover(start: Path) -> Path | None:
    """Return the nearest pyproject.toml at or above `start` that has a table `[tool.tfhealth]`, or speaks of one."""
    paths = (folder / PYPROJECT for folder in (start, *start.parents))
    return next((path for path in paths if toml.speaks_of_us(path)), None)


def read_profile(path: Path, faults: list[Fault]) -> ProfileFile | None:
    """Read a profile file, YAML or TOML; None where nothing in it can be used."""
    shown = os.path.normpath(path)
    found = toml.read(path, shown) if path.suffix == ".toml" else source.read(path, shown)
    if isinstance(found, Fault):
        faults.append(found)
        return None
    return _checked(found, shown if path.name == PYPROJECT else path.stem, path.parent, faults)


def from_text(text: str, faults: list[Fault]) -> ProfileFile | None:
    """Return the profile that somebody sent as YAML; it may name no file of this machine."""
    found = source.parsed(text, "profile.yaml")
    if isinstance(found, Fault):
        faults.append(found)
        return None
    profile = _checked(found, "profile", Path(), faults)
    named = [number for number, entry in enumerate(profile.settings.extends) if is_path(entry)]
    what = "a file or folder cannot be named here; built-in and names of installed packs can"
    faults += [found.fault(("extends", number), what) for number in named]
    faults += [found.fault(("baseline",), what)] if profile.settings.baseline else []
    return profile


def is_path(entry: str) -> bool:
    """Tell whether an entry of `extends` means a file or a folder, and not an installed pack."""
    return entry.startswith(".") or "/" in entry or "\\" in entry or entry.endswith(FILES)


def from_mapping(data: Mapping[str, Any], faults: list[Fault]) -> ProfileFile | None:
    """Return the profile that a mapping is, whose paths are relative to the working directory."""
    try:
        plain = source.plain(data)
        deep = toml.depth(plain) > MAX_DEPTH
    except RecursionError:  # a mapping that holds itself
        deep = True
    if deep:
        faults.append(Fault("profile", 1, 1, "", f"nested more than {MAX_DEPTH} deep"))
        return None
    return _checked(Source("profile", plain), "profile", Path(), faults)


def _checked(found: Source, default: str, folder: Path, faults: list[Fault]) -> ProfileFile:
    try:
        settings = Profile.model_validate(found.data)
    except ValidationError as error:
        faults += source.faults(found, error, Profile)
        settings = _rest(found.data, error)
    return ProfileFile(settings.name or default, settings, found, folder)


def _rest(data: dict[str, Any], error: ValidationError) -> Profile:
    """Return the profile without the keys that are wrong, so that faults in the others are found too."""
    rest = dict(data)
    for detail in error.errors():
        key, *below = detail["loc"] or ("",)
        if key == "set" and below and isinstance(rest.get("set"), dict):
            rest["set"] = {name: value for name, value in rest["set"].items() if name != below[0]}
        else:
            rest.pop(str(key), None)
    return Profile.model_validate(rest)
