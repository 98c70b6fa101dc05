"""An organization's look: what of a pack's logo, style and templates reaches the page, and what is left out."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.helpers import RULE, write_rules
from tests.test_report import LAYERS, RULES, STEPS, Seen, record, rules_in
from tfhealth.diagnosis import evaluate
from tfhealth.report.brand import letterhead
from tfhealth.report.document import Letterhead, Report
from tfhealth.report.formats import page
from tfhealth.report.harmless import check_css, filter_html
from tfhealth.report.logo import logo_uri
from tfhealth.report.partial import FILTERS, render
from tfhealth.report.pdf import to_pdf
from tfhealth.report.view import view
from tfhealth.rules import Checklist, load_checklist
from tfhealth.rules.checklist import Brand
from tfhealth.run import Run

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 24" width="90" height="24">'
    '<defs><linearGradient id="g"><stop offset="0" stop-color="#0b5fa5"/></linearGradient></defs>'
    '<path d="M2 22 L12 2 L22 22 Z" fill="url(#g)"/></svg>'
)
HEADER = "<p class='level'>Internal, run <b>{{ report.name }}</b></p>"
FOOTER = '<p>Questions: <a href="mailto:ml@acme.example">ml@acme.example</a></p>'
STYLE = ".brand { color: #0b5fa5; }"


@pytest.fixture(scope="module")
def checklist(tmp_path_factory: pytest.TempPathFactory) -> Checklist:
    return rules_in(tmp_path_factory.mktemp("rules"), RULES)


@pytest.fixture(scope="module")
def run() -> Run:
    return record(None, LAYERS, STEPS[::6])


@pytest.fixture(scope="module")
def plain(run: Run, checklist: Checklist) -> Report:
    return view(evaluate(checklist, run), run, checklist)


def brand(folder: Path, logo: bytes | None = SVG.encode(), **files: str) -> Brand:
    """Return a pack's look with these templates: `header`, `footer`, `style`."""
    names = {"header": "header.html.j2", "footer": "footer.html.j2", "style": "style.css"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / names[name]).write_text(text, "utf-8")
    return Brand("acme-rules", "1.2.0", "Acme Training Standards", logo, folder)


def branded(run: Run, checklist: Checklist, *packs: Brand) -> Report:
    """Return the report by a checklist with these packs."""
    known = replace(checklist, packs=packs)
    return view(evaluate(known, run), run, known)


def png(width: int, height: int) -> bytes:
    """Return a gray picture."""
    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_report_comes_under_the_packs_own_name_and_logo(run: Run, checklist: Checklist, tmp_path: Path) -> None:
    """Title, logo with alternative text, header, footer and style are there; tfhealth is still named."""
    report = branded(run, checklist, brand(tmp_path, header=HEADER, footer=FOOTER, style=STYLE))
    text = page(report)
    seen = Seen(text)
    assert "<title>Acme Training Standards: mnist-mlp</title>" in text
    assert ("img", {"class": "logo", "src": logo_uri(SVG.encode())[0], "alt": "Logo of Acme Training Standards"}) in (
        seen.tags
    )
    assert '<div class="house"><p class="level">Internal, run <b>mnist-mlp</b></p></div>' in text
    assert '<a href="mailto:ml@acme.example">' in text
    assert f"{STYLE}</style>" in text
    assert "training report by tfhealth" in seen.words
    assert report.notices == ()


