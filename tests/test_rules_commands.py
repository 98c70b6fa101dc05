"""`tfhealth rules …`: what each action writes, prints and returns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from tests.helpers import RULE, run_of, write_rules
from tfhealth.cli import main
from tfhealth.cli.rules.command import ACTIONS
from tfhealth.rules import find_pack, load_checklist, source

ROOT = Path(__file__).parent.parent
FADED = 'tests: [{name: it fades, series: {activation a std: "0.1x9"}, expect: {ACT901: %s}}]\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without a profile at or above it."""
    monkeypatch.chdir(tmp_path)


def said(*arguments: str, code: int = 0) -> list[str]:
    """Run `tfhealth rules`; return what is printed, the errors of code 2 included, line by line."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = main(["rules", *arguments])
    assert found == code, out.getvalue() + err.getvalue()
    assert not (out.getvalue() and err.getvalue())
    return (out.getvalue() + err.getvalue()).splitlines()


def mine(tests: str = FADED % "warn", manifest: str = 'name: mine\nversion: "1"\n', **rules: str) -> Path:
    """Write a pack `mine` with a rule and a test file here."""
    folder = write_rules(Path("mine"), {"pack.yaml": manifest})
    write_rules(folder / "rules", {f"{name}.yaml": text for name, text in (rules or {"ACT901": RULE}).items()})
    write_rules(folder / "tests", {"all.yaml": tests})
    return folder


# new


def test_new_rule_is_sound_as_it_is():
    """It loads, its examples pass, `check` has nothing to say, and it is valid by the schema beside it."""
    assert said("new", "ACME001", "--out", "house") == [
        "house/ACME001-activation-spread-far-from-one.yaml",
        "house/rule-1.schema.json",
    ]
    assert said("check", "house") == ["0 faults, 0 warnings in 1 rule"]
    assert said("test", "house") == ["0 failed, 4 passed in 1 rule, 0 test files"]
    text = Path("house/ACME001-activation-spread-far-from-one.yaml").read_text("utf-8")
    modeline, *lines = text.splitlines()
    assert modeline == "# yaml-language-server: $schema=rule-1.schema.json"
    schema = json.loads(Path("house/rule-1.schema.json").read_text("utf-8"))
    read = source.read(Path("house/ACME001-activation-spread-far-from-one.yaml"), "new")
    assert isinstance(read, source.Source)
    jsonschema.Draft7Validator(schema).validate(read.data)
    assert max(map(len, lines)) <= 200
    assert sum(line.lstrip().startswith("#") for line in lines) >= 15


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Learning rate above the ceiling", "learning-rate-above-the-ceiling"),
        ("A title: with # and \"quotes\" and 'more' {braces}", "a-title-with-and-quotes-and-more-braces"),
        ("  Zu große Schritte – 3 % ", "zu-gro-e-schritte"),
        ("yes", "yes"),
        ("42", "rule"),
        ("- [x]: !tag &a *b %c @d `e", "x-tag-a-b-c-d-e"),
    ],
)
def test_title_of_a_new_rule_may_be_any(title: str, slug: str):
    """It stands in the file as it was given, and names the file."""
    assert said("new", "ACME001", "--row", "opt.learning-rate", "--title", title)[0] == f"ACME001-{slug}.yaml"
    assert said("check", ".") == ["0 faults, 0 warnings in 1 rule"]
    (rule,) = load_checklist(".").rules
    assert (rule.title, rule.checklist) == (title.strip(), "opt.learning-rate")


def test_second_new_rule_uses_the_schema_that_is_there():
    """One schema for a folder, and what a person made of it stays."""
    said("new", "ACME001")
    Path("rule-1.schema.json").write_text("{}", "utf-8")
    assert said("new", "ACME002") == ["ACME002-activation-spread-far-from-one.yaml"]
    assert Path("rule-1.schema.json").read_text("utf-8") == "{}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["acme1"], "'acme1' is no id: three to five capital letters and three digits, e.g. ACME001"),
        (["ACT001"], "ACT001 is a built-in rule; to change it, name it under `set` in a profile."),
        (["ACME001"], "ACME001 is taken by ACME001-old.yaml; an id is never used again."),
        (
            ["ACME002", "--row", "act.dead-rulu"],
            "'act.dead-rulu' is no row of the checklist; did you mean 'act.dead-relu'?",
        ),
        (["ACME002", "--row", "?"], "'?' is no row of the checklist; `tfhealth rules list` shows all"),
        (["ACME002", "--title", " "], "a title has 1 to 400 characters, received 0"),
        (["ACME002", "--title", "x" * 401], "a title has 1 to 400 characters, received 401"),
        (["ACME002", "--out", "ACME001-old.yaml"], "ACME001-old.yaml: cannot be written (File exists)."),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_new_rule_that_cannot_be_is_refused(arguments: list[str], expected: str):
    """With what is legal; nothing is written, and nothing that is there is touched."""
    write_rules(Path(), {"ACME001-old.yaml": "mine"})
    assert said("new", *arguments, code=2) == [f"tfhealth: {expected}"]
    assert [path.name for path in Path().iterdir()] == ["ACME001-old.yaml"]
    assert Path("ACME001-old.yaml").read_text("utf-8") == "mine"


def test_new_rule_in_a_pack_uses_its_schema_and_its_rows():
    """The modeline leads to the schema at the top of the pack; the rule may decide a row that the pack brings along."""
    said("new-pack", "acme-rules")
    folder = Path("acme-rules/tfhealth_acme_rules")
    rows = "sources: {H: our handbook}\nchapters:\n- title: House\n  items:\n"
    rows += "  - {id: house.names, asks: Are layers named?, sources: [H1], how: [fit]}\n"
    write_rules(folder, {"checklist.yaml": rows})
    out = str(folder / "rules")
    (path,) = said("new", "ACME002", "--row", "house.names", "--title", "Unnamed layers", "--out", out)
    assert path == f"{out}/ACME002-unnamed-layers.yaml"
    assert Path(path).read_text("utf-8").startswith("# yaml-language-server: $schema=../rule-1.schema.json\n")
    assert said("check", "acme-rules") == ["0 faults, 0 warnings in 2 rules"]
    refused = said("new", "ACME001", "--out", str(folder), code=2)
    assert refused[0].startswith(f"tfhealth: ACME001 is taken by {Path.cwd() / folder}/rules/ACME001-")


# new-pack


def test_new_pack_builds_and_its_tests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Checked and tested in its folder; built into a wheel, installed elsewhere, found by name and tested there."""
    written = said("new-pack", "acme-rules", "--out", "work")
    assert written[0] == "work/acme-rules/pyproject.toml"
    assert all(Path(name).is_file() for name in written)
    monkeypatch.chdir("work/acme-rules")
    assert said("check")[-1].startswith("0 faults, 0 warnings in ")
    assert said("test")[-1].startswith("0 failed, ")
    assert said("check", ".") == said("check", "tfhealth_acme_rules") == ["0 faults, 0 warnings in 1 rule"]
    assert said("test", ".") == ["0 failed, 6 passed in 1 rule, 1 test file"]
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, "."], check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("acme_rules-0.1.0-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        assert [name for name in archive.namelist() if name.endswith(".json")] == []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text('[tool.tfhealth]\nextends = ["built-in", "acme-rules"]\n', "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    for arguments, expected in (
        (["check", "acme-rules"], "0 faults, 0 warnings in 1 rule\n"),
        (["test", "acme-rules"], "0 failed, 6 passed in 1 rule, 1 test file\n"),
        (["test", "acme-rules", "--profile", "pyproject.toml"], "0 failed, 6 passed in 1 rule, 1 test file\n"),
        (["list"], "    ACME001   Activation spread far from one (acme-rules)\n"),
    ):
        command = [sys.executable, "-m", "tfhealth", "rules", *arguments]
        done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout


def test_new_pack_dresses_reports():
    """Name, version, title and logo are those of its `pack.yaml`."""
    said("new-pack", "acme-rules")
    brand = find_pack("acme-rules/tfhealth_acme_rules").brand
    assert (brand.name, brand.version, brand.title) == ("acme-rules", "0.1.0", "Acme rules")
    assert brand.logo is not None
    assert brand.logo.startswith(b"<svg")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x", "XXX001"),
        ("3d-rules", "DRULE001"),
        ("act", f"ACT{1 + max(int(one.id[3:]) for one in load_checklist().rules if one.id[:3] == 'ACT'):03}"),
        ("json", "JSON001"),
        ("in-2024", "INX001"),
        ("42", "XXX001"),
    ],
)
def test_new_pack_may_have_any_legal_name(name: str, rule: str):
    """Numbers, keywords, names of modules and of chapters: the package and the ids are its own."""
    said("new-pack", name)
    assert [one.rule.id for one in find_pack(f"{name}/tfhealth_{name.replace('-', '_')}").rules] == [rule]
    assert said("check", name) == ["0 faults, 0 warnings in 1 rule"]
    assert said("test", name)[-1].startswith("0 failed, 6 passed")


