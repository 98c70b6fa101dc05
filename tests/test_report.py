"""The report: its order, its escaping, its bytes, and what it does when something is missing."""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import RULE, write_rules
from tfhealth.diagnosis import evaluate
from tfhealth.errors import UsageError
from tfhealth.recorder import Recorder
from tfhealth.report import write_report
from tfhealth.report.chart import Line, Lines, thin
from tfhealth.report.document import FindingPart, Report
from tfhealth.report.drawing import draw
from tfhealth.report.findings import arrange
from tfhealth.report.formats import FORMATS, page
from tfhealth.report.limits import Form
from tfhealth.report.pdf import fetcher, to_pdf
from tfhealth.report.silence import snippet
from tfhealth.report.view import view
from tfhealth.result import Result
from tfhealth.rules import Checklist, load_checklist
from tfhealth.rules.checklist import Brand, Origin, Suppression
from tfhealth.run import Run
from tfhealth.series import Probe, Site

TODAY = date(2026, 7, 14)
GOLD = Path(__file__).parent / "gold" / "report.txt"
LAYERS = ["dense", "dense_1", "dense_2", "dense_3"]

STEPS = np.unique(np.geomspace(1, 4000, 150).astype(np.int64)) - 1


def record(folder: Path | None, layers: list[str], steps: np.ndarray = STEPS, broken: bool = False) -> Run:
    """Record a training of dense layers that learns, explodes and ends in NaN; `broken` makes every value NaN."""
    recorder = Recorder(folder)
    recorder.meta(name="mnist-mlp", started="2025-03-01T09:30:00+00:00", ended="2025-03-01T09:41:12+00:00")
    facts = {
        "model": {"name": "mlp", "class": "Sequential", "layers": len(layers), "parameters": 534_282},
        "optimizer": {"class": "Adam", "name": "adam", "learning_rate": 0.03, "beta_1": 0.9, "epsilon": 1e-7},
        "fit": {"epochs": 10, "steps_per_epoch": 400, "jit_compile": False, "initial_step": 0},
        "versions": {"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.2.0"},
        "tracking": {"unrecorded": 0},
    }
    for name, attributes in facts.items():
        recorder.site(Site("fact", name), attributes)
    columns = _columns(layers, steps)
    for place, (probe, attributes) in enumerate({probe.site: a for probe, (a, _) in columns.items()}.items()):
        recorder.site(probe, attributes, place)
    if len(steps):
        values = np.array([series for _, series in columns.values()]).T
        recorder.append(recorder.layout(list(columns)), steps, np.full(values.shape, np.nan) if broken else values)
        for epoch in range(10):
            loss = 2.3 * 0.75**epoch if epoch < 7 else float("nan")
            recorder.epoch(epoch, 400 * (epoch + 1), {"loss": loss, "val_loss": loss * 1.1, "accuracy": 0.8})
    recorder.note("weight.kurtosis", "the device lacks an operation for it")
    recorder.finish("completed")
    recorder.meta(started="2025-03-01T09:30:00+00:00", ended="2025-03-01T09:41:12+00:00")
    run = recorder.snapshot()
    recorder.close()
    return run


def _columns(layers: list[str], steps: np.ndarray) -> dict[Probe, tuple[dict, np.ndarray]]:
    """Return {probe: (attributes of its site, values)}."""
    noise = np.random.default_rng(7)
    jitter = lambda: np.exp(noise.normal(0, 0.1, len(steps)))  # noqa: E731
    late = np.clip((steps - 2500) / 500, 0, None)
    loss = 2.3 * np.exp(-steps / 900) * jitter() + 10 ** np.clip(late * 8 - 3, -3, 30)
    loss[steps > 3600] = np.nan
    site = Site("loss", "batch")
    one = np.ones(len(steps))
    found = {
        Probe(site, "data"): ({}, loss),
        Probe(site, "total"): ({}, loss * 1.02),
        Probe(site, "regularization"): ({}, loss * 0.02),
        Probe(site, "nonfinite"): ({}, np.isnan(loss) * 1.0),
        Probe(site, "chance"): ({}, one * 2.303),
        Probe(Site("input", layers[0]), "mean"): ({"layer": "Dense"}, 33.3 * jitter()),
        Probe(Site("input", layers[0]), "std"): ({"layer": "Dense"}, 78.6 * jitter()),
    }
    for place, name in enumerate(layers):
        depth, last = place % 50, place == len(layers) - 1  # no float holds what thousands of layers would shrink to
        dense = {"layer": "Dense", "activation": "softmax" if last else "relu", "output": last, "units": 64}
        dense |= {"weighted": True, "recurrent": False}
        kernel = {
            "layer": "Dense",
            "role": "kernel",
            "output": last,
            "trainable": True,
            "parameters": 4096,
            "units": 64,
        }
        growth = 10 ** np.clip(late * 6, 0, 30)
        activation, path = Site("activation", name), f"{name}/kernel"
        gradient = 0.4 * 0.62**depth * jitter() * growth
        gradient[steps > 3600] = np.nan
        found |= {
            Probe(activation, "std"): (dense, 1.1 * 0.7**depth * jitter() * growth),
            Probe(activation, "mean"): (dense, 0.3 * 0.7**depth * jitter()),
            Probe(activation, "nonfinite"): (dense, np.zeros(len(steps))),
            Probe(activation, "dead_fraction"): (dense, np.clip(0.05 * depth + steps / 9000, 0, 0.97)),
            Probe(Site("gradient", path), "norm"): (kernel | {"connected": True}, gradient),
            Probe(Site("gradient", path), "nonfinite"): (kernel | {"connected": True}, np.isnan(gradient) * 1.0),
            Probe(Site("weight", path), "norm"): (kernel, (8 + depth) * jitter() * growth**0.1),
            Probe(Site("weight", path), "std"): (kernel, 0.05 * one),
            Probe(Site("weight", path), "nonfinite"): (kernel, 0.0 * one),
            Probe(Site("update", path), "norm"): (kernel, 8e-3 * 2.0 ** (depth / 2) * jitter() * growth**0.3),
        }
        if not last:
            bias = kernel | {"role": "bias"}
            found[Probe(Site("gradient", f"{name}/bias"), "norm")] = (bias, gradient * 0.1)
    return found


