"""The report as plain data: every sentence, number and label final, nothing left to decide for who writes the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfhealth.report.chart import Chart

__all__ = [
    "AcceptedPart",
    "Badge",
    "Card",
    "Chapter",
    "Experiment",
    "FindingPart",
    "Given",
    "Letterhead",
    "Pair",
    "Picture",
    "Report",
    "RowPart",
    "Said",
    "Table",
    "Unjudged",
]


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict to show: its key (for the color), its symbol and its word."""

    verdict: str
    symbol: str
    word: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of a list of facts."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below headings; `more` says how many were left out, empty where none were."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""


@dataclass(frozen=True, eq=False)
class Picture:
    """A chart with the words around it; `alt` tells what it shows to who cannot see it.

    `narrow` is for two abreast.
    """

    name: str
    title: str
    caption: str
    alt: str
    chart: Chart
    narrow: bool = False


@dataclass(frozen=True, eq=False)
class Card:
    """One sample that is an image: pixels uint8[height, width, channels]; `lines` are its labels and predictions.

    `wrong` says that a predicted class is not the label.
    """

    pixels: NDArray[Any]
    alt: str
    lines: tuple[str, ...]
    wrong: bool = False


@dataclass(frozen=True, eq=False)
class Given:
    """What is known of one input or label: samples as cards or as a table of numbers, or a picture of all of them."""

    title: str
    caption: str
    cards: tuple[Card, ...] = ()
    table: Table | None = None
    picture: Picture | None = None


@dataclass(frozen=True, eq=False)
class FindingPart:
    """One finding in words.

    `why` and `advice` are Markdown, `tried` is what the advice did to clones, `snippet` is a profile that accepts it,
    `consequences` are the findings that follow from it.
    """

    number: int
    anchor: str
    badge: Badge
    rule: str
    title: str
    message: str
    facts: tuple[Pair, ...]
    follows_from: str
    sites: Table | None
    picture: Picture | None
    why: str
    advice: str
    sources: str
    silence: str
    snippet: str
    command: str
    tried: tuple[str, ...] = ()
    consequences: tuple[FindingPart, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedPart:
    """A finding that somebody accepted, in words: who, why and until when stand among the facts."""

    anchor: str
    badge: Badge
    rule: str
    title: str
    message: str
    facts: tuple[Pair, ...]
    sites: Table | None


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule says of an experiment; `links` are (words, anchor) of its findings."""

    badge: Badge
    rule: str
    text: str
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment that yielded something: what it does, what the rules say, and its series."""

    name: str
    badge: Badge
    doc: str
    took: str
    said: tuple[Said, ...]
    pictures: tuple[Picture, ...]
    numbers: tuple[Pair, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Rows of the checklist that were not judged for one and the same reason."""

    badge: Badge
    questions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class RowPart:
    """One row of the checklist; `links` are (words, anchor) of the findings on it."""

    badge: Badge
    id: str
    asks: str
    reason: str
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The rows of one chapter of the checklist, and how many there are of each verdict."""

    title: str
    counts: str
    rows: tuple[RowPart, ...]


@dataclass(frozen=True, slots=True)
class Letterhead:
    """How an organization's reports look: texts that were read and checked, never files.

    Attributes:
        pack: name of the pack that they come from.
        title: what stands above the run's name.
        logo: a picture as a data URI, empty: none.
        style: CSS that follows ours.
        header: Jinja text of the closed kind of `tfhealth.report.partial`, empty: none; so `footer`.
        chapters: (file name, Jinja text) of each chapter of its own.
        layout: Jinja text that says where the parts of the page stand, empty: in our order.
        problems: one sentence for each thing that was left out.
    """

    pack: str
    title: str
    logo: str = ""
    style: str = ""
    header: str = ""
    footer: str = ""
    chapters: tuple[tuple[str, str], ...] = ()
    layout: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """The whole document, in its order."""

    title: str
    kind: str
    name: str
    letterhead: Letterhead | None
    badge: Badge
    sentence: str
    change: str
    counts: tuple[tuple[Badge, str], ...]
    identity: tuple[Pair, ...]
    notices: tuple[str, ...]
    findings: tuple[FindingPart, ...]
    findings_intro: str
    accepted_intro: str
    accepted: tuple[AcceptedPart, ...]
    unjudged_intro: str
    unjudged: tuple[Unjudged, ...]
    beyond_intro: str
    beyond: tuple[Unjudged, ...]
    notes: Table | None
    experiments_intro: str
    experiments: tuple[Experiment, ...]
    left_out: Table | None
    remedies: Table | None
    pictures: tuple[Picture, ...]
    given_intro: str
    given: tuple[Given, ...]
    chapters: tuple[Chapter, ...]
    commands: tuple[Pair, ...]
    silence: str
    limits: Table
    settings: tuple[Table, ...]
    footer: str
