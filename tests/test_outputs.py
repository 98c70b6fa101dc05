"""What other programs read: JUnit, Markdown for a pull request, annotations on GitHub; hostile names stay text."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from tests.helpers import checklist_of, rule, run_of
from tfhealth.cli.evaluate import OUTPUTS
from tfhealth.cli.github import tell_github
from tfhealth.console import epoch_line, summary
from tfhealth.diagnosis import evaluate
from tfhealth.report import write_report
from tfhealth.report.github import workflow_commands
from tfhealth.report.inert import inert
from tfhealth.report.junit import junit
from tfhealth.report.pull_request import MOST, escape, pull_request
from tfhealth.result import Result
from tfhealth.rules.checklist import Suppression

STD = {"site": "activation", "statistic": "std"}
RULES = (
    rule("ACT901", condition={"error": {"above": 5}}, advice="Normalize {site}."),
    rule("ACT902", checklist="act.warned", condition={"warning": {"above": 2}}),
    rule("ACT903", checklist="act.accepted", condition={"error": {"above": 2}}),
    rule("ACT904", checklist="act.well", condition={"error": {"above": 99}}),
    rule("LOSS901", checklist="loss.missing", measure={"site": "loss", "statistic": "data"}),
    rule("ACT905", checklist="act.elsewhere", measure={**STD, "where": {"layer": "LSTM"}}),
)
ACCEPTED = (Suppression("ACT903", "by design", set_by="acme"), Suppression("ACT904", "in vain", set_by="acme"))

HOSTILE = (
    "a\n::error file=x::owned",
    "\r\n  ::stop-commands::token",
    "##[add-mask]b ###[error]c ##vso[task.x]d",
    "e%0A::error::f%0D",
    "</failure></testcase>]]><!-- & -->",
    "g\x00\x08\x1b[31m\ufffe\uffff\u202eh",
    "| i | `j` ``k``\n\n# l\n---",
    "<script>m</script><img src=x onerror=n>",
    "[o](javascript:p) ![q](file:///etc/passwd) <https://r.example>",
    "@everyone #1 GH-2 owner/repo#3 https://s.example www.t.example u@v.example",
    "</details> </td> &lt;b&gt; ~~w~~ $x$ *y* __z__",
)


def judged(name: str = "mnist", **layers: float) -> Result:
    """Return a result with a verdict of every kind."""
    values = {("activation", layer, "std"): [value] * 5 for layer, value in (layers or {"dense": 9.0}).items()}
    result = evaluate(checklist_of(*RULES, suppressions=ACCEPTED), run_of(values))
    return result.model_copy(update={"run": result.run.model_copy(update={"name": name})})


def hostile(name: str) -> Result:
    """Return a result with this text wherever it can come from outside."""
    rules = [
        rule("ACT901", condition={"error": {"above": 5}}),
        rule("ACT903", checklist="act.accepted", condition={"error": {"above": 2}}),
        rule("LOSS901", checklist="loss.missing", measure={"site": "loss", "statistic": "data"}),
    ]
    accepted = Suppression("ACT903", name, set_by=name)
    run = run_of({("activation", name, "std"): [9.0] * 5}, notes=[("loss", name)])
    data = json.loads(evaluate(checklist_of(*rules, suppressions=(accepted,)), run).model_dump_json())
    data["run"] |= {"name": name, "path": name, "started": name, "status": name}
    data |= {"sentence": name, "warnings": [name, name], "profile": name}
    for finding in [data["findings"][0], data["suppressed"][0]["finding"]]:
        finding |= dict.fromkeys(("title", "message", "advice", "why", "limits_set_by", "pack", "value"), name)
    for row in data["checklist"]:
        row |= {"asks": name, "reason": name}
    return Result.model_validate(data)


def cases(file: bytes) -> dict[str, list[ET.Element]]:
    """Return what each test case holds."""
    return {case.attrib["name"].split()[0]: list(case) for case in ET.fromstring(file).iter("testcase")}


def test_junit_has_a_case_for_every_row():
    """Complaints fail, what was not judged or is accepted is skipped with the reason, the rest passes."""
    found = {name: [(one.tag, one.get("type")) for one in listed] for name, listed in cases(junit([judged()])).items()}
    assert found == {
        "act.std-range": [("failure", "error"), ("system-out", None)],
        "act.warned": [("failure", "warning"), ("system-out", None)],
        "act.accepted": [("skipped", "suppressed")],
        "act.well": [],
        "loss.missing": [("skipped", "not_measured")],
        "act.elsewhere": [("skipped", "not_applicable")],
    }


def test_junit_says_what_and_why():
    """The message, every site, the advice, and the grounds of what was skipped."""
    found = cases(junit([judged(dense=9.0, head=7.0)]))
    failure, out = found["act.std-range"]
    assert failure.attrib["message"] == "dense at 0: 9."
    assert failure.text == (
        "ACT901 Title of ACT901\ndense at 0: 9.\n  activation dense: error since step 0, value 9.0\n"
        "  activation head: error since step 0, value 7.0"
    )
    assert out.text == "ACT901: Normalize dense."
    assert found["act.accepted"][0].attrib["message"] == (
        "suppressed: Title of ACT903: accepted at 2 of 2 activation sites: by design"
    )
    assert found["loss.missing"][0].attrib["message"].startswith("not measured: no loss was seen")


def test_junit_of_several_runs_is_a_suite_each():
    """Two that are alike stay two; the counts are the sums, a row with two complaints fails once."""
    file = junit([judged(), judged(), judged("other", dense=1.0)])
    read = JUnitXml.fromstring(file)
    assert [(suite.name, suite.tests, suite.failures, suite.skipped) for suite in read] == [
        ("mnist", 6, 2, 3),
        ("mnist", 6, 2, 3),
        ("other", 6, 0, 2),
    ]
    assert (read.tests, read.failures, read.skipped, read.errors) == (18, 4, 8, 0)
    twice = rule("ACT902", condition={"warning": {"above": 2}}, message="Also {site}.")
    result = evaluate(checklist_of(RULES[0], twice), run_of({("activation", "a", "std"): [9.0] * 5}))
    (failure, _), *_ = cases(junit([result])).values()
    assert failure.attrib == {"message": "a at 0: 9.", "type": "error"}
    assert "Also a." in (failure.text or "")


def test_junit_of_a_rule_that_broke_down_is_an_error():
    """It is neither passed nor failed."""
    result = judged()
    rows = [row.model_copy(update={"verdict": "error", "reason": "broke"}) for row in result.checklist[:1]]
    (((error),),) = cases(junit([result.model_copy(update={"checklist": rows})])).values()
    assert (error.tag, error.attrib["message"]) == ("error", "broke")


@pytest.mark.parametrize("name", HOSTILE)
def test_junit_of_hostile_names_is_read_again(name: str):
    """Well-formed, with the elements that it should have and no other."""
    root = ET.fromstring(junit([hostile(name)]))
    assert {one.tag for one in root.iter()} == {
        *("testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped", "system-out"),
    }
    assert len(list(root.iter("testcase"))) == 3


def test_markdown_of_a_sick_run():
    """The sentence, a table, what is accepted and what was not judged, folded."""
    assert pull_request([judged(dense=9.0, head=7.0)]) == GOLD


GOLD = """\
## ✗ tfhealth: fail – mnist