ROWS = """
sources: {V: "an article"}
chapters:
  - title: Activations
    items:
      - {id: act.spread, asks: "Is the spread near one?", sources: [V1], how: [fit]}
      - {id: act.dead, asks: "Do the units fire?", sources: [V2], how: [fit]}
  - title: Everything else
    items:
      - {id: loss.finite, asks: "Is the loss a number?", sources: [V3], how: [fit]}
      - {id: data.missing, asks: "Was it measured?", sources: [V4], how: [fit]}
      - {id: data.person, asks: "Do you like it?", sources: [V5], how: [guide], guide: "Look at `x` for yourself."}
"""
RULES = {
    "ACT901": """
title: Spread far from one
checklist: act.spread
measure: {site: activation, statistic: std, where: {output: false}}
condition: {for: 3, warning: {outside: [0.5, 2]}, error: {outside: [0.1, 10]}}
message: "The output of {site} had a spread of {value:.2g} from step {step} on."
why: Signals fade.
advice: "Normalize {site}. See [the article](https://example.org/a)."
references: [V1]
explained_by: [loss.finite]
examples: [{values: "1x9", verdict: pass}, {values: "0.3x9", verdict: warn}]
""",
    "ACT902": """
title: Units that never fire
checklist: act.dead
measure: {site: activation, statistic: dead_fraction, where: {output: false}}
condition: {error: {look: maximum, above: 0.4}}
message: "{value:.0%} of the units of {site} are dead."
why: They do not learn.
advice: Lower the learning rate.
references: [a book]
explained_by: [act.spread]
examples: [{values: "0x9", verdict: pass}, {values: "1x9", verdict: fail}]
""",
    "LOSS901": """
title: Loss that is no number
checklist: loss.finite
measure: {site: loss, statistic: data}
condition: {critical: {nonfinite: true}}
message: "The loss was NaN or Inf from step {step} on."
why: Nothing can be learned from it.
advice: Clip.
references: [V3]
examples: [{values: "1x9", verdict: pass}, {values: "1x3 nan", verdict: fail}]
""",
    "DATA901": """
title: Wide inputs
checklist: data.missing
measure: {site: input, statistic: maximum}
condition: {warning: {above: 3}}
message: "The inputs reach {value:.3g}."
why: Large.
advice: Scale.
references: [V4]
examples: [{values: "1x9", verdict: pass}, {values: "9x9", verdict: warn}]
""",
}


@pytest.fixture(scope="module")
def checklist(tmp_path_factory: pytest.TempPathFactory) -> Checklist:
    return rules_in(tmp_path_factory.mktemp("packs") / "house-rules", RULES)


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return record(tmp_path_factory.mktemp("runs") / "sick", LAYERS)


@pytest.fixture(scope="module")
def result(checklist: Checklist, sick: Run) -> Result:
    found = evaluate(checklist, sick)
    by_rule = {finding.rule: finding for finding in found.findings}
    # A chain, its end before its middle: the report has to bring it into order.
    causes = {"LOSS901": [], "ACT902": ["ACT901"], "ACT901": ["LOSS901"]}
    findings = [by_rule[rule].model_copy(update={"explained_by": names}) for rule, names in causes.items()]
    sentence = f"Sick: {findings[0].message.rstrip('.')} (2 more findings)."
    return found.model_copy(update={"findings": findings, "sentence": sentence})


@pytest.fixture(scope="module")
def html(result: Result, sick: Run, checklist: Checklist) -> str:
    return page(view(result, sick, checklist, TODAY))


@pytest.fixture(scope="module")
def pdf(html: str) -> bytes:
    return to_pdf(html)


def rules_in(folder: Path, rules: dict[str, str]) -> Checklist:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checklist.yaml").write_text(ROWS)
    for name, text in rules.items():
        (folder / f"{name}.yaml").write_text(f"id: {name}{text}")
    return load_checklist(folder)