@pytest.mark.parametrize("name", ["Acme", "acme rules", "acme--rules", "-acme", "acme_rules", "", "../acme", "x" * 61])
def test_name_that_no_pack_can_have_is_refused(name: str):
    """With what is legal, and nothing is written."""
    (line,) = said("new-pack", f"--out={Path.cwd()}", "--", name, code=2)
    assert (
        line == f"tfhealth: {name!r} is no name for a pack: small letters, digits and single hyphens, e.g. acme-rules"
    )
    assert list(Path().iterdir()) == []


def test_new_pack_overwrites_nothing():
    """A folder that is there already stays as it is, even when it is empty."""
    Path("acme-rules").mkdir()
    (line,) = said("new-pack", "acme-rules", code=2)
    assert line == "tfhealth: acme-rules is there already; choose another name, or another folder with --out."
    assert list(Path("acme-rules").iterdir()) == []


# check


def test_check_of_what_is_sound_says_so():
    """A pack, a profile, and the built-in rules where nothing is named."""
    mine()
    write_rules(Path(), {"house.yaml": "extends: [built-in, ./mine]\n"})
    assert said("check", "mine") == ["0 faults, 0 warnings in 1 rule"]
    count = len(load_checklist().rules)
    assert said("check") == said("check", "built-in") == [f"0 faults, 0 warnings in {count} rules"]
    assert said("check", "mine", "--profile", "house.yaml") == said("check", "house.yaml")
    assert said("check", "house.yaml") == [f"0 faults, 0 warnings in {count + 1} rules"]


