"""Packs: folders and wheels of rules, found without being imported, and inert whatever they hold."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import RULE, write_rules
from tfhealth.decide import decide_example
from tfhealth.errors import RuleError, UsageError
from tfhealth.rules import Checklist, find_pack, installed_packs, load_checklist
from tfhealth.rules.checklist import Brand, Origin

MANIFEST = """\
name: acme-rules
version: "1.2.0"
requires: ">=0.1"
title: Acme Training Standards
logo: logo.svg
templates: templates
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ROWS = """\
sources: {A: Acme handbook}
chapters:
- title: House rules
  items:
  - {id: acme.seed, asks: Is there a seed?, sources: [A 3], how: [fit]}
"""


def make_pack(folder: Path, manifest: str = MANIFEST, files: Mapping[str, str] | None = None) -> Path:
    """Write a pack that is sound but for `files`, keyed by their paths in it; return its folder."""
    sound = {
        "pack.yaml": manifest,
        "logo.svg": SVG,
        "rules/ACT901-x.yaml": RULE,
        "templates/header.html.j2": "<p>Acme</p>",
    }
    for name, text in {**sound, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    """Return every fault of the pack in a folder, as it is shown."""
    with pytest.raises(RuleError) as caught:
        find_pack(folder)
    return [str(fault) for fault in caught.value.faults]


def install(site: Path, points: str, name: str = "acme-wheel", version: str = "1.2.0") -> None:
    """Put what pip would write of a wheel with these entry points into a folder on sys.path."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[tfhealth.rulepacks]\n{points}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that Python imports from."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_pack_is_what_its_folder_says(tmp_path: Path):
    """Rules, tests, and how its reports look."""
    pack = find_pack(make_pack(tmp_path / "a", files={"tests/two.yaml": "run: {}", "tests/one.txt": ""}))
    assert pack.name == "acme-rules"
    assert [one.rule.id for one in pack.rules] == ["ACT901"]
    assert pack.rules[0].source.data["condition"]["for"] == 3
    assert [path.name for path in pack.tests] == ["two.yaml"]
    templates = tmp_path / "a" / "templates"
    assert pack.brand == Brand("acme-rules", "1.2.0", "Acme Training Standards", SVG.encode(), templates)


def test_pack_stands_for_the_built_in_rules(tmp_path: Path):
    """As `rules` it is instead of them; its rows come after the built-in ones, in whose order its rules stand."""
    rule = RULE.replace("ACT901", "ACT900").replace("act.std-range", "acme.seed")
    folder = make_pack(tmp_path / "a", files={"checklist.yaml": ROWS, "rules/sub/ACT900-y.yml": rule})
    checklist = load_checklist(folder)
    assert [rule.id for rule in checklist.rules] == ["ACT901", "ACT900"]
    assert [title for title, _ in checklist.chapters][-2:] == ["Tracking", "House rules"]
    assert checklist.sources["A"] == "Acme handbook"
    assert checklist.origin("ACT900") == Origin("acme-rules", "acme-rules", None, "a/rules/sub/ACT900-y.yml")
    assert [brand.name for brand in checklist.packs] == ["acme-rules"]
    assert checklist.profile is None


def test_folder_without_a_manifest_is_a_pack_by_its_own_name(tmp_path: Path):
    """Rule files may lie in it directly; its tests, and what is hidden, are no rules."""
    folder = write_rules(tmp_path / "mine", {"ACT901-x.yaml": RULE})
    for hidden in ("tests", ".github"):
        write_rules(folder / hidden, {"x.yaml": "run: {}"})
    checklist = load_checklist(folder)
    assert checklist.packs == (Brand("mine"),)
    assert checklist.origin("ACT901") == Origin("mine", "mine", None, "mine/ACT901-x.yaml")


def test_built_in_rules_are_a_pack_too():
    """By their name; they are the rules in force where nothing else is asked for, and have no brand."""
    pack = find_pack("built-in")
    checklist = load_checklist()
    assert sorted(one.rule.id for one in pack.rules) == sorted(rule.id for rule in checklist.rules)
    assert (checklist.packs, checklist.origin("ACT001"), checklist.origins) == ((), Origin(), {})
    assert load_checklist() is checklist


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: acme-rules", "name: Acme", ["1:1 name: String should match pattern '^[a-z0-9]+(-[a-z0-9]+)*$'"]),
        ("name: acme-rules", "name: built-in", ["1:1 name: 'built-in' is the name of tfhealth's own rules"]),
        ("version", "verison", [
            "1:1 version: key 'version' is required",
            "2:1 verison: unknown key 'verison'; legal: name, version, requires, title, logo, templates; "
            "did you mean 'version'?",
        ]),
        ('"1.2.0"', "1.2", ["2:1 version: Input should be a valid string"]),
        (">=0.1", ">=99", ["3:1 requires: the pack needs tfhealth >=99, this is 0.1.0"]),
        (">=0.1", "new", ["3:1 requires: 'new' names no versions; write '>=0.1' or '>=0.1,<2'"]),
        ("logo.svg", "../logo.svg", ["5:1 logo: '../logo.svg' is not inside the pack"]),
        ("logo.svg", "/etc/passwd", ["5:1 logo: '/etc/passwd' is not inside the pack"]),
        ("logo.svg", "loga.svg", ["5:1 logo: 'loga.svg' is no file of the pack"]),
        ("logo.svg", "pack.yaml", ["5:1 logo: 'pack.yaml' is neither an .svg nor a .png"]),
        ("logo.svg", "text.svg", ["5:1 logo: 'text.svg' is no SVG picture without a DOCTYPE"]),
        ("logo.svg", "bomb.svg", ["5:1 logo: 'bomb.svg' is no SVG picture without a DOCTYPE"]),
        ("logo.svg", "text.png", ["5:1 logo: 'text.png' is no PNG picture"]),
        ("logo.svg", "huge.svg", ["5:1 logo: 'huge.svg' has 100005 bytes; at most 100000 are read"]),
        ("logo.svg", '"a\\0b.svg"', ["5:1 logo: 'a\\x00b.svg' is not inside the pack"]),
        ("logo.svg", "a" * 300 + ".svg", [f"5:1 logo: '{'a' * 300}.svg' cannot be read: File name too long"]),
        ("templates: t", "templates: ../t", ["6:1 templates: '../templates' is not inside the pack"]),
        ("templates: t", "templates: r", ["6:1 templates: 'remplates' is no folder of the pack"]),
        ("templates: templates", "templates: rules", [
            "6:1 templates: 'ACT901-x.yaml' is no template; legal: header.html.j2, footer.html.j2, style.css, "
            "report.html.j2, chapter-NAME.html.j2",
        ]),
        ("templates: templates", "templates: looks", [
            "6:1 templates: 'chapter-NAME.html.j2' is no template; legal: header.html.j2, footer.html.j2, style.css, "
            "report.html.j2, chapter-NAME.html.j2",
        ]),
        ("title: Acme", "title: {}\n# ", ["4:1 title: Input should be a valid string"]),
        ("name: acme-rules\n", "", ["1:1 name: key 'name' is required"]),
        (MANIFEST, "- x", ["1:1: must be a mapping of keys, is a list"]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_fault_in_a_manifest_points_at_its_place(tmp_path: Path, old: str, new: str, expected: list[str]):
    """Every key, the versions it asks for, and the files it names, which lie in the pack."""
    assert MANIFEST.count(old) == 1
    files = {
        "text.svg": "no picture",
        "text.png": "no picture",
        "bomb.svg": '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg/>',
        "huge.svg": "<svg>" + "x" * 100_000,
        "looks/chapter-NAME.html.j2": "",
    }
    folder = make_pack(tmp_path / "a", MANIFEST.replace(old, new), files)
    assert faults(folder) == [f"a/pack.yaml:{one}" for one in expected]


def test_png_is_a_logo_too(tmp_path: Path):
    """Its bytes are kept as they are."""
    folder = make_pack(tmp_path / "a", MANIFEST.replace(".svg", ".png"))
    (folder / "logo.png").write_bytes(PNG)
    assert find_pack(folder).brand.logo == PNG


def test_links_do_not_lead_out_of_a_pack(tmp_path: Path):
    """Not as a rule, a logo, a template, a folder of templates, or in a circle."""
    write_rules(tmp_path / "out", {"ACT902-y.yaml": RULE.replace("ACT901", "ACT902"), "logo.svg": SVG, "style.css": ""})
    folder = make_pack(tmp_path / "a")
    (folder / "rules" / "ACT902-y.yaml").symlink_to(tmp_path / "out" / "ACT902-y.yaml")
    (folder / "rules" / "ACT903-z.yaml").symlink_to(folder / "rules" / "ACT903-z.yaml")
    (folder / "templates" / "style.css").symlink_to(tmp_path / "out" / "style.css")
    (folder / "logo.svg").unlink()
    (folder / "logo.svg").symlink_to(tmp_path / "out" / "logo.svg")
    assert faults(folder) == [
        "a/pack.yaml:5:1 logo: 'logo.svg' is not inside the pack",
        "a/pack.yaml:6:1 templates: 'templates/style.css' is not inside the pack",
        "a/rules/ACT902-y.yaml:1:1: is a link that leads out of the pack",
        "a/rules/ACT903-z.yaml:1:1: is a link that leads out of the pack",
    ]
    other = make_pack(tmp_path / "b", MANIFEST.replace("templates: templates", "templates: linked"))
    (other / "linked").symlink_to(tmp_path / "out")
    assert faults(other) == ["b/pack.yaml:6:1 templates: 'linked' is not inside the pack"]


def test_links_inside_a_pack_are_followed(tmp_path: Path):
    """What matters is where a file is in the end; the pack itself may be reached by a link."""
    folder = make_pack(tmp_path / "a", MANIFEST.replace("logo.svg", "linked.svg"))
    (folder / "linked.svg").symlink_to(folder / "logo.svg")
    (tmp_path / "other").symlink_to(folder)
    assert find_pack(tmp_path / "other").brand.logo == SVG.encode()


def test_pack_has_at_most_a_thousand_rules(tmp_path: Path):
    """They are counted before any is read."""
    folder = tmp_path / "many"
    write_rules(folder, {f"ACT{number:03}-x.yaml": "[" for number in range(1001)})
    assert faults(folder) == ["many:1:1: has more than 1000 rule files"]


def test_rules_of_a_pack_have_a_size(tmp_path: Path):
    """Small files may be too many together, and one file is not read where it is far too large."""
    text = "#" * 199_000
    folder = write_rules(tmp_path / "large", {f"ACT{number:03}-x.yaml": text for number in range(51)})
    assert faults(folder) == ["large:1:1: has rule files of more than 10000000 bytes"]
    one = write_rules(tmp_path / "one", {"ACT901-x.yaml": RULE.replace("Signals fade.", "x" * 9_000_000)})
    assert faults(one) == ["one/ACT901-x.yaml:1:1: has 9000374 bytes; at most 200000 characters are read"]


def test_pack_without_rules_is_wrong_use(tmp_path: Path):
    """Rule files beside the manifest, where a plain folder has them, are not seen."""
    folder = make_pack(tmp_path / "a")
    (folder / "rules" / "ACT901-x.yaml").rename(folder / "ACT901-x.yaml")
    with pytest.raises(UsageError) as caught:
        load_checklist(folder)
    assert str(caught.value) == f"{folder}: has no rule file (*.yaml) in its folder rules."


def test_rows_of_a_pack_are_new(tmp_path: Path):
    """A row that is there already is a fault where it stands, as is an abbreviation with another meaning."""
    rows = ROWS.replace("acme.seed", "act.std-range").replace("A: Acme", "S: Acme")
    folder = make_pack(tmp_path / "a", files={"checklist.yaml": rows})
    with pytest.raises(RuleError) as caught:
        load_checklist(folder)
    first, second = caught.value.faults
    assert str(first).startswith("a/checklist.yaml:1:11 sources.S: 'S' stands for 'Govind Chandrasekhar, ")
    assert str(second) == "a/checklist.yaml:5:6 chapters.0.items.0.id: 'act.std-range' is a row already"


def test_groups_of_causes_of_a_pack_are_new(tmp_path: Path):
    """Its rules may name its own groups and the built-in ones, whose names are taken."""
    rule = RULE.replace("examples:", "explained_by: [house, large-rate]\nexamples:")
    files = {"checklist.yaml": f"{ROWS}causes: {{house: [acme.seed]}}\n", "rules/ACT901-x.yaml": rule}
    checklist = load_checklist(make_pack(tmp_path / "a", files=files))
    assert checklist.causes_of(checklist.rules[0]) == ("acme.seed", "OPT001", "OPT002", "OPT003", "OPT004", "OPT019")
    files["checklist.yaml"] = files["checklist.yaml"].replace("house", "large-rate")
    with pytest.raises(RuleError) as caught:
        load_checklist(make_pack(tmp_path / "b", files=files))
    assert [str(fault) for fault in caught.value.faults] == [
        "b/checklist.yaml:6:10 causes.large-rate: 'large-rate' is a group of causes already",
        "b/rules/ACT901-x.yaml:12:16 explained_by.0: 'house' is no group of causes",
    ]


def test_broken_rows_are_the_only_fault(tmp_path: Path):
    """Rules keyed to rows that could not be read are not blamed for it."""
    rule = RULE.replace("act.std-range", "acme.seed")
    files = {"checklist.yaml": ROWS.replace("[fit]", "[fit"), "rules/ACT901-x.yaml": rule}
    folder = make_pack(tmp_path / "a", files=files)
    with pytest.raises(RuleError) as caught:
        load_checklist(folder)
    assert [fault.file for fault in caught.value.faults] == ["a/checklist.yaml"]


def test_installed_pack_is_found_and_not_imported(site: Path):
    """Through its entry point, by name, in a package whose code would fail."""
    make_pack(site / "acme_rules", files={"__init__.py": "raise SystemExit('imported')"})
    install(site, "acme-rules = acme_rules")
    assert [(one.name, one.package, one.wheel) for one in installed_packs()] == [
        ("acme-rules", "acme_rules", "acme-wheel 1.2.0")
    ]
    assert [rule.id for rule in load_checklist("acme-rules").rules] == ["ACT901"]
    assert find_pack("acme-rules").folder == site / "acme_rules"
    assert "acme_rules" not in sys.modules


def test_folder_comes_before_an_installed_pack(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A name that is both is the folder, as for every tool that takes a path."""
    make_pack(site / "acme_rules")
    install(site, "acme-rules = acme_rules")
    write_rules(tmp_path / "acme-rules", {"ACT902-x.yaml": RULE.replace("ACT901", "ACT902")})
    monkeypatch.chdir(tmp_path)
    assert [rule.id for rule in load_checklist("acme-rules").rules] == ["ACT902"]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("acme_rules.sub", "its entry point must name a top-level package, not 'acme_rules.sub'"),
        ("acme_rules:PACK", "its entry point must name a top-level package, not 'acme_rules:PACK'"),
        ("acme_other", "there is no file pack.yaml in a package 'acme_other'"),
        ("acme_module", "there is no file pack.yaml in a package 'acme_module'"),
        ("json", "there is no file pack.yaml in a package 'json'"),
        ("__main__", "its package '__main__' cannot be found: __main__.__spec__ is None"),
    ],
)
def test_entry_point_that_names_no_pack(site: Path, point: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    """Only the folder of a top-level package is looked at: anything else would have to be imported."""
    make_pack(site / "acme_rules", files={"__init__.py": "raise SystemExit('imported')"})
    (site / "acme_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    install(site, f"acme-rules = {point}")
    with pytest.raises(UsageError) as caught:
        load_checklist("acme-rules")
    assert str(caught.value) == f"the installed pack 'acme-rules' (acme-wheel 1.2.0) cannot be used: {expected}"


def test_pack_that_is_not_installed(site: Path):
    """The error names those that are, and the nearest."""
    install(site, "acme-rules = acme_rules")
    with pytest.raises(UsageError) as caught:
        load_checklist("acme-rule")
    expected = "'acme-rule' is neither a folder of rules nor an installed pack; installed: built-in, acme-rules"
    assert str(caught.value) == f"{expected}; did you mean 'acme-rules'?"


def test_name_belongs_to_one_wheel_and_one_pack(site: Path):
    """Two wheels with one name, and an entry point with another name than its pack."""
    make_pack(site / "acme_rules")
    install(site, "other-rules = acme_rules\nacme-rules = acme_rules")
    with pytest.raises(UsageError) as caught:
        find_pack("other-rules")
    assert (
        str(caught.value) == "acme-wheel 1.2.0 declares a pack 'other-rules', but its pack.yaml names it 'acme-rules'"
    )
    install(site, "acme-rules = acme_rules", "acme-twin", "2")
    with pytest.raises(UsageError) as caught:
        find_pack("acme-rules")
    assert str(caught.value) == "the pack 'acme-rules' is in several wheels: acme-twin 2, acme-wheel 1.2.0"


def test_wheel_that_needs_a_newer_tfhealth(site: Path):
    """It is said at the word, and its rules are looked at all the same."""
    manifest = MANIFEST.replace(">=0.1", ">=99")
    make_pack(site / "acme_rules", manifest, {"rules/ACT902-x.yaml": "id: ACT902"})
    install(site, "acme-rules = acme_rules")
    with pytest.raises(RuleError) as caught:
        load_checklist("acme-rules")
    first, *others = caught.value.faults
    assert str(first) == "acme_rules/pack.yaml:3:1 requires: the pack needs tfhealth >=99, this is 0.1.0"
    assert {fault.file for fault in others} == {"acme_rules/rules/ACT902-x.yaml"}


KEYS = st.sampled_from(["name", "version", "requires", "title", "logo", "templates", "other"])
VALUES = st.sampled_from([
    "acme", "../..", "/", ".", "rules", "logo.svg", "'>=0.1,<0.2'", "'=='", "'>=0.1;python'", "[]", "{}", "null",
    "1", "1e999", "true", "'{x}'", '"\\0"', "'" + "a/" * 190 + "'", "~", "'*'", "rules/ACT901-x.yaml", "pack.yaml",
])  # fmt: skip


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=7))
def test_whatever_a_manifest_says_it_is_a_pack_or_faults_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, str]
):
    """Any values in any keys: a checklist, or faults that have a place, and nothing else."""
    folder = make_pack(tmp_path_factory.mktemp("fuzz"), "".join(f"{key}: {value}\n" for key, value in data.items()))
    try:
        found: Checklist | RuleError = load_checklist(folder)
    except RuleError as error:
        found = error
    if isinstance(found, RuleError):
        assert all(1 <= fault.line <= len(data) + 1 and fault.column >= 1 for fault in found.faults)


FROZEN = Path(__file__).parent / "frozen" / "rules-1"


def test_rules_of_format_1_are_read_as_they_were_written():
    """A frozen copy of the first rules loads, and each rule decides its own examples as it did then."""
    checklist = load_checklist(FROZEN)
    assert (len(checklist.rules), len(checklist.items)) == (40, 75)
    wrong = [
        (rule.id, example.values or example.value)
        for rule in checklist.rules
        for example in rule.examples
        for decision in [decide_example(rule, example)]
        if decision.verdict != example.verdict
        or (example.severity is not None and decision.severity != example.severity)
        or (example.step is not None and decision.breaches[0][1].step != example.step)
    ]
    assert wrong == []


def test_frozen_rules_are_never_edited():
    """What is held against every later version is what was written then, byte for byte."""
    digest = hashlib.sha256()
    for path in sorted(FROZEN.rglob("*.yaml")):
        digest.update(path.relative_to(FROZEN).as_posix().encode() + b"\0" + path.read_bytes())
    assert digest.hexdigest() == "a0b8ec2b4e62a2b2b19e69803fe23f87bd9888d47091d81b9477a55bce4b6cf4"