class Seen(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags[-1][0] != "style":
            self.words.append(" ".join(data.split()))

    def all(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.tags if attribute in attrs]


def test_sections_stand_in_the_order_of_the_design(html: str) -> None:
    """Verdict, findings, what could not be judged, pictures, checklist, how to reproduce."""
    expected = ["verdict", "findings", "unjudged", "pictures", "checklist", "reproduce"]
    assert expected == re.findall(r'<section id="(\w+)"', html)
    headings = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))


def test_the_page_reads_as_the_gold_file_does(result: Result, html: str) -> None:
    """All words of the page, versions and paths scrubbed; TFHEALTH_GOLD=write takes the new ones for right."""
    text = "\n".join(Seen(html).words) + "\n"
    actual = text.replace(result.run.path or "", "RUN").replace(f"tfhealth {result.tfhealth}", "tfhealth VERSION")
    if os.environ.get("TFHEALTH_GOLD") == "write":
        GOLD.parent.mkdir(exist_ok=True)
        GOLD.write_text(actual, "utf-8")
    assert GOLD.read_text("utf-8") == actual


def test_a_consequence_stands_below_its_cause(result: Result, sick: Run, checklist: Checklist) -> None:
    """Causes lead to causes: all that follows from one finding stands below the last of the chain."""
    report = view(result, sick, checklist)
    assert [one.number for one in report.findings] == [1]
    assert report.findings[0].rule == "LOSS901"
    below = [(one.number, one.rule, one.follows_from) for one in report.findings[0].consequences]
    expected = [
        (2, "ACT901", "Probably follows from finding 1."),
        (3, "ACT902", "Probably follows from finding 2."),
    ]
    assert expected == below


def test_findings_that_explain_each_other_are_all_shown(result: Result) -> None:
    """A circle of causes loses no finding: the first of it leads."""
    first, second = result.findings[:2]
    circle = [
        first.model_copy(update={"explained_by": [second.rule]}),
        second.model_copy(update={"explained_by": [first.rule]}),
    ]
    expected = [(1, first.rule, None), (2, second.rule, first.rule)]
    assert expected == [(one.number, one.finding.rule, one.cause) for one in arrange(circle)]


def test_a_finding_tells_value_limit_owner_place_and_step(result: Result, sick: Run, checklist: Checklist) -> None:
    """Everything that a person needs to believe a finding, in final words."""
    facts = {pair.name: pair.value for pair in view(result, sick, checklist).findings[0].consequences[0].facts}
    assert facts["Breach"] == "outside 0.1 to 10 for 3 probes in a row (limit set by house-rules)"
    assert facts["Where"] == "activation dense, and 2 more sites"
    assert {"Value", "Breach", "Where", "Since", "Severity"} == set(facts)


PROFILE = """
name: acme
set: {ACT901: {condition: {warning: {outside: [0.4, 3]}, error: {outside: [0.05, 20]}}}}
"""


@pytest.mark.parametrize(
    ("rule", "profile", "expected"),
    [
        ("LOSS901", {}, "NaN or Inf (limit set by house-rules)"),
        (
            "ACT901",
            {"set": {"ACT901": {"condition": {"error": {"outside": [0.05, 20]}}}}},
            "outside 0.05 to 20 for 3 probes in a row (limit set by acme; house-rules: "
            "outside 0.1 to 10 for 3 probes in a row)",
        ),
        (
            "ACT902",
            {"set": {"ACT902": {"condition": {"error": {"below": 0.6}}}}},
            "largest value below 0.6 (limit set by acme; house-rules: largest value above 0.4)",
        ),
        (
            "ACT902",
            {"set": {"ACT902": {"severity": "critical"}}},
            "largest value above 0.4 (limit set by acme; house-rules: largest value above 0.4 at error)",
        ),
        (
            "ACT902",
            {"set": {"ACT902": {"quantify": "all"}}},
            "largest value above 0.4 (limit set by acme; house-rules: the same)",
        ),
        (
            "ACT902",
            {"overrides": [{"match": "dense*", "set": {"ACT902": {"condition": {"error": {"above": 0.3}}}}}]},
            "largest value above 0.3 (limit set by acme; house-rules: largest value above 0.4)",
        ),
        (
            "ACT902",
            {"overrides": [{"match": "conv", "set": {"ACT902": {"condition": {"error": {"above": 0.3}}}}}]},
            "largest value above 0.4 (limit set by house-rules)",
        ),
    ],
)
def test_a_limit_names_who_set_it_and_what_it_was(
    sick: Run, tmp_path: Path, rule: str, profile: dict, expected: str
) -> None:
    """The pack's own limit stands beside the one in force, in the same words, also where only some layers differ."""
    checklist = load_checklist(write(tmp_path / "house-rules"), {"name": "acme", **profile})
    assert facts_of(view(evaluate(checklist, sick), sick, checklist), rule)["Breach"] == expected


def test_built_in_limits_are_called_so(sick: Run) -> None:
    """Without a profile there is no second limit; with one, the first is that of the built-in rule."""
    for profile, expected in (
        ({}, "above 0.5 (built-in limit)"),
        (
            {"name": "acme", "set": {"GRAD005": {"condition": {"critical": {"above": 0.9}}}}},
            "above 0.9 (limit set by acme; built-in: above 0.5)",
        ),
    ):
        checklist = load_checklist(profile=profile)
        assert facts_of(view(evaluate(checklist, sick), sick, checklist), "GRAD005")["Breach"] == expected


