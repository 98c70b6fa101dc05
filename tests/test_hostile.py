"""Packs, rules and runs of somebody who means harm: refused with a place, or shown as harmless text."""

from __future__ import annotations

import http.server
import io
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.helpers import RULE, write_rules
from tests.test_brand import SVG, billion, brand
from tests.test_report import LAYERS, RULES, STEPS, Seen, record, rules_in
from tfhealth.diagnosis import evaluate
from tfhealth.errors import Error, RuleError
from tfhealth.report.formats import page
from tfhealth.report.partial import render
from tfhealth.report.pdf import to_pdf
from tfhealth.report.view import view
from tfhealth.result import Result
from tfhealth.rules import Checklist, find_pack, load_checklist
from tfhealth.rules.checklist import Brand, Origin, Suppression
from tfhealth.rules.model import Rule
from tfhealth.rules.pack import Manifest
from tfhealth.rules.profile import Profile
from tfhealth.run import Run
from tfhealth.series import Site

SECRET = "the-content-of-a-secret-file"

# ---------------------------------------------------------------------------------------------------------- rule files

MESSAGES = [
    "{site.__class__}",
    "{site.__class__.__mro__[1].__subclasses__}",
    "{site[0]}",
    "{site!r}",
    "{0}",
    "{}",
    "{value:{step}}",
    "{value:999999999f}",
    "{step:>99999999}",
    "{value:.999999999e}",
    "{__import__}",
    "{site",
]
EXPRESSIONS = [
    "loss.data.__class__",
    "loss.__class__.__mro__",
    "__import__('os').system('touch pwned')",
    "loss.data(1)",
    "loss.data['x']",
    "'a' * 1000000000",
    "loss.data ** 9",
    "9 ** 9 ** 9 ** 9 * loss.data",
    "loss.data * 1e999",
    f"loss.data * {'9' * 5000}",
    "loss.data if loss.data else loss.total",
    "[loss.data for x in loss.data]",
    "lambda: loss.data",
    "(loss.data := 1)",
    "loss.data; loss.data",
    "loss.data\nimport os",
    "loss.data @ loss.data",
    "loss.data << 999999999",
    f"{'(' * 1000}loss.data{')' * 1000}",
    f"{'-' * 1000}loss.data",
    " + ".join(["loss.data"] * 5000),
    "loss.data and __builtins__",
    "f'{loss.data}'",
    "loss.data\0",
]
DOCUMENTS = {
    "aliases that multiply": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "a merge key": "base: &base {id: ACT901}\n<<: *base\n",
    "an alias to itself": "a: &a [*a]\n",
    "a Python object": "id: !!python/object/apply:os.system [touch pwned]\n",
    "a tag": "id: !secret x\n",
    "a tagged pair list": "id: !!omap [a: 1]\n",
    "deep lists": f"id: {'[' * 5000}{']' * 5000}\n",
    "deep lists left open": f"id: {'[' * 90_000}\n",
    "deep mappings": f"id: {'{a: ' * 5000}1{'}' * 5000}\n",
    "deep blocks": "".join(f"{' ' * n}a:\n" for n in range(500)),
    "a large file": f"id: {'x' * 10_000_000}\n",
    "many keys": "".join(f"k{n}: 1\n" for n in range(20_000)),
    "a key that is a list": "? [a, b]\n: 1\n",
    "a key that is a mapping": "? {a: b}\n: 1\n",
    "a key that is a block": "? a: b\n: 1\n",
    "a key without a value that is a mapping": RULE.replace("measure: {", "? measure: {"),
    "a key twice": "id: ACT901\nid: ACT902\n",
    "two documents": f"{RULE}---\n{RULE}",
    "a directive": "%YAML 9.9\n---\nid: ACT901\n",
    "a number without end": f"id: {'9' * 100_000}\n",
    "NUL": "id: \0\n",
    "half a surrogate pair": 'id: "\\ud83d"\n',
    "a date that is none": "id: 2027-99-99\n",
    "no mapping": "- 1\n",
    "nothing": "",
}