def test_a_pack_on_disk_gives_its_look(run: Run, tmp_path: Path) -> None:
    """From pack.yaml to the page, by itself and under a profile that names it beside the built-in rules."""
    write_rules(tmp_path / "pack" / "rules", {"ACT901-spread.yaml": RULE})
    manifest = "name: acme-rules\nversion: '1.2.0'\ntitle: Acme Training Standards\nlogo: logo.svg\ntemplates: looks\n"
    (tmp_path / "pack" / "pack.yaml").write_text(manifest)
    (tmp_path / "pack" / "logo.svg").write_text(SVG)
    brand(tmp_path / "pack" / "looks", header=HEADER, footer=FOOTER, style=STYLE)
    (tmp_path / "acme.yaml").write_text("extends: [built-in, ./pack]\n")
    for known in (load_checklist(tmp_path / "pack"), load_checklist(profile=tmp_path / "acme.yaml")):
        report = view(evaluate(known, run), run, known)
        text = page(report)
        assert report.letterhead.problems == ()
        for part in ("Acme Training Standards: mnist-mlp", 'class="logo"', "Internal, run", "ml@acme.example", STYLE):
            assert part in text


def test_without_a_look_the_page_is_tfhealths_own(run: Run, checklist: Checklist, plain: Report) -> None:
    """A pack that brings rules alone changes nothing of the look; the first that has one gives it."""
    assert letterhead(()) is None
    assert letterhead((Brand("a"), Brand("b", "1.0"))) is None
    found = letterhead((Brand("a"), Brand("b", title="B"), Brand("c", title="C")))
    assert (found.pack, found.title) == ("b", "B")
    text = page(branded(run, checklist, Brand("a", "1.0")))
    assert "house" not in text.partition("</style>")[2]
    assert page(plain).partition("<body>")[2].count("tfhealth <span>training report</span>") == 1


def test_the_policy_names_the_style_of_the_page(run: Run, checklist: Checklist, tmp_path: Path) -> None:
    """The hash is that of both styles together, so that a browser applies them and no other."""
    text = page(branded(run, checklist, brand(tmp_path, style=STYLE)))
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-" in text


def test_the_pdf_has_the_logo_and_the_name(run: Run, checklist: Checklist, tmp_path: Path) -> None:
    """Title of the document, text of header and footer, and the same bytes again."""
    from pypdf import PdfReader

    report = branded(run, checklist, brand(tmp_path, png(40, 20), header=HEADER, footer=FOOTER, style=STYLE))
    text = page(report)
    made = to_pdf(text)
    reader = PdfReader(io.BytesIO(made))
    words = " ".join(" ".join(one.extract_text().split()) for one in reader.pages)
    assert reader.metadata.title == "Acme Training Standards: mnist-mlp"
    assert "Internal, run mnist-mlp" in words
    assert "Questions: ml@acme.example" in words
    assert [image.name for image in reader.pages[0].images]
    assert made == to_pdf(text)


def test_headings_keep_their_order_under_a_brand(run: Run, checklist: Checklist, tmp_path: Path) -> None:
    """A header with a heading of its own loses the tag, not the words."""
    text = page(branded(run, checklist, brand(tmp_path, header="<h1>Level 2</h1>")))
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert '<div class="house">Level 2</div>' in text
    assert "Pack acme-rules: its header.html.j2 is shown without &lt;h1&gt;." in text


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"header": "{{ report.nme }}"}, "header.html.j2 is left out: line 1: UndefinedError: "),
        (
            {"footer": "{% if %}"},
            "footer.html.j2 is left out: line 1: TemplateSyntaxError: Expected an expression, got ",
        ),
        ({"style": "p { background: url(https://example.org/x.png) }"}, "style.css is left out: has 'url(https"),
        ({"style": "x" * 100_001}, "style.css is left out: has more than 100,000 characters."),
        ({"header": "x" * 20_001}, "header.html.j2 is left out: has more than 20,000 characters."),
    ],
)
def test_what_cannot_be_used_costs_only_itself(
    run: Run, checklist: Checklist, tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    """The page has all the rest, and a notice says what is missing and why."""
    sound = {"header": "Sound header", "footer": "Sound footer", "style": "b { color: red }"}
    text = page(branded(run, checklist, brand(tmp_path, **(sound | files))))
    words = " ".join(Seen(text).words)
    assert f"Pack acme-rules: its {expected}" in words
    kept = {name: one for name, one in sound.items() if name not in files}
    assert [name for name, one in kept.items() if one not in text] == []
    assert sound[next(iter(files))] not in text


def test_files_of_a_pack_are_its_own(run: Run, checklist: Checklist, tmp_path: Path) -> None:
    """A template that is a link to a file elsewhere, or no file, is not read."""
    secret = tmp_path / "secret.txt"
    secret.write_text("very secret")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "header.html.j2").symlink_to(secret)
    (tmp_path / "pack" / "footer.html.j2").mkdir()
    (tmp_path / "pack" / "style.css").write_bytes(b"\xff\xfe")
    found = letterhead((Brand("acme-rules", templates=tmp_path / "pack"),))
    assert (found.header, found.footer, found.style) == ("", "", "")
    expected = [
        "Pack acme-rules: its style.css is left out: 'utf-8' codec can't decode",
        "Pack acme-rules: its header.html.j2 is left out: leads out of the folder of templates.",
        "Pack acme-rules: its footer.html.j2 is left out: is no file.",
    ]
    assert expected == [one[: len(start)] for one, start in zip(found.problems, expected, strict=True)]
    assert "very secret" not in page(branded(run, checklist, Brand("acme-rules", templates=tmp_path / "pack")))