def write(folder: Path) -> Path:
    """Write the rules of this file into a folder; return it."""
    rules_in(folder, RULES)
    return folder


def facts_of(report: Report, rule: str) -> dict[str, str]:
    """Return the facts of the finding of a rule."""
    found = next(one for one in parts_of(report) if one.rule == rule)
    return {pair.name: pair.value for pair in found.facts}


def parts_of(report: Report) -> list[FindingPart]:
    """Return every finding of a report, consequences too."""
    return [part for one in report.findings for part in (one, *one.consequences)]


@pytest.mark.parametrize("rule", ["LOSS901", "ACT901", "ACT902"])
def test_the_snippet_silences_exactly_its_finding(sick: Run, tmp_path: Path, rule: str) -> None:
    """Saved as it stands it is a profile; by it the finding is accepted and no other is."""
    folder = write(tmp_path / "house-rules")
    checklist = load_checklist(folder)
    before = evaluate(checklist, sick)
    part = next(one for one in parts_of(view(before, sick, checklist)) if one.rule == rule)
    (tmp_path / "my-profile.yaml").write_text(part.snippet, "utf-8")
    after = evaluate(load_checklist(folder, tmp_path / "my-profile.yaml"), sick)
    assert [one.rule for one in before.findings if one.rule != rule] == [one.rule for one in after.findings]
    assert [one.finding.rule for one in after.suppressed] == [rule] * len(after.suppressed) != []
    assert {site for one in after.suppressed for site in one.finding.sites} == {
        site for one in before.findings if one.rule == rule for site in one.sites
    }
    assert after.warnings == []
    assert part.command == f"tfhealth evaluate {sick.path} --rules house-rules --profile my-profile.yaml"


@pytest.mark.parametrize(
    ("profile", "limit"),
    [
        ({}, "above: 0.4"),
        (
            {"overrides": [{"match": "dense*", "set": {"ACT902": {"condition": {"error": {"above": 0.3}}}}}]},
            "above: 0.3",
        ),
    ],
    ids=["everywhere", "at some layers"],
)
def test_the_snippet_shows_how_to_move_the_limit(sick: Run, tmp_path: Path, profile: dict, limit: str) -> None:
    """Without its comment signs, and with a number of one's own, the second half silences the finding as well."""
    folder = write(tmp_path / "house-rules")
    checklist = load_checklist(folder, profile)
    part = next(one for one in parts_of(view(evaluate(checklist, sick), sick, checklist)) if one.rule == "ACT902")
    comment = part.snippet.partition("# or instead, with a limit of your own:\n")[2]
    assert limit in comment
    moved = "\n".join(line.removeprefix("# ") for line in comment.replace(limit, "above: 0.99").splitlines())
    (tmp_path / "my-profile.yaml").write_text(moved, "utf-8")
    found = [one.rule for one in evaluate(load_checklist(folder, tmp_path / "my-profile.yaml"), sick).findings]
    assert "ACT902" not in found
    assert "LOSS901" in found


def test_a_snippet_extends_the_profile_in_force(sick: Run, tmp_path: Path) -> None:
    """What acme says stays in force under the new profile."""
    folder = write(tmp_path / "house-rules")
    (tmp_path / "acme.yaml").write_text(PROFILE)
    checklist = load_checklist(folder, tmp_path / "acme.yaml")
    part = next(one for one in parts_of(view(evaluate(checklist, sick), sick, checklist)) if one.rule == "ACT902")
    assert part.snippet.startswith("extends: [./acme.yaml]\nsuppress:\n")
    assert part.command == f"tfhealth evaluate {sick.path} --profile my-profile.yaml"
    (tmp_path / "my-profile.yaml").write_text(part.snippet, "utf-8")
    found = evaluate(load_checklist(folder, tmp_path / "my-profile.yaml"), sick)
    assert {one.rule: one.limits_set_by for one in found.findings} == {"ACT901": "acme", "LOSS901": "house-rules"}
    assert {one.finding.rule for one in found.suppressed} == {"ACT902"}


NAMES = [
    "a*b",
    "a[1]",
    "x?",
    "*",
    "**",
    "a b: {c}",
    "层/核",
    "'\"\\",
    "\u202eabc",
    "😀",
    "#1",
    "yes",
    "a/b#2",
    "tab\there",
]


def test_a_snippet_fits_any_name(checklist: Checklist, tmp_path: Path) -> None:
    """Globs, YAML's own signs, text that cannot be seen: what is at this site is accepted, the rest is not."""
    run = record(None, [*NAMES, "last"])
    found = next(one for one in evaluate(checklist, run).findings if one.rule == "ACT901")
    assert {one.name for one in found.sites} == set(NAMES)
    folder = write(tmp_path / "house-rules")
    for name in NAMES:
        alone = found.model_copy(update={"sites": [one for one in found.sites if one.name == name]})
        text = snippet(alone, Form(None), None, date.today())
        (tmp_path / "my-profile.yaml").write_text(text, "utf-8")
        after = evaluate(load_checklist(folder, tmp_path / "my-profile.yaml"), run)
        silent = {site.name for one in after.suppressed for site in one.finding.sites}
        assert silent == ({name} if "match" in text else set(NAMES)), name