def refused(folder: Path, text: str | bytes) -> RuleError:
    """Return the error with which a folder of this one rule is refused."""
    write_rules(folder, {})
    (folder / "ACT901-x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RuleError) as caught:
        load_checklist(folder)
    return caught.value


def check_places(error: RuleError) -> None:
    """Every fault says what is wrong, where, and does not repeat a whole file to say it."""
    assert error.faults
    for fault in error.faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.what
        assert len(str(fault)) < 3000


@pytest.mark.parametrize("key", ["message", "advice"])
@pytest.mark.parametrize("text", MESSAGES)
def test_a_message_names_values_and_nothing_below_them(tmp_path: Path, key: str, text: str) -> None:
    """Attributes, indices, conversions, positions and formats that fill the memory are refused where they stand."""
    head = "\n".join(line for line in RULE.splitlines() if not line.startswith(f"{key}:"))
    error = refused(tmp_path, f"{head}\n{key}: {quoted(text)}\n")
    check_places(error)
    assert [(fault.path, fault.line) for fault in error.faults] == [(key, head.count("\n") + 2)]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_arithmetic_and_nothing_else(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attributes, calls, strings, exponents, statements and great depth are refused; nothing of them is computed."""
    monkeypatch.chdir(tmp_path)
    error = refused(tmp_path / "rules", RULE.replace("{site: activation, statistic: std}", f"{{expr: {quoted(text)}}}"))
    check_places(error)
    assert all(fault.path.startswith("measure") and fault.line == 4 for fault in error.faults)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_is_plain_yaml_of_bounded_size(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases, tags, depth, size: refused, and no object is made of a tag."""
    monkeypatch.chdir(tmp_path)
    check_places(refused(tmp_path / "rules", DOCUMENTS[name]))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b"\x89PNG\r\n\x1a\n\0\0", bytes(range(256))])
def test_a_file_of_bytes_is_refused(tmp_path: Path, data: bytes) -> None:
    """What is no text has a place too: its beginning."""
    check_places(refused(tmp_path, data))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("message: ", f"message: {'x' * 150_000} # "),
        ("title: ", f"title: {'x' * 150_000} # "),
        ("why: ", f"why: {'x ' * 70_000} # "),
        ('{values: "1x9"', f'{{values: "{"1x99999 " * 20_000}"'),
        ("[0.5, 2]", f"[0.5, {'9' * 4000}]"),
        ("[0.5, 2]", "[0.5, 1e999999999]"),
    ],
    ids=["message", "title", "why", "examples", "number", "infinity"],
)
def test_what_a_rule_says_is_bounded(tmp_path: Path, old: str, new: str) -> None:
    """Long texts, long series and numbers that no float holds."""
    assert RULE.count(old) == 1
    check_places(refused(tmp_path, RULE.replace(old, new)))


def quoted(text: str) -> str:
    """Return text as YAML in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\\0")
    return f'"{escaped}"'


def test_links_out_of_a_pack_are_not_followed(tmp_path: Path) -> None:
    """A rule file, a logo or a folder of templates that is a link elsewhere is refused, its content not told."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.yaml").write_text(SECRET)
    (secret / "logo.svg").write_text(SVG)
    for number, (link, target, manifest) in enumerate(
        [
            ("rules/ACT902-x.yaml", secret / "s.yaml", ""),
            ("logo.svg", secret / "logo.svg", "logo: logo.svg"),
            ("looks", secret, "templates: looks"),
            ("unused", secret, "templates: ../secret"),
            ("unused", secret, "logo: ../secret/logo.svg"),
            ("unused", secret, f"logo: {secret}/logo.svg"),
        ]
    ):
        folder = tmp_path / f"pack{number}"
        write_rules(folder / "rules", {"ACT901-x.yaml": RULE})
        (folder / "pack.yaml").write_text(f'name: mine\nversion: "1"\n{manifest}\n')
        (folder / link).symlink_to(target)
        with pytest.raises(RuleError) as caught:
            find_pack(folder)
        check_places(caught.value)
        assert SECRET not in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- report