def test_check_lists_all_faults_of_all_files_at_once():
    """Rules, tests, the manifest: each with a path that leads there from here, line and column."""
    unnamed = RULE.replace("ACT901", "ACT902").replace("{site} had", "{sight} had")
    twice = RULE.replace("title: Spread", "title: Another spread")
    mine(FADED % "fial", 'name: Mine\nversion: "1"\n', ACT901=RULE, ACT902=unnamed, ACT901b=twice)
    Path("deep").mkdir()
    lines = said("check", "mine", code=1)
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        "mine/pack.yaml:1:1 name",
        "mine/rules/ACT901b.yaml:1:1 id",
        "mine/rules/ACT902.yaml:8:1 message",
        "mine/tests/all.yaml:1:72 tests.0.expect.ACT901",
    ]
    assert lines[2].endswith("did you mean 'site'?")
    assert lines[-1] == "4 faults, 0 warnings in 1 rule"
    os.chdir("deep")
    assert said("check", "../mine", code=1)[0].startswith(f"{Path.cwd().parent}/mine/pack.yaml:1:1 name: ")


def test_check_of_warnings_alone_returns_0():
    """A rung without an example, an expired suppression, one that accepts nothing."""
    mine(ACT901=RULE.replace("warning: {outside", "info: {above: 100}\n  warning: {outside"))
    house = """\
extends: [./mine]
suppress:
  - {rule: ACT901, reason: old, expires: 2020-01-31}
  - {rule: ACT9, match: head, reason: fine}
  - {rule: GRAD, reason: nothing of the kind}
"""
    write_rules(Path(), {"house.yaml": house})
    assert [line.split(" ", 2)[::2] for line in said("check", "house.yaml")[:-1]] == [
        ["house.yaml:3:33", "warning: the suppression of ACT901 expired on 2020-01-31"],
        ["house.yaml:5:6", "warning: no rule in mine has an id that begins with 'GRAD'"],
        ["mine/rules/ACT901.yaml:7:3", "warning: no example reaches info, so its limit is untested"],
    ]
    assert said("check", "house.yaml")[-1] == "0 faults, 3 warnings in 1 rule"