@pytest.mark.parametrize(
    ("text", "expected", "left_out"),
    [
        ("<p>a</p>", "<p>a</p>", ()),
        ("a &amp; b &lt;i&gt;", "a &amp; b &lt;i&gt;", ()),
        ("<p>a<script>b</script><b>c", "<p>a<b>c</b></p>", ("<script>",)),
        ("<style>p{}</style>a", "a", ("<style>",)),
        ("</div></header>a", "a", ()),
        ("<div><p>a</div>b", "<div><p>a</p></div>b", ()),
        ('<p onclick="x()" style="y" class="z">a</p>', '<p class="z">a</p>', ("onclick", "style")),
        ('<a href="javascript:x()">a</a>', "<a>a</a>", ("href",)),
        ('<a href=" javascript:x()">a</a>', "<a>a</a>", ("href",)),
        ('<a href="FILE:///etc/passwd">a</a>', "<a>a</a>", ("href",)),
        ('<a href="https://example.org/?a=1&amp;b">a</a>', '<a href="https://example.org/?a=1&amp;b">a</a>', ()),
        ('<img src="https://example.org/x.png" alt="x">', "", ("src",)),
        ('<img src="data:image/svg+xml;base64,AAAA">', "", ("src",)),
        ('<img src="data:image/png;base64,A" alt=\'"\'>', '<img src="data:image/png;base64,A" alt="&quot;">', ()),
        ("<iframe src=x></iframe><base href=x><meta http-equiv=refresh>", "", ("<iframe>", "<base>", "<meta>")),
        ("<svg><image href=x /></svg>", "", ("<svg>", "<image>")),
        ("<!-- a --><?php b ?><![CDATA[c]]>d", "d", ()),
        ("a<br/>b<hr>", "a<br>b<hr>", ()),
        ("<p title='<script>'>a", '<p title="&lt;script&gt;">a</p>', ()),
    ],
)  # fmt: skip
def test_only_listed_tags_are_written(text: str, expected: str, left_out: tuple[str, ...]) -> None:
    """Everything is written anew and closed, what is not in the list is named."""
    assert filter_html(text) == (expected, left_out)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":root { --link: #0b7a75; }\n@media print { h1 { font-size: 12pt } }",
        "li::before { content: '\\2014 ' }",
        "p { background: url( 'data:image/png;base64,AAAA' ) }",
        "@page { margin: 1cm }",
    ],
)
def test_a_plain_style_is_taken(text: str) -> None:
    """Colors, sizes, pages and pictures that lie in the style itself."""
    check_css(text)