@pytest.fixture(scope="module")
def visits() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server and the list of what was asked of it."""
    asked: list[str] = []

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def poison(address: str, secret: Path) -> str:
    """Return one text with everything that a page, a PDF or a template might fall for."""
    return (
        f"<script src={address}/script></script><script>document.title='pwned'</script><svg onload=alert(1)>"
        f"<img src={address}/img onerror=alert(1)><img src={secret.as_uri()}><iframe src={secret.as_uri()}></iframe>"
        f"<link rel=stylesheet href={address}/css><link rel=attachment href={secret.as_uri()}><object data={address}/o>"
        f"<a rel=attachment href={secret.as_uri()}>x</a><base href={address}/><style>@import url({address}/s)</style>"
        f"<meta http-equiv=refresh content='0;{address}/refresh'><form action={address}/form><input autofocus>"
        f"![x]({address}/md) ![x]({secret.as_uri()}) [a]({secret.as_uri()}) [b](javascript:alert(1)) "
        f"[c](data:text/html,<script>alert(1)</script>) <{secret.as_uri()}> [e]: {secret.as_uri()} "
        "{{ 7*7 }}{{ self.__init__ }}{% include '/etc/passwd' %} $x^2$ \\input{x} \u202eevil\u2066 \x1b]0;x\x07"
    )


def poisoned(folder: Path, text: str) -> tuple[Result, Run, Checklist]:
    """Return a verdict on a run in which everything that has a name or a text has this one."""
    quoted_text = quoted(text.replace("{", "{{").replace("}", "}}").replace("\x1b", "").replace("\x07", ""))
    texts = dict.fromkeys(("why", "advice"), quoted_text)
    texts |= {key: quoted_text[:300].rpartition(" ")[0] + '"' for key in ("title", "message")}
    rules = {name: "\n".join(_exchanged(line, texts) for line in rule.splitlines()) for name, rule in RULES.items()}
    checklist = rules_in(folder, rules)
    chapters = tuple(
        (text, tuple(item.model_copy(update={"asks": text, "guide": item.guide and text}) for item in items))
        for _, items in checklist.chapters
    )
    checklist = replace(
        checklist,
        chapters=chapters,
        sources={"V": text},
        profile=text,
        origins={name: Origin(text, text, checklist.rule(name)) for name in rules},
        packs=(Brand(text, text, text),),
        suppressions=(Suppression("ACT902", text, set_by=text), Suppression("ACT901", text, match="x", set_by=text)),
    )
    run = record(None, [text, "second", f"third/{text}", "last"], STEPS[::3])
    sites = {**run.sites, Site("fact", text): {text: text}}
    run = Run(None, {**run.meta, "name": text, "started": text}, sites, run.tables, run.logs, run.notes, text)
    result = evaluate(checklist, run)
    assert len(result.findings) >= 1
    assert len(result.suppressed) == 1
    return result, run, checklist


def _exchanged(line: str, texts: dict[str, str]) -> str:
    key = line.partition(":")[0]
    return f"{key}: {texts[key]}" if key in texts else line


def check_page(text: str) -> None:
    """Nothing in the page can run, load, or lead to a file."""
    seen = Seen(text)
    forbidden = {"script", "iframe", "object", "embed", "link", "base", "form", "input", "svg", "video", "audio"}
    assert {tag for tag, _ in seen.tags} & forbidden == set()
    assert [name for _, attrs in seen.tags for name in attrs if name.startswith("on") or name == "style"] == []
    assert all(one.startswith(("data:image/svg+xml,", "data:image/png;base64,")) for one in seen.all("src"))
    assert all(one.startswith(("#", "http://", "https://", "mailto:")) for one in seen.all("href"))
    policies = [attrs["content"] for tag, attrs in seen.tags if tag == "meta" and "http-equiv" in attrs]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert text.count("<style>") == text.count("</style>") == 1
    assert SECRET not in text


def check_pdf(made: bytes) -> None:
    """The PDF has no file in it, runs nothing, and its links lead to the web or into itself."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(made))
    assert list(reader.attachments) == []
    keys, links = set(), []
    queue: list[Any] = [reader.trailer["/Root"]]
    known = set()
    while queue:
        one = queue.pop()
        one = one.get_object() if hasattr(one, "get_object") else one
        if id(one) in known:
            continue
        known.add(id(one))
        if isinstance(one, dict):
            keys |= set(one)
            links += [str(one["/URI"])] if "/URI" in one else []
            queue += list(one.values())
        elif isinstance(one, list):
            queue += one
    forbidden = {"/JS", "/JavaScript", "/EmbeddedFile", "/EmbeddedFiles", "/EF", "/Launch", "/GoToR", "/SubmitForm"}
    assert keys & (forbidden | {"/OpenAction", "/AA", "/AcroForm"}) == set()
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in links)
    assert SECRET not in " ".join(one.extract_text() for one in reader.pages)
    assert b"/Launch" not in made