def test_a_name_that_no_glob_can_say_is_not_named(result: Result) -> None:
    """The finding is then accepted wherever it is."""
    for name in ("/a", "a" * 81):
        site = result.findings[0].sites[0].model_copy(update={"name": name})
        text = snippet(result.findings[0].model_copy(update={"sites": [site]}), Form(None), None, TODAY)
        assert "match" not in text


@pytest.mark.parametrize(
    ("today", "expected"),
    [(date(2026, 7, 14), "2027-01-31"), (date(2026, 8, 31), "2027-03-31"), (date(2027, 8, 1), "2028-01-31")],
)
def test_a_snippet_expires_at_the_end_of_a_month(result: Result, today: date, expected: str) -> None:
    """About half a year ahead, so that two reports of one month are the same."""
    assert f"expires: {expected}}}" in snippet(result.findings[0], Form(None), None, today)


def test_many_sites_are_accepted_as_one(checklist: Checklist, tmp_path: Path) -> None:
    """More than three sites make one entry for the rule."""
    run = record(None, [f"dense_{i}" for i in range(9)], STEPS[::8])
    found = next(one for one in evaluate(checklist, run).findings if len(one.sites) > 3)
    text = snippet(found, Form(None), None, TODAY)
    expected = (
        f"suppress:\n  - {{rule: {found.rule}, reason: say why this is right for your model, expires: 2027-01-31}}"
    )
    assert text == expected


def test_accepted_findings_stand_apart_with_their_reasons(sick: Run, tmp_path: Path) -> None:
    """Folded, with who accepted them, why and until when; the row of the checklist leads there."""
    profile = {
        "name": "acme",
        "suppress": [{"rule": "ACT902", "match": "dense_1", "reason": "sparse by design", "expires": "2999-01-31"}],
    }
    checklist = load_checklist(write(tmp_path / "house-rules"), profile)
    report = view(evaluate(checklist, sick), sick, checklist)
    (one,) = report.accepted
    facts = {pair.name: pair.value for pair in one.facts}
    assert (one.rule, one.badge.word) == ("ACT902", "suppressed")
    assert facts["Accepted"] == "suppressed by acme"
    assert facts["Because"] == "sparse by design"
    assert facts["Until"] == "2999-01-31"
    assert facts["Where"] == "activation dense_1"
    text = page(report)
    section = text.partition('<section id="accepted"')[2].partition("</section>")[0]
    assert "1 finding that somebody accepted. It does not count for the verdict." in section
    assert section.count('<details id="accepted-1">') == text.count('<a href="#accepted-1">accepted</a>') == 1
    assert "<details open" not in section


def test_without_accepted_findings_nothing_speaks_of_them(html: str) -> None:
    """No empty section, no link to it."""
    assert "accepted" not in html.partition("</style>")[2]


def test_warnings_of_the_profile_stand_at_the_top(sick: Run, tmp_path: Path) -> None:
    """Expired and unused suppressions cannot be overlooked; a great many of them are cut."""
    old = [{"rule": "ACT901", "reason": f"reason {n}", "expires": "2020-01-31"} for n in range(25)]
    checklist = load_checklist(write(tmp_path / "house-rules"), {"name": "acme", "suppress": old})
    report = view(evaluate(checklist, sick), sick, checklist)
    assert "expired on 2020-01-31" in report.notices[0]
    assert report.notices[20:] == ("And 5 more warnings in result.json.",)


def test_the_report_names_profile_and_packs(sick: Run, tmp_path: Path) -> None:
    """With their versions, the built-in one too; where there is no profile, nothing is said of one."""
    folder = tmp_path / "pack"
    write_rules(folder / "rules", {"ACT901-spread.yaml": RULE})
    (folder / "pack.yaml").write_text('name: acme-rules\nversion: "1.2.0"\ntitle: Acme Training Standards\n')
    for rules, profile, expected in (
        (folder, {"name": "acme"}, {"Profile": "acme", "Rule packs": "acme-rules 1.2.0"}),
        (None, {"name": "acme", "extends": [str(folder)]}, {"Profile": "acme", "Rule packs": "acme-rules 1.2.0"}),
        (None, {"name": "acme"}, {"Profile": "acme", "Rule packs": "built-in"}),
        ("built-in", None, {"Rule packs": "built-in"}),
    ):
        checklist = load_checklist(rules, profile)
        report = view(evaluate(checklist, sick), sick, checklist)
        named = {pair.name: pair.value for pair in report.identity if pair.name in ("Profile", "Rule packs")}
        assert named == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"samples": 1437, "batch_size": 32, "validation_samples": 360},
            "1,437 samples, batches of 32, 360 for validation",
        ),
        ({"batches": 45, "validation_share": None}, "45 batches an epoch"),
        ({"samples": 1}, "1 sample"),
        ({}, None),
    ],
)
def test_the_first_screen_tells_the_data(sick: Run, checklist: Checklist, facts: dict, expected: str | None) -> None:
    """How much there was, in which batches, and how much was held out; as far as it is known."""
    run = replace(sick, sites={**sick.sites, Site("fact", "data"): facts})
    report = view(evaluate(checklist, run), run, checklist)
    assert {pair.name: pair.value for pair in report.identity}.get("Data") == expected


