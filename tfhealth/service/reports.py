"""A stored run and a format -> the document, from what is kept or made in a process apart and kept."""

from __future__ import annotations

from collections.abc import Callable

from anyio import to_thread

from tfhealth.errors import Error
from tfhealth.service import work
from tfhealth.service.state import Service
from tfhealth.store import rendering
from tfhealth.store.rendering import Document
from tfhealth.store.tables import StoredRun

__all__ = ["compared", "head_and_foot", "inside", "kept_report", "report"]


def kept_report(service: Service, stored: StoredRun, format: str) -> Document | None:
    """Return a report that was made of a run as it is now, or why it cannot be made; None: nobody tried."""
    return rendering.kept(service.database, stored.key, format, rendering.made_of(stored))


async def report(service: Service, stored: StoredRun, profile: str, format: str) -> Document:
    """Return a report on a run that was judged, or why it cannot be made."""
    database = service.database

    def make() -> bytes:
        return service.rooms.do(work.render, database.url, stored.key, profile, format)

    return await _made(service, stored.key, format, rendering.made_of(stored), make)


async def compared(service: Service, before: StoredRun, after: StoredRun, profile: str) -> Document:
    """Return how two runs differ as one HTML file, or why that cannot be made."""
    database = service.database

    def make() -> bytes:
        return service.rooms.do(work.compare, database.url, before.key, after.key, profile)

    made_of = rendering.made_of(before, after, profile=profile)
    return await _made(service, after.key, "compare", made_of, make)


async def _made(service: Service, key: int, format: str, made_of: str, make: Callable[[], bytes]) -> Document:
    def find_or_make() -> Document:
        found = rendering.kept(service.database, key, format, made_of)  # by whom this one waited for, perhaps
        if found is not None:
            return found
        try:
            document = Document(make())
        except Exception as error:
            trouble = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
            document = Document(b"", trouble[:1000])
        rendering.keep(service.database, key, format, made_of, document)
        return document

    # Few threads of their own: who waits for a document must not keep those who only want to look something up.
    return await to_thread.run_sync(find_or_make, limiter=service.writers)


def inside(document: bytes) -> str:
    """Return what one of our documents has between its header and its footer: links to its sections, and these."""
    text = document.decode()
    return text[text.index('<nav aria-label="Sections">') : text.index("</main>")].replace("<main>", "", 1)


def head_and_foot(document: bytes) -> tuple[str, str]:
    """Return what a pack's report has above and below: logo, title and header without the run's name; footer."""
    text = document.decode()
    head = _between(text, "<header>", "</header>")
    foot = _between(text, "<footer>", "</footer>")
    name = _between(head, "<h1>", "</h1>")
    return head.replace(f"<h1>{name}</h1>", "", 1), foot.rpartition("<p>")[0]


def _between(text: str, first: str, last: str) -> str:
    return text.partition(first)[2].partition(last)[0]