def check_browser(text: str, folder: Path) -> None:
    """A browser that opens the page runs none of it; without a browser there is nothing to check."""
    if shutil.which("chromium") is None:
        return
    path = folder / "report.html"
    path.write_text(text, "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/browser", "--dump-dom"]
    done = subprocess.run(["chromium", *options, path.as_uri()], capture_output=True, timeout=120, check=True)
    shown = done.stdout.decode("utf-8", "replace")
    assert "<title>pwned" not in shown
    assert "<h1>" in shown


def test_texts_with_everything_are_text(tmp_path: Path, visits: tuple[str, list[str]]) -> None:
    """Rules, rows, layers, runs, packs, profiles and reasons: shown, never run, loaded or followed, in page and PDF."""
    address, asked = visits
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    result, run, checklist = poisoned(tmp_path / "rules", poison(address, secret))
    text = page(view(result, run, checklist))
    check_page(text)
    check_pdf(to_pdf(text))
    check_browser(text, tmp_path)
    assert asked == []
    assert "{{ 7*7 }}" in text
    assert not set("\u202e\u2066\x1b\x07") & set(text)


def test_the_check_of_pages_can_fail(tmp_path: Path, visits: tuple[str, list[str]]) -> None:
    """A page with such a text as markup is caught, by what it holds and by what a PDF of it would have loaded."""
    from weasyprint import HTML

    address, asked = visits
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    body = f'<html lang="en"><title>t</title><style></style>{poison(address, secret)}</html>'
    with pytest.raises(AssertionError):
        check_page(body)
    with pytest.raises(AssertionError):
        check_pdf(HTML(string=body).write_pdf())
    assert "/img" in asked
    asked.clear()
    check_pdf(to_pdf(body))
    assert asked == []


def test_huge_numbers_in_a_run_and_a_rule_are_words(tmp_path: Path) -> None:
    """Integers that no float holds, in settings and in limits, cost no report."""
    huge = 10**400
    rule = RULES["DATA901"].replace("statistic: maximum", "attribute: layer")
    rule = rule.replace("{warning: {above: 3}}", f"{{warning: {{one_of: [Dense, {huge}, {-huge}]}}}}")
    rule = rule.replace("{value:.3g}", "{value}").partition("examples:")[0]
    rule += "examples: [{value: LSTM, verdict: pass}, {value: Dense, verdict: warn}]\n"
    checklist = rules_in(tmp_path, {**RULES, "DATA901": rule})
    run = record(None, LAYERS, STEPS[::8])
    for site, attributes in list(run.sites.items()):
        if site.kind == "fact":
            run.sites[site] = {**attributes, "huge": huge, "tiny": -huge}
    result = evaluate(checklist, run)
    assert "DATA901" in [one.rule for one in result.findings]
    words = " ".join(Seen(page(view(result, run, checklist))).words)
    assert "one of Dense, more than 1e308, less than −1e308" in words


