"""A project's profile -> the pages of the rules that it puts in force: all of them, and each with what it says."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import HTMLResponse

from tfhealth.conditions import SEVERITIES
from tfhealth.errors import RuleError
from tfhealth.gating import in_words
from tfhealth.report.words import breach
from tfhealth.rules.checklist import BUILT_IN, Checklist
from tfhealth.rules.explain import explain_rule
from tfhealth.rules.model import Rule
from tfhealth.service import work
from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import Service, TheService

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _Line:
    """A rule in the list: what it measures, its limits as (severity, words), and who set them if not its own pack."""

    id: str
    title: str
    asks: str
    pack: str
    measured: str
    limits: tuple[tuple[str, str], ...]
    set_by: str


@router.get("/projects/{project}/rules")
def rules(request: Request, project: Slug, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the rules and packs in force in a project."""
    profile = _profile(service, caller, project)
    try:
        checklist = work.checklist(profile)
    except RuleError as error:
        return page(request, "rules.html.j2", project=project, profile=profile, checklist=None, faults=str(error))
    packs = sorted({checklist.origin(rule.id).pack for rule in checklist.rules})
    versions = {pack.name: pack.version for pack in checklist.packs}
    counts = [(pack, versions.get(pack, ""), _amount(checklist, pack)) for pack in packs]
    return page(
        request,
        "rules.html.j2",
        project=project,
        profile=profile,
        checklist=checklist,
        chapters=_chapters(profile),
        packs=counts,
        gate=in_words(checklist.gate),
        faults="",
    )


@router.get("/projects/{project}/rules/{rule}")
def rule(
    request: Request,
    project: Slug,
    rule: Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,60}$")],
    caller: TheCaller,
    service: TheService,
) -> HTMLResponse:
    """Show one rule as it is in force in a project: what it measures, its limits, why, and what to change."""
    try:
        checklist = work.checklist(_profile(service, caller, project))
    except RuleError:
        raise HTTPException(404, "the project's profile cannot be read; its page of rules says why") from None
    found = checklist.rule(rule)
    if found is None:
        raise HTTPException(404, f"no rule {rule} is in force here")
    intro, sections = _explained(found, checklist)
    origin = checklist.origin(rule)
    return page(request, "rule.html.j2", project=project, rule=found, origin=origin, intro=intro, sections=sections)


def _profile(service: Service, caller: TheCaller, project: str) -> str:
    with service.database.reading() as session:
        return checked_project(session, caller, project, "read").profile


@functools.lru_cache(8)
def _chapters(profile: str) -> list[tuple[str, list[_Line]]]:
    checklist = work.checklist(profile)
    found = [
        (title, [_line(rule, item.asks, checklist) for item in items for rule in checklist.rules_for(item.id)])
        for title, items in checklist.chapters
    ]
    return [(title, lines) for title, lines in found if lines]


def _explained(rule: Rule, checklist: Checklist) -> tuple[str, dict[str, str]]:
    """Return what is said of a rule before the first heading, and {heading: Markdown}."""
    head, *parts = re.split(r"^## ", explain_rule(rule, checklist), flags=re.MULTILINE)
    sections = (part.partition("\n") for part in parts)
    return head.partition("\n")[2], {title: body for title, _, body in sections}


def _amount(checklist: Checklist, pack: str) -> int:
    return sum(checklist.origin(rule.id).pack == pack for rule in checklist.rules)


def _line(rule: Rule, asks: str, checklist: Checklist) -> _Line:
    origin = checklist.origin(rule.id)
    limits = tuple((one, breach(rule.condition, one)) for one in SEVERITIES if one in rule.condition.severities)
    changed = origin.set_by if origin.set_by not in (origin.pack, BUILT_IN) else ""
    measured = _explained(rule, checklist)[1]["What is measured"].strip().rstrip(".")
    return _Line(rule.id, rule.title, asks, origin.pack, measured, limits, changed)