def test_limits_that_a_profile_moved_are_listed(sick: Run, tmp_path: Path) -> None:
    """Everywhere or at some layers, beside those of the pack; a sentence alone says that none was moved."""
    asked = {
        "name": "acme",
        "set": {"ACT901": {"condition": {"error": {"outside": [0.05, 20]}}}},
        "overrides": [
            {"match": "dense*", "set": {"ACT902": {"condition": {"error": {"above": 0.3}}}}},
            {"match": "conv", "set": {"ACT902": "off"}},
        ],
    }
    rules = write(tmp_path / "house-rules")
    checklist = load_checklist(rules, asked)
    table = view(evaluate(checklist, sick), sick, checklist).limits
    assert [(row[0], row[3]) for row in table.rows] == [
        ("ACT901", "acme"),
        ("ACT902 at dense*", "acme"),
        ("ACT902 at conv", "acme"),
    ]
    assert "error: outside 0.05 to 20" in table.rows[0][1]
    assert "error: outside 0.1 to 10" in table.rows[0][2]
    assert [row[1] for row in table.rows[1:]] == ["error: largest value above 0.3", "switched off"]
    checklist = load_checklist(rules)
    untouched = view(evaluate(checklist, sick), sick, checklist).limits
    expected = f"All {len(checklist.rules)} rules judge by the limits that their packs set; "
    assert (untouched.rows, untouched.title.partition("`")[0]) == ((), expected)


def test_the_page_loads_and_runs_nothing(html: str) -> None:
    """Self-contained: pictures are data, links stay in the page or lead to the web by a click, no script."""
    seen = Seen(html)
    assert all(source.startswith("data:image/svg+xml,") for source in seen.all("src"))
    assert all(link.startswith(("#", "https://example.org/")) for link in seen.all("href"))
    assert not {tag for tag, _ in seen.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on") or name == "style"]
    policy = next(str(attrs["content"]) for _, attrs in seen.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"@import|url\((?!%23)", html)
    assert len(html) < 1_000_000


def test_every_link_has_its_target_and_every_picture_its_words(html: str) -> None:
    """Anchors exist once each, pictures have alternative texts that name numbers."""
    seen = Seen(html)
    anchors = seen.all("id")
    assert len(set(anchors)) == len(anchors)
    assert {link[1:] for link in seen.all("href") if link.startswith("#")} <= set(anchors)
    texts = seen.all("alt")
    assert len(texts) == len(seen.all("src")) >= 6
    assert all(re.search(r"\d", text) for text in texts)


HOSTILE = [
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "$x^2$_{\\frac",
    "\"'><img src=file:///etc/passwd onerror=x>",
    "\u202egnp.exe\u2066",
    "name" * 125,
    "层/核",
    "\u05e9\u05db\u05d1\u05d4/\u05d2\u05e8\u05e2\u05d9\u05df 2",
]


def test_names_and_texts_are_escaped_everywhere(tmp_path: Path) -> None:
    """Layer names, run name, notes and rule texts with markup, templates, mathtext, direction marks, great length."""
    hostile = '<script>alert(2)</script> {{ 7*7 }} " onload=x $y^2$'
    rules = {
        name: text.replace("title: ", f"title: {hostile!r} # ", 1).replace("why: ", f"why: {hostile!r} # ", 1)
        for name, text in RULES.items()
    }
    checklist = rules_in(tmp_path, rules)
    origins = dict.fromkeys(rules, Origin(HOSTILE[0], HOSTILE[0]))
    accepted = Suppression("ACT902", HOSTILE[0], set_by=HOSTILE[3])
    checklist = replace(
        checklist, origins=origins, packs=(Brand(HOSTILE[3], HOSTILE[1], HOSTILE[0]),), profile=HOSTILE[0]
    )
    run = record(None, HOSTILE)
    run = Run(None, {**run.meta, "name": HOSTILE[3]}, run.sites, run.tables, run.logs, run.notes)
    result = evaluate(replace(checklist, suppressions=(accepted,)), run)
    text = page(view(result, run, checklist))
    seen = Seen(text)
    assert (len(result.findings), len(result.suppressed)) == (2, 1)
    assert not {tag for tag, _ in seen.tags} & {"script"}
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert all(source.startswith("data:") for source in seen.all("src"))
    assert "<script>alert(1)</script>" in " ".join(seen.words)
    assert "{{ 7*7 }}" in " ".join(seen.words)
    isolated = re.compile("\u2068[^\u2066-\u2069]*\u2069")
    assert {f"\u2068{HOSTILE[7].split()[0]}\u2069"} <= set(isolated.findall(text))
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", isolated.sub("", text))
    assert "name" * 25 not in text
    assert to_pdf(text).startswith(b"%PDF-1.7")


def test_texts_of_rules_embed_nothing(tmp_path: Path, sick: Run) -> None:
    """Images and raw HTML in Markdown stay text; links lead to the web or nowhere."""
    advice = (
        "![x](file:///etc/passwd) <img src=file:///etc/passwd> [a](file:///etc/passwd) [b](javascript:alert) "
        "[c](data:text/html,x) <file:///etc/passwd> [d](https://example.org/d) **bold** [e]: file:///etc/passwd"
    )
    rules = {**RULES, "LOSS901": RULES["LOSS901"].replace("advice: Clip.", f"advice: {advice!r}")}
    checklist = rules_in(tmp_path, rules)
    text = page(view(evaluate(checklist, sick), sick, checklist))
    seen = Seen(text)
    links = [link for link in seen.all("href") if not link.startswith("#")]
    assert {"https://example.org/a", "https://example.org/d"} == set(links)
    assert all(source.startswith("data:") for source in seen.all("src"))
    assert "<strong>bold</strong>" in text


def test_the_fetcher_takes_data_and_nothing_else(tmp_path: Path) -> None:
    """No file, no network, whatever the page says."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for url in (secret.as_uri(), "http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "ftp://127.0.0.1:9/x", "FILE:///x"):
        with pytest.raises(ValueError, match="disallowed protocol"):
            fetcher().fetch(url)
    assert fetcher().fetch("data:text/plain,abc").read() == b"abc"


def test_a_page_with_a_file_in_it_yields_a_pdf_without(tmp_path: Path) -> None:
    """The usual fetcher does embed the picture, which proves that ours keeps it out."""
    from pypdf import PdfReader
    from weasyprint import HTML

    picture = tmp_path / "secret.png"
    _png(picture)
    body = f'<html lang="en"><title>t</title><img alt="x" src="{picture.as_uri()}"></html>'
    images = [
        len(PdfReader(io.BytesIO(made)).pages[0].images) for made in (HTML(string=body).write_pdf(), to_pdf(body))
    ]
    assert images == [1, 0]


def _png(path: Path) -> None:
    from matplotlib.image import imsave

    imsave(path, np.zeros((4, 4, 3)))


def test_the_same_run_gives_the_same_bytes(result: Result, sick: Run, checklist: Checklist, html: str) -> None:
    """Nothing in the page depends on chance or on the hash seed, and on the clock only the day that it proposes."""
    assert html == page(view(result, sick, checklist, TODAY))
    chart = Lines((Line("a", np.arange(9), np.arange(9.0)),), "x")
    code = (
        "import numpy as np; from tfhealth.report.chart import *; from tfhealth.report.drawing import draw;"
        "print(draw(Lines((Line('a', np.arange(9), np.arange(9.0)),), 'x')), end='')"
    )
    assert draw(chart) == _python(code, PYTHONHASHSEED="1")


def test_the_user_style_does_not_change_a_chart() -> None:
    """Settings of the user's own matplotlib neither reach a chart nor are lost."""
    import matplotlib as mpl

    chart = Lines((Line("a", np.arange(9), np.arange(9.0)),), "x")
    plain = draw(chart)
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "text.usetex": True}):
        assert plain == draw(chart)
        assert mpl.rcParams["font.size"] == 30