# --------------------------------------------------------------------------------------------------------------- looks


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Run, Checklist]:
    checklist = rules_in(tmp_path_factory.mktemp("rules"), RULES)
    run = record(None, LAYERS, STEPS[::6])
    return evaluate(checklist, run), run, checklist


TEMPLATES = [
    "{{ report.__class__.__mro__[1].__subclasses__() }}",
    "{{ report.__class__.__mro__ }}",
    "{{ report['__class__'] }}",
    "{{ report|attr('__class__') }}",
    "{{ report.name.__class__ }}",
    "{{ report.name.format(report) }}",
    "{{ '{0.__class__}'.format(report) }}",
    "{{ ''.join(report.name) }}",
    "{{ report.pictures[0].chart.lines[0].values.tofile('pwned') }}",
    "{{ report.pictures[0].chart }}",
    "{{ report.pictures[0].chart.lines[0].values }}",
    "{{ report }}",
    "{{ self }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.system('touch pwned') }}",
    "{{ lipsum.__globals__['os'].popen('touch pwned') }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ range(999999999) | list }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in report.title %}{% for b in report.title %}{% for c in report.title %}{% for d in report.title %}"
    "x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in report.title recursive %}{{ loop(report.title) }}{% endfor %}",
    f"{{% for a in report.title %}}{'x' * 15_000}{{% endfor %}}",
    "{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
    "{% set a = 'x' * 999999999999 %}{{ a }}",
    "{% set ns = namespace(a='x') %}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 'x' * 999999999999 }}",
    "{{ 'x' ~ 'x' }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ 'x' | center(999999999999) }}",
    "{{ 'x' | indent(999999999999) }}",
    "{{ report.name | replace('m', 'x') }}",
    "{{ report.name | safe }}",
    "{% autoescape false %}{{ report.name }}{% endautoescape %}",
    "{% filter upper %}x{% endfilter %}",
    "{% include '/etc/passwd' %}",
    "{% include 'report.html.j2' %}",
    "{% extends 'report.html.j2' %}",
    "{% import 'report_parts.html.j2' as parts %}",
    "{% from 'report_parts.html.j2' import badge %}",
    "{% block a %}{% endblock %}",
    f"{{{{ {'(' * 5000}1{')' * 5000} }}}}",
    f"{{{{ {'not ' * 5000}1 }}}}",
    f"{'{% if 1 %}' * 1500}{'{% endif %}' * 1500}",
    f"{{{{ {'9' * 19_000} }}}}",
    "{{ undefined }}",
    "{% debug %}",
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_a_template_with_tricks_is_refused(
    sound: tuple[Result, Run, Checklist], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects, calls, calculation, inclusion and loops without end: an error in words, and no file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\w"):
        render(text, view(*sound))
    assert list(tmp_path.iterdir()) == []


LOGOS = [
    "<script>document.title='pwned'</script>",
    "<image href='{address}/svg'/>",
    "<image href='{secret}'/>",
    "<use href='{address}/svg#a'/>",
    "<style>@import '{address}/svg'; path {{ fill: url({address}/svg) }}</style>",
    "<path d='M0 0' onload='alert(1)' style='fill: url({address}/svg#a)'/>",
    "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='{secret}'/></foreignObject>",
    "<a href='javascript:alert(1)'><text>x</text></a>",
]
STYLES = [
    "@import url({address}/css);",
    "@import '{secret}';",
    "body {{ background: url({address}/css) }}",
    "body::before {{ content: url({secret}) }}",
    "body {{ background: \\75rl('{address}/css') }}",
    "body {{ background: image-set('{address}/css' 1x) }}",
    "@font-face {{ font-family: x; src: url({address}/css) }} body {{ font-family: x }}",
    "</style><script>document.title='pwned'</script><style>",
]


def test_a_look_with_tricks_leaves_the_rest_of_the_page(
    sound: tuple[Result, Run, Checklist], tmp_path: Path, visits: tuple[str, list[str]]
) -> None:
    """Every logo and style of the list, with a header and a footer of markup that would run and load."""
    address, asked = visits
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    fill = {"address": address, "secret": secret.as_uri()}
    result, run, checklist = sound
    for number in range(len(LOGOS)):
        logo = SVG.replace("</svg>", f"{LOGOS[number].format(**fill)}</svg>").encode()
        texts = {"header": poison(address, secret).partition("{{")[0], "style": STYLES[number].format(**fill)}
        texts["footer"] = TEMPLATES[number]
        known = replace(checklist, packs=(brand(tmp_path / f"pack{number}", logo, **texts),))
        report = view(result, run, known)
        text = page(report)
        check_page(text)
        check_pdf(to_pdf(text))
        check_browser(text, tmp_path)
        words = " ".join(Seen(text).words)
        assert "its style.css is left out: " in words
        assert "its logo is shown without " in words
        assert "its header.html.j2 is shown without <script>, <svg>, src, onerror, <iframe> and more." in words
        assert "its footer.html.j2 is left out: " in words
        assert 'class="logo"' in text
    assert asked == []


def test_a_logo_that_grows_is_left_out(sound: tuple[Result, Run, Checklist], tmp_path: Path) -> None:
    """References that multiply, and entities that would."""
    result, run, checklist = sound
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "x"}">' for n in range(10))
    for logo in (
        SVG.replace("</svg>", f"{billion('<path/>')}</svg>"),
        f"<!DOCTYPE svg [{entities}]>{SVG.replace('</svg>', '<text>&a9;</text></svg>')}",
    ):
        text = page(view(result, run, replace(checklist, packs=(brand(tmp_path, logo.encode()),))))
        assert "Pack acme-rules: its logo is left out: " in text
        assert 'class="logo"' not in text


# ---------------------------------------------------------------------------------------------------------------- fuzz

PROFILE = """\
name: acme
extends: [./rules]
select: [ACT]
ignore: [ACT902]
set:
  ACT901: {condition: {warning: {outside: [0.3, 3]}}, severity: warning}
overrides:
- {match: "encoder/**", set: {ACT901: off}}
suppress:
- {rule: ACT901, match: "head/*", reason: sparse by design, expires: 2027-01-31}
baseline: baseline.json
gate: {fail_on: error, ignore: [DATA005], require: [act.std-range]}
"""
MANIFEST = """\
name: acme-rules
version: "1.2.0"
requires: ">=0.1"
title: Acme Training Standards
logo: logo.svg
templates: looks
"""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.sampled_from(
        ["off", "ACT901", "act.std-range", "**", "./rules", "built-in", "std", "error", "1x9", "{site}", "1.0"]
    ),
)