**Sick: dense at 0: 9 (1 more finding, 1 suppressed finding).**

Change first: Normalize dense.

⚠ The suppression of ACT904 (acme: in vain) matched nothing in this run.

|  | Rule | Finding | Where | Since step | Value | Limit |
| --- | --- | --- | --- | --- | --- | --- |
| ✗ | ACT901: Title of ACT901 | dense at 0: 9. | activation dense and 1 more site | 0 | 9 | high 5 (built-in) |
| ! | ACT902: Title of ACT902 | dense at 0: 9. | activation dense and 1 more site | 0 | 9 | high 2 (built-in) |

<details><summary>1 suppressed finding</summary>

| Rule | Finding | Why | Until |
| --- | --- | --- | --- |
| ACT903 | dense at 0: 9. | by design (acme) | for ever |

</details>

<details><summary>1 row not judged</summary>

| Row | Reason |
| --- | --- |
| loss.missing | no loss was seen in this run |

</details>
"""


def elements(markdown: str) -> set[str]:
    """Return the names of the HTML elements that Markdown of GitHub's kind makes."""
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markdown)
    return set(re.findall(r"<(\w+)", html))


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_of_hostile_names_is_text(name: str):
    """No element but those of a harmless run, as many rows, no link, no mention, no reference to an issue."""
    made = pull_request([hostile(name)])
    assert elements(made) == elements(GOLD)
    assert made.count("\n| ") == pull_request([hostile("harmless")]).count("\n| ")
    foreign = made.replace("\n## ", "\n")[2:]
    assert re.findall(r"@\w|(?<!\w)#\d|\bGH-\d|\w://|www\.|(?<!\\)[\[\]`]", foreign) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_escaped_text_is_read_as_it_was(name: str):
    """What a reader sees is the text, but for what is invisible and for blanks."""
    html = MarkdownIt("gfm-like", {"linkify": False}).renderInline(escape(name))
    shown = re.sub("&(lt|gt|amp|quot);", lambda found: {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[found[1]], html)
    visible = re.sub(r"[\x00\x08\x1b\u202e]", "", name)
    assert shown.replace("\u200b", "") == " ".join(visible.split())


def test_markdown_is_bounded():
    """Many findings, long names, many runs: the text stays short enough for a comment, and says what is missing."""
    layers = {"&" * 70 + str(number): 9.0 for number in range(90)}
    rules = [rule(f"ACT{number}", condition={"error": {"above": 5}}) for number in range(100, 190)]
    values = {("activation", layer, "std"): [value] * 5 for layer, value in layers.items()}
    result = evaluate(checklist_of(*rules), run_of(values))
    one, many = pull_request([result]), pull_request([result] * 500)
    assert "And 40 more in the report." in one or "And 70 more in the report." in one
    assert len(one) < len(many) < MOST
    assert re.search(r"\n\d+ more runs left out: this text may not be longer\.\n$", many)


def test_annotations_are_one_line_each():
    """An error for a failure, a warning for a warning and for what is in vain; none for what is accepted."""
    assert workflow_commands([judged()]) == (
        "::error title=tfhealth ACT901%3A Title of ACT901::dense at 0: 9.%0ANormalize dense.",
        "::warning title=tfhealth ACT902%3A Title of ACT902::dense at 0: 9.%0ARepair dense.",
        "::warning title=tfhealth::The suppression of ACT904 (acme: in vain) matched nothing in this run.",
    )
    assert workflow_commands([judged("a"), judged("b, c")])[3].startswith(
        "::error title=tfhealth ACT901%3A Title of ACT901 in b%2C c::"
    )


def commands(text: str) -> list[str]:
    """Return what GitHub's runner would take for commands: at the start of a line, or in brackets anywhere."""
    lines = re.split(r"[\r\n]", text)
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_start_no_command(name: str):
    """Whatever is printed: as many commands as there are findings and warnings, each of our own kind."""
    result = hostile(name)
    found = workflow_commands([result])
    assert commands("\n".join(found)) == list(found)
    assert [re.match(r"::(error|warning) title=[^:,]*::", one) is not None for one in found] == [True] * 3
    printed = [summary(result, None), epoch_line(0, result.findings)]
    printed += [OUTPUTS[kind]([Path("run")], [result]) for kind in ("text", "json", "junit", "markdown")]
    assert [commands(text) for text in printed] == [[]] * 6


TEXTS = st.lists(st.sampled_from([*":#[]%,@|<>&`*_\n\r \t\x1b\u202e", "error", "www.", "a"]), max_size=12).map("".join)


@given(TEXTS | st.text())
def test_any_text_is_inert(text: str):
    """No command is left, whatever stands around it, and nothing goes missing but what a blank was put into."""
    made = inert(text)
    assert commands(made) == []
    assert made.replace(" ", "") == text.replace(" ", "")
    result = hostile(text)
    made = OUTPUTS["markdown"]([Path("run")], [result])
    assert commands(made) == []
    assert commands("\n".join(workflow_commands([result]))) == list(workflow_commands([result]))
    assert len(ET.fromstring(junit([result])).findall("testsuite/testcase")) == 3
    assert elements(made) <= elements(GOLD)


def test_json_that_is_printed_is_the_result():
    """Its other spelling of `##[` is the same text to whoever reads JSON."""
    for name in HOSTILE:
        result = hostile(name)
        (read,) = json.loads(OUTPUTS["json"]([Path("run")], [result]))
        assert Result.model_validate(read) == result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine: a::b # ## [c]", "fine: a::b # ## [c]"),
        ("  ::error::a", "  : :error::a"),
        ("a\r::b\n\n\t::c", "a\r: :b\n\n\t: :c"),
        ("##[a]###[b]##vso[c]", "# #[a]## #[b]# #vso[c]"),
    ],
)
def test_inert_breaks_commands_only(text: str, expected: str):
    """Ordinary colons, headings and links are left alone."""
    assert inert(text) == expected


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend to be a job of GitHub Actions; return the file of its summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_a_job_gets_annotations_and_a_summary(github: Path):
    """The summary is appended to what other steps wrote."""
    github.write_text("before\n")
    stream = io.StringIO()
    tell_github([judged()], stream)
    assert stream.getvalue().splitlines() == list(workflow_commands([judged()]))
    assert github.read_text() == f"before\n{pull_request([judged()])}\n"