def test_check_as_json_and_for_github():
    """The same faults as data, and as annotations that GitHub puts beside the line."""
    mine(ACT901=RULE.replace("title:", "titel:"))
    data = json.loads("\n".join(said("check", "mine", "--format", "json", code=1)))
    assert data["summary"] == "2 faults, 0 warnings in 0 rules"
    keys = {"file", "line", "column", "path", "what", "level"}
    assert [set(fault) for fault in data["faults"]] == [keys] * 2
    assert data["faults"][0]["file"] == "mine/rules/ACT901.yaml"
    lines = said("check", "mine", "--format", "github", code=1)
    assert lines[0] == (
        "::error file=mine/rules/ACT901.yaml,line=1,col=1,title=tfhealth title::key 'title' is required"
    )


def test_check_prints_no_command_of_a_file():
    """What a hostile file holds reaches neither the terminal nor the CI that reads the lines."""
    hostile = '"x\\n::error::owned\\e[31m##[error]owned": 1\n'
    mine(ACT901=RULE + hostile)
    for name in ("text", "github"):
        lines = said("check", "mine", "--format", name, code=1)
        assert len(lines) == 2
        assert "\x1b" not in lines[0]
        assert lines[0].startswith("::error file=mine/" if name == "github" else "mine/")
        assert name == "github" or "##[" not in lines[0]  # GitHub reads one command a line


@pytest.mark.parametrize("action", ["check", "test"])
def test_path_that_cannot_be_meant_is_wrong_use(action: str):
    """Nothing of this name, a folder without rules, one rule alone: code 2 and one line."""
    mine()
    Path("empty").mkdir()
    for name, expected in (
        ("acme", "'acme' is neither a folder of rules nor an installed pack; installed: built-in"),
        ("empty", "empty: has no rule file (*.yaml) in it."),
        ("mine/rules/ACT901.yaml", "mine/rules/ACT901.yaml: is one rule; name the folder that it is in, mine/rules."),
    ):
        assert said(action, name, code=2) == [f"tfhealth: {expected}"]
    assert said(action, "mine", "--profile", "no.yaml", code=2) == ["tfhealth: no.yaml: no such profile."]


def test_check_reads_the_templates_of_a_pack():
    """What Jinja cannot parse and what no template may have, with file and line; of the style, what could load."""
    folder = mine(manifest='name: mine\nversion: "1"\ntemplates: looks\n')
    looks = {
        "header.html.j2": "<p>a</p>\n{% fi report.name %}",
        "footer.html.j2": "<p>\n{{ report.name | reverse }}</p>",
        "chapter-a.html.j2": "<h2>{{ report.name }}</h2>",
        "style.css": "p { background: url(https://acme.example/p.png) }",
    }
    write_rules(folder / "looks", looks)
    assert said("check", "mine", code=1) == [
        "mine/looks/footer.html.j2:2:1: filter 'reverse' is not allowed; legal: length, capitalize, lower, title, "
        "trim, upper",
        "mine/looks/header.html.j2:2:1: TemplateSyntaxError: Encountered unknown tag 'fi'.",
        "mine/looks/style.css:1:1: has 'url(https:acmeexampleppn…' in it; legal is url(data:image/png;base64,…)",
        "3 faults, 0 warnings in 1 rule",
    ]


# test


def test_test_runs_examples_and_test_files():
    """Counts at the end; code 0 where everything holds."""
    mine()
    assert said("test", "mine") == ["0 failed, 3 passed in 1 rule, 1 test file"]
    assert said("test")[-1].startswith("0 failed, ")