def properties(schema: Any) -> Iterator[str]:
    """Yield every key that a JSON Schema knows."""
    below = list(schema.values()) if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield from schema["properties"]
    for one in below:
        yield from properties(one)


WORDS = sorted({key for model in (Rule, Profile, Manifest) for key in properties(model.model_json_schema())})
"""Every key of a rule, a profile and a pack."""
KEYS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(WORDS),
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """Return the text of a file with some of its values exchanged, taken away or added, or some of its letters."""
    if draw(st.integers(0, 3)) == 0:
        return draw(scrambled(text))
    data = YAML(typ="safe", pure=True).load(text)
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, data)
    return dumped(data)


def _mutate(draw: st.DrawFn, data: Any) -> None:
    node = data
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys or draw(st.integers(0, 5)) == 0:
            if isinstance(node, dict):
                node[draw(KEYS)] = draw(DATA)
            else:
                node.append(draw(DATA))
            return
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and draw(st.integers(0, 3)):
            node = node[key]
            continue
        if draw(st.booleans()):
            node[key] = draw(DATA)
        else:
            del node[key]
        return


@st.composite
def scrambled(draw: st.DrawFn, text: str) -> str:
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    middle = draw(
        st.one_of(
            st.text(max_size=4),
            st.sampled_from(["{", "[", ": ", "\n", "- ", "&a ", "*a", "!!x ", "'", "#", "\t", "? "]),
        )
    )
    return text[:start] + middle + text[end:]


