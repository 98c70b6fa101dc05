"""The PDF as another reader sees it: poppler's view of its structure, its words and its pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.test_report import LAYERS, record
from tfhealth import load_checklist
from tfhealth.diagnosis import evaluate
from tfhealth.report.formats import page
from tfhealth.report.pdf import to_pdf
from tfhealth.report.view import view

pytestmark = pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="needs poppler-utils")

INK = 0.95
"""Darker than this, of 1 for white, is print."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a sick run by the built-in rules."""
    checklist, run = load_checklist(), record(None, LAYERS)
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(to_pdf(page(view(evaluate(checklist, run), run, checklist))))
    return path


def poppler(*command: str | Path) -> str:
    """Return what a program of poppler prints; it must have nothing to complain of."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    return done.stdout


def test_the_file_says_what_it_is(report):
    """Tagged, titled, in a language, and no longer than fifteen pages."""
    told = dict(re.findall(r"^(\S[^:]*):\s+(.*)$", poppler("pdfinfo", report), re.MULTILINE))
    assert (told["Tagged"], told["JavaScript"], told["Title"]) == ("yes", "no", "tfhealth report: mnist-mlp")
    assert int(told["Pages"]) <= 15


def test_the_structure_holds_headings_tables_and_pictures_with_words(report):
    """What a screen reader goes by: every figure has an alternative text."""
    tree = poppler("pdfinfo", "-struct", report)
    tags = re.findall(r"^\s*(\w+)", tree, re.MULTILINE)
    assert {"Document", "H1", "H2", "H3", "P", "L", "Table", "TH", "TD", "Figure", "Link"} <= set(tags)
    assert tags.index("H1") < tags.index("H2") < tags.index("Figure")


def test_contents_lead_to_the_pages_they_name(report):
    """Each entry stands as a heading on the page that it gives."""
    first, *_ = poppler("pdftotext", "-layout", "-l", "1", report, "-").split("\f")
    listed = re.findall(r"^\s*(?:\d+ · )?(\S.*?)(?: \.)+ +(\d+)$", first, re.MULTILINE)
    assert {"Findings", "What could not be judged", "Pictures", "The whole checklist"} <= {name for name, _ in listed}
    for name, place in listed:
        text = " ".join(poppler("pdftotext", "-f", place, "-l", place, report, "-").split())
        assert name in text


def test_no_page_is_half_empty(report, tmp_path):
    """But the last one, print reaches the lower half of each page."""
    poppler("pdftoppm", "-r", "30", "-gray", "-png", report, tmp_path / "page")
    pages = [matplotlib.image.imread(path) for path in sorted(tmp_path.glob("page*.png"))]
    assert len(pages) > 3
    for shades in pages[:-1]:
        body = shades[: int(0.93 * len(shades))]  # the foot holds the page number
        lowest = np.flatnonzero((body < INK).any(axis=1)).max()
        assert lowest / len(shades) > 0.5