def test_test_prints_a_line_for_each_expectation_that_does_not_hold():
    """Of examples and test files, with the place, what was expected and what was found; code 1."""
    mine(FADED % "pass", ACT901=RULE.replace('"1x9"', '"0.3x9"'))
    assert said("test", "mine", code=1) == [
        "mine/rules/ACT901.yaml:13:5 examples.0: expected pass; found warn",
        "mine/tests/all.yaml:1:72 tests.0.expect.ACT901: it fades: expected pass; found warn (The output of a had a "
        "spread of 0.1 from step 0 on.)",
        "2 failed, 1 passed in 1 rule, 1 test file",
    ]
    data = json.loads("\n".join(said("test", "mine", "--format", "json", code=1)))
    assert [fault["line"] for fault in data["faults"]] == [13, 1]


def test_test_of_rules_that_do_not_load_is_wrong_use():
    """Nothing is tested; the faults are those of `check`."""
    mine(ACT901=RULE.replace("title:", "titel:"))
    lines = said("test", "mine", code=2)
    assert lines[0] == "tfhealth: 2 faults in the rules"
    assert lines[1].startswith("  mine/rules/ACT901.yaml:1:1 title: ")


def test_test_by_a_profile():
    """The pack's tests by the rules that the profile puts in force, among them built-in ones."""
    tests = """\
tests:
  - name: it fades, and so it would with inputs that large
    sites: {input x: {normalized: false, consumer: Dense}}
    series: {input x std: "80x10", activation a std: "0.1x10"}
    expect: {ACT901: {verdict: fail, severity: error}, DATA002: fail}
"""
    mine(tests)
    house = "extends: [built-in, ./mine]\nset: {ACT901: {severity: error}}\n"
    write_rules(Path(), {"house.yaml": house, "bare.yaml": "extends: [built-in]\n"})
    assert said("test", "mine", code=1)[-1] == "2 failed, 2 passed in 1 rule, 1 test file"
    found = said("test", "mine", "--profile", "house.yaml")
    assert found == ["0 failed, 4 passed in 1 rule, 1 test file"]
    assert said("test", "mine", "--profile", "bare.yaml", code=2) == [
        "tfhealth: mine is not in force by bare.yaml; add it to its `extends`."
    ]
    assert said("test", "house.yaml")[-1].startswith("0 failed, ")


def test_test_judges_a_recorded_run():
    """A run directory in the pack."""
    mine("tests: [{name: last year's, run: runs/faded, expect: {ACT901: warn}}]\n")
    run_of({("activation", "a", "std"): [0.1] * 9}, folder=Path("mine/tests/runs/faded"))
    assert said("test", "mine") == ["0 failed, 3 passed in 1 rule, 1 test file"]


# list, explain, diff

HOUSE = """\
name: house
extends: [built-in, ./mine]
set:
  ACT001: {condition: {warning: {above: 7}}}
overrides:
  - {match: "encoder/**", set: {ACT001: off}}
  - {match: head, set: {ACT001: {condition: {warning: {above: 9}}}}}
suppress:
  - {rule: ACT0, match: "head/*", reason: sparse by design, expires: 2099-01-31}
gate: {fail_on: error}
"""


def test_list_names_the_pack_and_who_changed_a_rule():
    """Beside each rule that is not as tfhealth has it, or that should not be used; the same as JSON."""
    mine(ACT901=f"{RULE}deprecated: use ACT001\n")
    write_rules(Path(), {"house.yaml": HOUSE})
    lines = said("list", "--profile", "house.yaml")
    assert "    ACT901    Spread far from one (mine, deprecated)" in lines
    assert next(line for line in lines if line.startswith("    ACT001 ")).endswith(" (changed by house)")
    data = json.loads("\n".join(said("list", "--profile", "house.yaml", "--json")))
    rules = {rule["id"]: rule for chapter in data for row in chapter["rows"] for rule in row["rules"]}
    assert rules["ACT901"] == {
        "id": "ACT901",
        "title": "Spread far from one",
        "severities": ["warning"],
        "pack": "mine",
        "set_by": "mine",
        "deprecated": "use ACT001",
    }
    assert (rules["ACT001"]["pack"], rules["ACT001"]["set_by"]) == ("built-in", "house")
    assert rules.keys() == {rule.id for rule in load_checklist(profile="house.yaml").rules}