def dumped(data: Any) -> str:
    """Return data as YAML; what YAML cannot say becomes text."""
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.allow_unicode = True
    yaml.dump(data, out)
    return out.getvalue()


ARBITRARY = st.dictionaries(KEYS, DATA, max_size=5).map(dumped) | DATA.map(dumped)
FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def loaded_or_refused(load: Any) -> None:
    """Call what reads files: it succeeds, or raises a RuleError with a place for every fault."""
    try:
        load()
    except RuleError as error:
        check_places(error)


@FUZZ
@given(text=mutated(RULE) | ARBITRARY)
def test_any_rule_file_is_a_rule_or_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Never another exception, whatever a rule file holds."""
    folder = write_rules(tmp_path_factory.mktemp("rules"), {"ACT902-x.yaml": RULE.replace("ACT901", "ACT902")})
    (folder / "ACT901-x.yaml").write_text(text, "utf-8", "replace", newline="")
    loaded_or_refused(lambda: load_checklist(folder))


@FUZZ
@given(text=mutated(PROFILE) | ARBITRARY)
def test_any_profile_is_a_profile_or_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Never another exception, whatever a profile holds, as a file and as a mapping."""
    folder = tmp_path_factory.mktemp("profiles")
    write_rules(folder / "rules", {"ACT901-x.yaml": RULE})
    (folder / "acme.yaml").write_text(text, "utf-8", "replace", newline="")
    loaded_or_refused(lambda: load_checklist(profile=folder / "acme.yaml"))


@FUZZ
@given(data=st.dictionaries(KEYS, DATA, max_size=5))
def test_any_mapping_is_a_profile_or_faults(data: dict[str, Any]) -> None:
    """The same for what is handed to the callback."""
    loaded_or_refused(lambda: load_checklist(profile=data))


@FUZZ
@given(text=mutated(MANIFEST) | ARBITRARY)
def test_any_pack_is_a_pack_or_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Never another exception, whatever a pack.yaml holds."""
    folder = tmp_path_factory.mktemp("packs")
    write_rules(folder / "rules", {"ACT901-x.yaml": RULE})
    write_rules(folder / "looks", {"header.html.j2": "x"})
    (folder / "logo.svg").write_text(SVG)
    (folder / "pack.yaml").write_text(text, "utf-8", "replace", newline="")
    loaded_or_refused(lambda: find_pack(folder))


@pytest.mark.parametrize("text", [RULE, PROFILE, MANIFEST], ids=["rule", "profile", "pack"])
def test_what_the_mutations_begin_with_is_sound(tmp_path: Path, text: str) -> None:
    """Unchanged, each of the three loads; so what is refused is refused for its mutation."""
    write_rules(tmp_path / "rules", {"ACT901-x.yaml": RULE})
    write_rules(tmp_path / "looks", {"header.html.j2": "x"})
    (tmp_path / "logo.svg").write_text(SVG)
    (tmp_path / "pack.yaml").write_text(MANIFEST)
    (tmp_path / "acme.yaml").write_text(PROFILE.replace("ignore: [ACT902]\n", ""))
    assert isinstance(load_checklist(profile=tmp_path / "acme.yaml"), Checklist)
    assert find_pack(tmp_path).brand.title == "Acme Training Standards"
    assert issubclass(RuleError, Error)
    assert text == dumped_and_read(text)


def dumped_and_read(text: str) -> str:
    """Return the text where writing its data and reading it again changes nothing in them."""
    yaml = YAML(typ="safe", pure=True)
    return text if yaml.load(dumped(yaml.load(text))) == yaml.load(text) else ""