def test_the_pdf_is_tagged_named_and_readable(pdf: bytes, result: Result) -> None:
    """Title, language, tags, bookmarks, page numbers, and the verdict as text."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(pdf))
    root = reader.trailer["/Root"]
    text = " ".join(" ".join(one.extract_text().split()) for one in reader.pages)
    assert reader.metadata is not None
    assert reader.metadata.title == "tfhealth report: mnist-mlp"
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in reader.xmp_metadata.stream.get_data()
    assert len(reader.pages) > 1
    assert result.sentence in text
    assert f"2 / {len(reader.pages)}" in text
    assert "Findings" in [one["/Title"] for one in _flat(reader.outline)]


def _flat(outline: list) -> list:
    return [leaf for one in outline for leaf in (_flat(one) if isinstance(one, list) else [one])]


def test_weasyprint_understands_every_rule_of_the_style(
    html: str, pdf: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged while the PDF is made, and it is the same again, byte for byte."""
    with caplog.at_level("WARNING"):
        assert pdf == to_pdf(html)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("steps", [STEPS[:0], STEPS[:1], STEPS[:2]], ids=["no probe", "one probe", "two probes"])
@pytest.mark.parametrize("broken", [False, True], ids=["numbers", "only NaN"])
def test_short_and_broken_runs_have_a_report(checklist: Checklist, steps: np.ndarray, broken: bool) -> None:
    """No probe at all, one, two, and nothing but NaN."""
    for rules in (checklist, load_checklist()):
        run = record(None, LAYERS, steps, broken)
        text = page(view(evaluate(rules, run), run, rules))
        assert ("no probed step" in text) == (len(steps) == 0)
        assert "<h1>" in text


def test_a_run_of_only_nan_has_a_report(checklist: Checklist) -> None:
    """Every chart of a long run without one finite value."""
    run = record(None, LAYERS, broken=True)
    result = evaluate(checklist, run)
    report = view(result, run, checklist)
    assert {"loss", "metric-1", "gradients", "spread", "updates"} == {picture.name for picture in report.pictures}
    assert "Every value is NaN or Inf." in page(report)


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_an_incomplete_run_says_so_at_the_top(checklist: Checklist, sick: Run, status: str) -> None:
    """Neither an early end nor a damaged file can be overlooked."""
    run = Run(None, {**sick.meta, "status": status}, sick.sites, sick.tables, damage="page 7 is malformed")
    report = view(evaluate(checklist, run), run, checklist)
    assert len(report.notices) == 2
    assert "what follows holds for the 4,000 steps" in report.notices[0]
    assert "page 7 is malformed" in report.notices[1]


