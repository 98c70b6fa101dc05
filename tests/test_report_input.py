"""What a report is asked of on a bad day: runs of any shape, a full disk, a machine without fonts; by the command."""

from __future__ import annotations

import io
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from tests.test_report import HOSTILE, LAYERS, STEPS, record
from tfhealth import load_run
from tfhealth.cli import main
from tfhealth.report.pdf import to_pdf

ROOT = Path(__file__).parent.parent
NAMES = [*HOSTILE, "a|b`c`|*d*", "[red]loud[/red]", "n" * 500]
LATER = {1: ("sample", "histogram", "summary"), 2: ("summary",)}
"""{schema: the tables that it did not have yet}"""


def recorded(folder: Path, layers: list[str] = LAYERS, steps: np.ndarray = STEPS[::10], broken: bool = False) -> Path:
    """Record a training into a folder; return it."""
    record(folder, layers, steps, broken)
    return folder


def reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Write the page by the command and return it; nothing goes wrong, and no half file is left."""
    assert main(["report", str(folder), "--formats", "html"]) == 0
    assert capsys.readouterr().err == ""
    assert {path.name for path in folder.iterdir()} == {"run.db", "report.html"}
    return (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("layers", "steps", "broken", "expected"),
    [
        (LAYERS, STEPS[:0], False, "The run holds no probed step"),
        (LAYERS, STEPS[:1], False, "4,000 steps, 1 of them probed"),
        (LAYERS, STEPS, True, "Every value is NaN or Inf."),
        (NAMES, STEPS[::10], False, "[red]loud[/red]"),
    ],
    ids=["no probe", "one probe", "only NaN", "names"],
)
def test_any_run_has_a_report(layers, steps, broken, expected, tmp_path, capsys):
    """However little it holds, and whatever its layers are called."""
    assert expected in reported(recorded(tmp_path / "run", layers, steps, broken), capsys)


def test_a_run_of_thousands_of_layers_has_a_report(tmp_path, capsys):
    """The page stays below 1.5 MB, and the PDF within fifteen sheets."""
    layers = [f"block_{place // 10}/dense_{place}" for place in range(3000)]
    text = reported(recorded(tmp_path / "run", layers, STEPS[::50]), capsys)
    assert "200 of 3,000 sites are shown, evenly over depth." in text
    assert len(text) < 1.5e6
    assert len(PdfReader(io.BytesIO(to_pdf(text))).pages) <= 15


@pytest.mark.parametrize("schema", LATER)
def test_a_run_of_an_older_schema_has_a_report(schema, tmp_path, capsys):
    """What it could not hold yet is not there; nothing else is missing, and nothing is called damaged."""
    new, old = recorded(tmp_path / "new"), recorded(tmp_path / "old")
    with sqlite3.connect(old / "run.db") as connection:
        for table in LATER[schema]:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(schema),))
    connection.close()
    assert (load_run(old).meta["schema_version"], load_run(old).damage) == (schema, "")
    pages = [re.sub(re.escape(str(folder)), "RUN", reported(folder, capsys)) for folder in (old, new)]
    assert pages[0] == pages[1]


def test_the_command_writes_the_same_bytes_again(tmp_path):
    """Page and PDF, in a process that hashes differently."""
    arguments = ["report", str(recorded(tmp_path / "run")), "--formats", "html,pdf"]
    files = [tmp_path / "run" / name for name in ("report.html", "report.pdf")]
    assert main(arguments) == 0
    made = [file.read_bytes() for file in files]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-m", "tfhealth", *arguments], env=variables, check=True, capture_output=True)
    assert made == [file.read_bytes() for file in files]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes."""
    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))


def test_a_disk_that_is_full_keeps_the_report_that_was_there(tmp_path, capsys):
    """A write that ends half-way is told in a line; the old page is whole, and nothing else is left."""
    folder = recorded(tmp_path / "run")
    (folder / "report.html").write_text("the old one")
    with full_disk(20_000):
        assert main(["report", str(folder), "--formats", "html"]) == 3
    assert "HTML not written: [Errno 27] File too large" in capsys.readouterr().out
    assert (folder / "report.html").read_text() == "the old one"
    assert {path.name for path in folder.iterdir()} == {"run.db", "report.html"}


def test_without_any_font_the_pdf_has_those_of_the_charts(tmp_path):
    """Pango would end the process; so this one is another, with fonts hidden from it, and it has nothing to say."""
    (tmp_path / "fonts.conf").write_text(f"<fontconfig><cachedir>{tmp_path}</cachedir></fontconfig>")
    code = (
        "from tfhealth.report.pdf import to_pdf;"
        "page = '<html lang=en><title>t</title><p>plain <b>bold</b> <code>code</code>';"
        "made = to_pdf(page); assert made == to_pdf(page); open('report.pdf', 'wb').write(made)"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    done = subprocess.run([sys.executable, "-c", code], env=variables, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = PdfReader(tmp_path / "report.pdf").pages[0]
    fonts = {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in page["/Resources"]["/Font"].values()}
    assert {"DejaVu-Sans", "DejaVu-Sans-Bold"} <= fonts
    assert page.extract_text().split() == ["plain", "bold", "code"]