def test_explain_says_who_set_the_limits():
    """What the profile says, what the pack said, where it differs, and what is accepted."""
    mine()
    write_rules(Path(), {"house.yaml": HOUSE})
    lines = said("explain", "ACT001", "--profile", "house.yaml")
    assert "- **warning**: above 7" in "\n".join(lines)
    assert lines[lines.index("## Who set it") : -1] == [
        "## Who set it",
        "",
        "- From the pack built-in; its limits are set by house.",
        "- Changed: condition.warning.above is 7.0, was 10.0",
        "- At `encoder/**` house says: off",
        "- At `head` house says: condition.warning.above is 9.0, was 7.0",
        "- Accepted at `head/*` until 2099-01-31 (house): sparse by design",
    ]
    assert "## Who set it" not in said("explain", "ACT001")
    assert said("explain", "ACT901", "--rules", "mine")[-2] == "- From the pack mine; its limits are set by mine."


def test_diff_of_the_same_says_so():
    """Code 0, also where a default is written out."""
    mine()
    write_rules(Path(), {"same.yaml": "extends: [./mine]\nset: {ACT901: {quantify: any, active: {after_step: 0}}}\n"})
    assert said("diff", "mine", "mine") == ["mine and mine say the same."]
    assert said("diff", "mine", "same.yaml") == ["mine and same.yaml say the same."]
    assert said("diff", "built-in", "built-in") == ["built-in and built-in say the same."]


def test_diff_shows_each_key_with_both_values():
    """Rules of one side alone, changed keys, and what the profile accepts and asks for; code 1."""
    mine()
    write_rules(Path(), {"house.yaml": HOUSE})
    lines = said("diff", "built-in", "house.yaml", code=1)
    assert lines == [
        "Only in house.yaml:",
        "  ACT901  Spread far from one",
        "ACT001:",
        "  condition.warning.above: 10.0 → 7.0",
        "Settings:",
        '  gate.fail_on: nothing → "error"',
        '  suppress ACT0 at head/*: nothing → "sparse by design (until 2099-01-31)"',
        '  override ACT001 at encoder/**: nothing → "off"',
        '  override ACT001 at head: nothing → {"condition.warning.above": 9.0}',
    ]
    back = said("diff", "house.yaml", "built-in", code=1)
    assert back[:2] == lines[:2]
    assert "  condition.warning.above: 7.0 → 10.0" in back
    data = json.loads("\n".join(said("diff", "built-in", "house.yaml", "--json", code=1)))
    assert (data["removed"], data["added"]) == ([], ["ACT901"])
    assert data["changed"] == {"ACT001": [{"key": "condition.warning.above", "old": 10.0, "new": 7.0}]}
    assert [one["key"] for one in data["settings"]] == [line.strip().split(": ")[0] for line in lines[5:]]


def test_diff_of_a_test_shows_what_came_and_what_went():
    """A limit of another kind is one key gone and one there."""
    mine()
    write_rules(
        Path(), {"other.yaml": "extends: [./mine]\nset: {ACT901: {condition: {warning: {above: 3}, for: 1}}}\n"}
    )
    assert said("diff", "mine", "other.yaml", code=1) == [
        "ACT901:",
        "  condition.for: 3 → nothing",
        "  condition.warning.outside: [0.5, 2.0] → nothing",
        "  condition.warning.above: nothing → 3.0",
    ]


def test_diff_of_what_is_not_there_is_wrong_use():
    """Code 2, and which of the two it is."""
    mine()
    assert said("diff", "mine", "yours", code=2)[0].startswith("tfhealth: 'yours' is neither a folder of rules")


def test_every_action_has_help_and_is_documented():
    """One line in the list of actions, and a section in the reference."""
    page = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    assert len(re.findall(r"^## tfhealth rules ", page, re.MULTILINE)) == len(ACTIONS)


def test_rule_of_the_guide_is_sound():
    """What the guide shows is checked and tested as it says there, beside a rule that its first command writes."""
    page = (ROOT / "docs/guide/writing-a-rule.md").read_text("utf-8")
    for path, text in re.findall(r"^`([\w./-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")
    said("new", "RATIO002", "--row", "data.target-scale", "--out", "my-rules")
    assert said("check", "my-rules") == ["0 faults, 0 warnings in 2 rules"]
    assert said("test", "my-rules") == ["0 failed, 10 passed in 2 rules, 1 test file"]