def test_the_built_in_rules_fill_a_report(sick: Run) -> None:
    """Every row of the built-in checklist stands in the report with its verdict."""
    rules = load_checklist()
    report = view(evaluate(rules, sick), sick, rules)
    assert [item.id for item in rules.items] == [row.id for chapter in report.chapters for row in chapter.rows]
    assert report.findings


def test_long_lists_of_sites_are_cut(checklist: Checklist) -> None:
    """Twelve sites, and how many more there are."""
    run = record(None, [f"dense_{i}" for i in range(40)], STEPS[::8])
    result = evaluate(checklist, run)
    report = view(result, run, checklist)
    parts = [part for one in report.findings for part in (one, *one.consequences)]
    tables = [one.sites for one in parts if one.sites is not None]
    assert max(len(table.rows) for table in tables) == 12
    left = max(len(finding.sites) for finding in result.findings) - 12
    assert f"and {left} more sites, all in result.json" in [table.more for table in tables]


def test_files_are_written_whole_under_their_names(
    result: Result, sick: Run, checklist: Checklist, tmp_path: Path
) -> None:
    """Three files, nothing else, and the JSON is the result itself."""
    written = write_report(result, sick, checklist, tmp_path / "new" / "folder")
    assert written.problems == {}
    three = {name: FORMATS[name].file for name in ("json", "html", "pdf")}
    assert {name: tmp_path / "new" / "folder" / file for name, file in three.items()} == written.paths
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        "result.json",
        "report.html",
        "report.pdf",
    }
    assert result == Result.model_validate_json(written.paths["json"].read_bytes())


def test_what_cannot_be_written_is_told_and_leaves_nothing(
    result: Result, sick: Run, checklist: Checklist, tmp_path: Path
) -> None:
    """A target that is a folder: the other format is written, no half file stays behind."""
    (tmp_path / "report.html").mkdir()
    written = write_report(result, sick, checklist, tmp_path, ("html", "json"))
    assert list(written.paths) == ["json"]
    assert written.problems["html"].startswith("HTML not written: ")
    assert "report.html" in written.problems["html"]
    assert {"report.html", "result.json"} == {path.name for path in tmp_path.iterdir()}


def test_without_pango_the_page_is_still_written(
    result: Result, sick: Run, checklist: Checklist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message gives the line that installs what is missing."""
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\")")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    written = write_report(result, sick, checklist, tmp_path / "out", ("html", "pdf"))
    assert list(written.paths) == ["html"]
    expected = (
        "PDF not written: WeasyPrint needs Pango; on Debian or Ubuntu: "
        "apt-get install libpangoft2-1.0-0 libharfbuzz-subset0"
    )
    assert expected == written.problems["pdf"]


def test_an_unknown_format_names_the_legal_ones(
    result: Result, sick: Run, checklist: Checklist, tmp_path: Path
) -> None:
    """Nothing is written before the error."""
    expected = f"format 'pfd' is unknown; legal: {', '.join(FORMATS)}; did you mean 'pdf'?"
    with pytest.raises(UsageError) as caught:
        write_report(result, sick, checklist, tmp_path, ("html", "pfd"))
    assert expected == str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_report_loads_no_tensorflow_and_nothing_early() -> None:
    """Importing loads neither matplotlib nor WeasyPrint; drawing loads no pyplot."""
    shown = "print(sorted({'matplotlib', 'weasyprint', 'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)))"
    assert _python(f"import sys, tfhealth.report, tfhealth.report.formats, tfhealth.report.view; {shown}") == "[]\n"
    drawn = "import sys, numpy as np; from tfhealth.report.chart import *; from tfhealth.report.drawing import draw;"
    drawn += "draw(Lines((Line('a', np.arange(3), np.arange(3.0)),), 'x'));"
    assert _python(f"{drawn} {shown}") == "['matplotlib']\n"


def _python(code: str, **environment: str) -> str:
    root = str(Path(__file__).parent.parent)
    variables = {**os.environ, "PYTHONPATH": root, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout


def test_thinning_keeps_the_extremes_and_what_is_not_finite() -> None:
    """A curve of ten thousand points keeps its peak, its trough and its first NaN."""
    values = np.sin(np.arange(10_000) / 500)
    values[1234], values[7777], values[5000] = 9, -9, np.nan
    steps, kept = thin(np.arange(10_000), values)
    assert len(kept) < 1000
    assert (np.nanmax(kept), np.nanmin(kept)) == (9, -9)
    assert 5000 in steps[np.isnan(kept)]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_a_browser_shows_the_page_without_breaking_its_own_policy(html: str, tmp_path: Path) -> None:
    """The style's hash is right: a browser that refused it would say so."""
    path = tmp_path / "report.html"
    path.write_text(html, "utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}/u",
    ]
    done = subprocess.run(
        ["chromium", *options, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "Content Security Policy" not in done.stderr
    assert "<h1>" in done.stdout
