"""The page -> PDF/UA, through WeasyPrint, which may read nothing but what lies in the page itself."""

from __future__ import annotations

import base64
import hashlib
import warnings
from pathlib import Path
from typing import Any

from tfhealth.errors import Error

__all__ = ["PdfError", "fetcher", "to_pdf"]

_NEEDS_PANGO = "WeasyPrint needs Pango; on Debian or Ubuntu: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0"
_FACES = (
    ("DejaVu Sans", "normal", "DejaVuSans.ttf"),
    ("DejaVu Sans", "bold", "DejaVuSans-Bold.ttf"),
    ("DejaVu Sans Mono", "normal", "DejaVuSansMono.ttf"),
)
"""(family, weight, file) of fonts that come with matplotlib."""


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
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(No fonts|FontConfig)")  # such a machine is met below
            from weasyprint import HTML
    except ImportError as error:
        raise PdfError(f"WeasyPrint is not installed ({error}); pip install weasyprint") from error
    except OSError as error:
        raise PdfError(_NEEDS_PANGO) from error
    identifier = hashlib.sha256(page.encode()).digest()[:16]
    document = HTML(string=page, url_fetcher=fetcher())
    return bytes(document.write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=identifier, **_fonts()))


def _fonts() -> dict[str, Any]:
    """Return what WeasyPrint is to be told of fonts: matplotlib's own where the machine has none, else nothing.

    Without any font Pango does not raise, it ends the process.
    """
    from weasyprint import CSS
    from weasyprint.text.ffi import ffi, fontconfig
    from weasyprint.text.fonts import FontConfiguration

    known = ffi.gc(fontconfig.FcInitLoadConfigAndFonts(), fontconfig.FcConfigDestroy)
    fonts = fontconfig.FcConfigGetFonts(known, fontconfig.FcSetSystem)
    if fonts != ffi.NULL and fonts.nfont:
        return {}
    import matplotlib as mpl

    folder, configuration = Path(mpl.get_data_path()) / "fonts" / "ttf", FontConfiguration()
    faces = [
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url({_data_uri(folder / file)}) }}'
        for family, weight, file in _FACES
    ]
    style = CSS(string="".join(faces), font_config=configuration, url_fetcher=fetcher())
    return {"stylesheets": [style], "font_config": configuration}


def _data_uri(font: Path) -> str:
    return "data:font/ttf;base64," + base64.b64encode(font.read_bytes()).decode()
