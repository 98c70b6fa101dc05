"""The documentation says what the code does: pages are fresh, examples run, commands, files and links exist."""

import argparse
import contextlib
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfhealth
from tests.asking import asking
from tfhealth import load_checklist, load_run
from tfhealth.cli.exits import Exit
from tfhealth.cli.main import build_parser

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ("docs/rules/", "docs/reference/")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if not page.startswith(GENERATED)]
RULE_FILE = re.compile(r"^`([\w./-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LISTED = re.compile(r"`(\w+)`(?: in| and `\w+` in| of) `(tfhealth/[\w./]+\.py)`")
ELSEWHERE = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*\shref=["']?(?:https?:)?//""")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(text_of(page)) if name == language]


def commands(page: str) -> list[str]:
    """Return every command line of ours in fenced shell and in code spans."""
    lines = [line for code in blocks(page, "sh") for line in code.splitlines()]
    prose = FENCE.sub("", text_of(page))
    lines += re.findall(r"`((?:tfhealth|make|python) [^`]+)`", prose)
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def test_generated_pages_are_fresh_without_tensorflow():
    """`make docs` would change nothing, and loads neither TensorFlow nor Keras to find out."""
    code = (
        "import runpy, sys\n"
        "sys.argv = ['generate.py', '--check']\n"
        "try:\n    runpy.run_path('docs/generate.py', run_name='__main__')\n"
        "finally:\n    print({'tensorflow', 'keras'} & set(sys.modules))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("set()\n", 0), found.stdout + found.stderr


def test_a_stale_page_would_be_seen(monkeypatch):
    """The check does fail for a changed page, a missing one, and one that belongs to nothing."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    generate = runpy.run_path(str(ROOT / "docs/generate.py"))
    made = generate["pages"](load_checklist())
    made["docs/rules/ACT001.md"] += "more"
    made["docs/rules/NEW001.md"] = "new"
    del made["docs/rules/ACT002.md"]
    assert generate["stale"](made) == [f"docs/rules/{name}.md" for name in ("ACT001", "ACT002", "NEW001")]


def test_every_rule_has_a_page():
    """There is one page for each rule, and the checklist links to it."""
    ids = {rule.id for rule in load_checklist().rules}
    index = text_of("docs/rules/index.md")
    assert {path.stem for path in (ROOT / "docs/rules").glob("*.md")} == ids | {"index"}
    assert {name for name in ids if f"[{name}]({name}.md)" not in index} == set()


def test_every_row_is_in_the_checklist_page():
    """Rows without a rule are there too."""
    index = text_of("docs/rules/index.md")
    assert [item.id for item in load_checklist().items if f"### {item.id}\n\n{item.asks}\n" not in index] == []


def test_every_public_name_is_in_the_reference():
    """What `tfhealth` exports has a section in the page on Python."""
    page = text_of("docs/reference/python.md")
    assert [name for name in tfhealth.__all__ if f"\n## `{name}`\n" not in page] == []


def test_exit_codes_are_those_of_the_code():
    """The three tables of exit codes list each code once."""
    for page in ("README.md", "docs/guide/ci.md", "docs/reference/cli.md"):
        assert [int(one) for one in re.findall(r"^\| (\d) \|", text_of(page), re.MULTILINE)] == sorted(Exit), page


def test_documented_attributes_are_those_of_a_fit(tmp_path):
    """What the reference offers to `where` is what capture records, at sites of every kind."""
    recorded = runpy.run_path(str(ROOT / "docs/generator/words.py"))["RECORDED"]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    callback = asking(tmp_path)
    x, y = np.ones((32, 4)), np.zeros(32, int)
    model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[callback])
    seen: dict[str, set[str]] = {}
    for site, attributes in load_run(callback.run_dir).sites.items():
        seen.setdefault(site.kind, set()).update(attributes)
    del seen["fact"]
    assert {kind: set(names) for kind, names in recorded.items()} == seen


@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(page, "python")])
def test_python_of_a_page_runs(page, tmp_path, monkeypatch):
    """The snippets of a page run in order, on a model and data of the reader's own."""
    monkeypatch.chdir(tmp_path)
    for path, code in re.findall(
        r"^`([\w./-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL
    ):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(code, "utf-8")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    names = {"model": model, "x_train": x, "y_train": x.sum(1)}
    with contextlib.redirect_stdout(io.StringIO()):
        for code in blocks(page, "python"):
            exec(compile(code, page, "exec"), names)
    if "callback" in names:
        assert names["callback"].result.run.complete


def test_the_rule_of_the_guide_finds_its_fault(tmp_path, monkeypatch, capsys):
    """The worked example complains about targets that were not scaled, through the command line as well."""
    test_python_of_a_page_runs("docs/guide/writing-a-rule.md", tmp_path, monkeypatch)
    (run,) = (tmp_path / "tfhealth_runs").iterdir()
    found = json.loads((run / "result.json").read_text("utf-8"))["findings"]
    assert [one["rule"] for one in found] == ["RATIO001"]
    assert tfhealth_main("evaluate", str(run), "--rules", "my-rules", "--fail-on", "warning") == 1
    assert tfhealth_main("rules", "explain", "RATIO001", "--rules", "my-rules") == 0
    assert "RATIO001 Gradients far above the weights" in capsys.readouterr().out


def tfhealth_main(*arguments: str) -> int:
    from tfhealth.cli import main

    return main(arguments)


def understood(words: list[str]) -> None:
    """Raise or exit where the parser does not know a command, or its arguments where it has some."""
    parser, rest = build_parser(), list(words)
    while rest and (below := [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]):
        if rest[0] == "--help":
            return
        parser = below[0].choices[rest.pop(0)]
    if rest:
        build_parser().parse_args(words)


@pytest.mark.parametrize("page", [page for page in WRITTEN if commands(page)])
def test_commands_exist(page):
    """Every command that a page shows is one that the parser, the Makefile or the folder knows."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in commands(page):
        words = shlex.split(line)
        if words[0] == "tfhealth":
            understood(words[1:])
        elif words[0] == "make":
            assert words[1] in targets, line
        elif words[0] == "python":
            assert words[1] == "train.py" or (ROOT / words[1]).is_file(), line


def test_a_command_that_does_not_exist_would_be_seen():
    """The parser does refuse an option that it does not have."""
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        understood(["report", "RUN", "--watermark"])
    with pytest.raises(KeyError):
        understood(["watermark"])


@pytest.mark.parametrize("page", WRITTEN)
def test_files_that_a_page_names_exist(page):
    """A path into this project, in code, is the path of a file or folder."""
    named = re.findall(r"`((?:tfhealth|docs|tests|rules|templates|examples|benchmarks)/[\w./-]*)`", text_of(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_contributing_names_what_is_there():
    """Each list in the table of places to touch is in the file that is named with it."""
    rows = re.findall(r"^\| .*?\|(.*?)\|", text_of("CONTRIBUTING.md"), re.MULTILINE)
    pairs = [pair for row in rows for pair in LISTED.findall(row)]
    assert len(pairs) >= 10
    for name, path in pairs:
        assert re.search(rf"^(def )?{name}\b", text_of(path), re.MULTILINE), (name, path)


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", head).strip().lower()) for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """A link inside the project ends at a file, and at a heading of it where it has an anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
        assert file.is_file(), target
        if anchor:
            assert anchor in anchors(file.relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize("page", PAGES)
def test_pages_hold_no_path_of_one_machine(page):
    """No page names a folder of whoever wrote it, and none has a mark to be filled in later."""
    assert re.findall(r"/(?:home|root|work|tmp|Users)/\S*|\bTODO\b|\bFIXME\b|\bXXX\b", text_of(page)) == []


def test_the_picture_is_small():
    """The picture in the README loads fast."""
    assert 10_000 < (ROOT / "docs/images/report.png").stat().st_size < 200_000


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    """Zensical builds the site in strict mode, and no page of it fetches from another host."""
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    environment = {**os.environ, "NO_COLOR": "1"}
    built = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    html = {path.relative_to(tmp_path / "site").as_posix(): path for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "rules/index.html", "rules/ACT001/index.html", "reference/cli/index.html"} <= html.keys()
    assert [name for name, path in html.items() if ELSEWHERE.search(path.read_text("utf-8"))] == []
    assert list((tmp_path / "site").rglob("*.py")) == []