@pytest.mark.parametrize(
    "text",
    [
        "</style><script>x</script>",
        "\\3c/style>",
        '@import "https://example.org/x.css";',
        "@IMPORT url(x)",
        "@\\69mport 'x';",
        "p { background: url(file:///etc/passwd) }",
        "p { background: URL( 'https://example.org/x' ) }",
        "p { background: u\\72 l(x) }",
        "p { background: \\75\\72\\6c(x) }",
        "p { background: url() }",
        "p { background: url(data:text/html;base64,AAAA) }",
        "p { background: url(data:image/svg+xml;base64,AAAA) }",
        "p { background: url(#a) }",
        "p { background: image-set('x.png' 1x) }",
        "p { background: -webkit-image-set('x.png' 1x) }",
        "p { content: src('x') }",
        "p { behavior: x }",
        "/* url(x) */",
        "x" * 100_001,
    ],
)
def test_a_style_that_could_load_is_refused(text: str) -> None:
    """In any spelling that a browser reads, by escapes, capitals and quotes."""
    with pytest.raises(ValueError, match=r"has .+"):
        check_css(text)


def decoded(logo: bytes) -> str:
    """Return the text of an SVG's data URI."""
    uri, _ = logo_uri(logo)
    return unquote(uri.partition(",")[2])


def test_a_drawing_keeps_what_is_drawn() -> None:
    """Gradients, groups and references inside of it; the editor's own notes go without a word."""
    extra = '<use href="#p"/><style>.a { fill: url(#g) }</style><g style="fill:red" class="a" xml:space="preserve"/>'
    notes = '<e:view xmlns:e="http://editor.example/" e:zoom="3"/><metadata>x</metadata>'
    logo = SVG.replace("</svg>", f'<path id="p" d="M0 0"/>{extra}{notes}</svg>')
    text = decoded(f'\ufeff<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "http://x">{logo}'.encode())
    assert "editor.example" not in text
    assert "DOCTYPE" not in text
    for kept in ('<use href="#p" />', "url(#g)", 'style="fill:red"', "<linearGradient"):
        assert kept in text
    assert logo_uri(logo.encode())[1] == ("<metadata>",)


@pytest.mark.parametrize(
    ("inside", "left_out"),
    [
        ("<script>alert(1)</script>", ("<script>",)),
        ('<image href="file:///etc/passwd"/>', ("<image>",)),
        ('<use href="https://example.org/x.svg#a"/>', ("href",)),
        ('<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="file:///x#a"/>', ("href",)),
        ('<g onload="alert(1)"/>', ("onload",)),
        ("<style>@import 'x';</style>", ("<style>",)),
        ('<g style="fill: url(https://example.org/x)"/>', ("style",)),
        ('<g fill="url(file:///x#a)"/>', ("fill",)),
        ("<foreignObject><p/></foreignObject>", ("<foreignObject>",)),
        ('<a href="javascript:x"><path d="M0 0"/></a>', ("<a>",)),
        ('<animate attributeName="href" to="x"/>', ("<animate>",)),
    ],
)
def test_a_drawing_loses_what_could_run_or_load(inside: str, left_out: tuple[str, ...]) -> None:
    """Scripts, events, references that lead elsewhere, in each of their forms."""
    logo = SVG.replace("</svg>", f"{inside}</svg>").encode()
    assert logo_uri(logo)[1] == left_out
    assert not re.search(r"script|image|https?://example|file:|alert|@import|foreign", decoded(logo))


def billion(of: str, times: int = 10) -> str:
    """Return ten names, each of which stands for ten of the one before."""
    rows = [f'<g id="a0">{of}</g>']
    rows += [f'<g id="a{n}">{f"""<use href="#a{n - 1}"/>""" * times}</g>' for n in range(1, 10)]
    return "".join(rows)


