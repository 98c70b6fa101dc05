"""The page of a project's runs: searched, filtered, sorted, page by page, all of it said in the address."""

from __future__ import annotations

import dataclasses
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from tfhealth.report.words import VERDICTS
from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store import listing
from tfhealth.store.listing import Choices, Wanted

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

# PostgreSQL knows no text with a NUL.
_Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(lambda text: text.replace("\0", ""))]


class _Asked(BaseModel):
    """What the query of an address says, under the names that people see there."""

    verdict: _Text = ""
    status: _Text = ""
    cause: _Text = ""
    found: _Text = ""
    model: _Text = ""
    person: _Text = ""
    q: _Text = ""
    sort: _Text = "-started"
    page: int = Field(1, ge=1, le=1_000_000)


_COLUMNS = (
    *(("name", "Run"), ("verdict", "Verdict"), ("cause", "Leading cause"), ("model", "Model"), ("person", "Sent by")),
    *(("steps", "Steps"), ("started", "Started, UTC")),
)
"""(what it is sorted by, its head) of each column."""


@router.get("/projects/{project}/runs")
def runs(
    request: Request, project: Slug, asked: Annotated[_Asked, Query()], caller: TheCaller, service: TheService
) -> HTMLResponse:
    """Show the runs of a project that are asked for, the latest first where nothing else is."""
    said = asked.model_dump()
    wanted = Wanted(text=said.pop("q"), **said)
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        found, choices = listing.find(session, owner, wanted), listing.choices(session, owner)
    answer = page(
        request,
        "runs.html.j2",
        project=project,
        wanted=wanted,
        found=found,
        filtered=wanted != Wanted(sort=wanted.sort, page=wanted.page),
        choices=_choices(choices),
        columns=_COLUMNS,
        statuses=listing.STATUSES,
        query=lambda **changed: query(wanted, **changed),
    )
    if request.headers.get("hx-trigger") == "filters":
        answer.headers["HX-Push-Url"] = f"/projects/{project}/runs{query(wanted)}"  # without the fields that are empty
    return answer


def _choices(found: Choices) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """Return (name in the address, label, words for all, [(value, words)]) of everything that is chosen from a list."""
    return [
        ("verdict", "Verdict", "any", [(one, VERDICTS[one][1]) for one in listing.VERDICTS]),
        ("status", "Status", "any", [(one, one) for one in listing.STATUSES]),
        ("cause", "Leading cause", "any", [(rule, f"{rule} {title}") for rule, title in found.causes]),
        ("model", "Model", "any", [(one, one) for one in found.models]),
        ("person", "Sent by", "anybody", [(one, one) for one in found.persons]),
    ]


def query(wanted: Wanted, **changed: str | int) -> str:
    """Return the part of an address from `?` on; whatever is as it is anyway is left out."""
    other = dataclasses.replace(wanted, **changed)  # type: ignore[arg-type]
    said = {
        "q" if field.name == "text" else field.name: value
        for field in dataclasses.fields(Wanted)
        if (value := getattr(other, field.name)) != field.default
    }
    return f"?{urlencode(said)}" if said else "?"