def test_quiet_or_elsewhere_nothing_is_printed(github: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a stream only the summary is written; without the variables nothing at all."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        tell_github([judged()])
        assert github.stat().st_size > 0
        github.unlink()
        monkeypatch.delenv("GITHUB_ACTIONS")
        monkeypatch.delenv("GITHUB_STEP_SUMMARY")
        tell_github([judged()], out)
    assert (out.getvalue(), github.exists()) == ("", False)


def test_summary_that_cannot_be_written_costs_no_verdict(github: Path, monkeypatch: pytest.MonkeyPatch):
    """It is told on standard error."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(github.parent))
    err = io.StringIO()
    with redirect_stderr(err):
        tell_github([judged()], io.StringIO())
    assert err.getvalue().startswith("tfhealth: the summary of the job was not written: ")


def test_files_in_the_run(tmp_path: Path):
    """`junit` and `md` are formats of a report like the others."""
    checklist = checklist_of(*RULES, suppressions=ACCEPTED)
    run = run_of({("activation", "dense", "std"): [9.0] * 5})
    result = evaluate(checklist, run)
    written = write_report(result, run, checklist, tmp_path, "junit,md")
    assert written.paths == {"junit": tmp_path / "junit.xml", "md": tmp_path / "report.md"}
    assert (tmp_path / "junit.xml").read_bytes() == junit([result])
    assert (tmp_path / "report.md").read_text("utf-8") == pull_request([result])