@pytest.mark.parametrize(
    ("logo", "expected"),
    [
        (b"", "is neither PNG nor SVG"),
        (b"GIF89a", "is neither PNG nor SVG"),
        (b"<html/>", "is neither PNG nor SVG, but <html>"),
        (b"<svg/>", "is neither PNG nor SVG, but <svg>"),
        (b"\xff\xfe<\0s\0v\0g\0", "is neither PNG nor SVG"),
        (b" " * 100_001, "has 100,001 bytes; legal are 100,000"),
        (b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SVG.encode(), "declares an entity"),
        (SVG.replace("</svg>", f"{billion('<path/>')}</svg>").encode(), "stands for more than 20,000 shapes"),
        (SVG.replace("</svg>", '<g id="a"><use href="#a"/></g></svg>').encode(), "has references in a circle"),
        (SVG.replace("</svg>", f"{'<g>' * 5000}{'</g>' * 5000}</svg>").encode(), "nested too deep"),
        (png(1, 1)[:20], "has 0 x 0 pixels"),
        (png(1, 4097), "has 1 x 4,097 pixels; legal are 1 to 4,096 a side"),
    ],
)  # fmt: skip
def test_a_logo_that_is_none_is_refused(logo: bytes, expected: str) -> None:
    """Not a picture, too large, or one that grows when it is drawn."""
    with pytest.raises(ValueError, match=re.escape(expected)):
        logo_uri(logo)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ report.name }}", "mnist-mlp"),
        ("{{ report.badge.word | upper }}", "FAIL"),
        ("{% for x in report.counts %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}", "1,2,3,4"),
        ("{% for kind, amount in report.counts %}{{ amount }} {{ kind.word }} {% endfor %}", "2 fail 1 pass 1 not measured 1 guide "),  # noqa: E501
        ("{{ report.findings | length }} {{ report.findings[0].rule }}", "2 LOSS901"),
        ("{% if report.badge.verdict == 'fail' and not report.accepted %}Stop{% else %}Go{% endif %}", "Stop"),
        ("{{ 'a' if report.name == 'x' else 'b' }}", "b"),
        ("{% raw %}{{ x }}{% endraw %}{# comment #}", "{{ x }}"),
    ],
)  # fmt: skip
def test_a_template_shows_the_reports_own_words(plain: Report, text: str, expected: str) -> None:
    """Names, choices and loops over what the report holds."""
    assert render(text, plain) == (expected, ())


def test_the_templates_in_the_guide_are_some(plain: Report) -> None:
    """What the guide shows can be used as it stands."""
    guide = (Path(__file__).parent.parent / "docs" / "guide" / "reading-a-report.md").read_text("utf-8")
    text, chapter, layout = re.findall(r"^```jinja\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    head = Letterhead("acme", "Acme", chapters=(("chapter-release.html.j2", chapter),), layout=layout)
    whole = page(replace(plain, letterhead=head))
    assert "Pack acme" not in whole
    assert re.findall(r'<section id="([a-z-]+)"', whole)[:2] == ["verdict", "chapter-release"]
    made, left_out = render(text, plain)
    assert "level red" in made
    assert "<p>2025-03-01 09:30 UTC, took 11 min 12 s</p>" in made
    assert left_out == ()
    assert all(f"`{name}`" in guide for name in FILTERS)


def test_names_in_a_template_are_escaped(plain: Report) -> None:
    """A run's name cannot become markup there either."""
    report = replace(plain, name="<script>alert(1)</script>")
    assert render("<p>{{ report.name }}</p>", report) == ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", ())


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_a_browser_shows_a_branded_page_without_breaking_its_policy(
    run: Run, checklist: Checklist, tmp_path: Path
) -> None:
    """The combined style is applied: a browser that refused it, or a picture, would say so."""
    path = tmp_path / "report.html"
    report = branded(run, checklist, brand(tmp_path / "pack", header=HEADER, footer=FOOTER, style=STYLE))
    path.write_text(page(report), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    command = ["chromium", *options, f"--user-data-dir={tmp_path}/u", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Content Security Policy" not in done.stderr
    assert 'class="logo"' in done.stdout
