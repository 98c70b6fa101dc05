"""The page -> PDF/UA, through WeasyPrint, which may read nothing but what lies in the page itself."""

from __future__ import annotations

import hashlib
from typing import Any

from tfhealth.errors import Error

__all__ = ["PdfError", "fetcher", "to_pdf"]

_NEEDS_PANGO = "WeasyPrint needs Pango; on Debian or Ubuntu: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0"


class PdfError(Error):
    """The PDF cannot be made on this machine."""


def fetcher() -> Any:
    """Return WeasyPrint's URL fetcher for `data:` alone: the usual one lets a rule's text embed local files."""
    from weasyprint.urls import URLFetcher

    return URLFetcher(allowed_protocols=("data",), allow_redirects=False)


def to_pdf(page: str) -> bytes:
    """Return an HTML page as a tagged PDF; the same page gives the same bytes.

    Raises:
        PdfError: WeasyPrint, or a library it needs, is missing.
    """
    try:
        from weasyprint import HTML
    except ImportError as error:
        raise PdfError(f"WeasyPrint is not installed ({error}); pip install weasyprint") from error
    except OSError as error:
        raise PdfError(_NEEDS_PANGO) from error
    identifier = hashlib.sha256(page.encode()).digest()[:16]
    document = HTML(string=page, url_fetcher=fetcher())
    return bytes(document.write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=identifier))
