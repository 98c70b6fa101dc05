"""Results -> JUnit's XML: one test suite a run, one test case a row of the checklist."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from tfhealth.conditions import SEVERITIES
from tfhealth.report.words import VERDICTS, visible
from tfhealth.result import Finding, Result, Row

__all__ = ["junit"]

# What XML 1.0 can hold; a file with anything else is refused as a whole.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Sequence[Result]) -> bytes:
    """Return the file, UTF-8.

    A row that complains is a failure, its type the severity; one that broke down is an error; one that was not judged,
    does not apply, is for a person to decide or is suppressed is skipped, with the reason.
    """
    xml = JUnitXml("tfhealth")
    for result in results:
        xml.append(_suite(result))  # add_testsuite would melt two that are alike into one
    xml.update_statistics()
    file = io.BytesIO()
    xml.write(file)
    return file.getvalue() + b"\n"


def _suite(result: Result) -> TestSuite:
    suite = TestSuite(_text(result.run.name))
    if result.run.started:
        suite.timestamp = _text(result.run.started)
    properties = {
        "verdict": result.verdict,
        "sentence": result.sentence,
        "run": result.run.path or "",
        "tfhealth": result.tfhealth,
        "profile": result.profile or "",
    }
    for name, value in properties.items():
        suite.add_property(name, _text(value))
    suite.add_testcases([_case(row, result) for row in result.checklist])
    return suite


def _case(row: Row, result: Result) -> TestCase:
    case = TestCase(_text(f"{row.id} {row.asks}"), f"tfhealth.{_text(row.id.partition('.')[0])}")
    if row.verdict in ("fail", "warn"):
        findings = [one for one in result.findings if one.checklist == row.id]
        case.result = [_failure(findings)]
        case.system_out = _text("\n\n".join(f"{one.rule}: {one.advice}" for one in findings))
    elif row.verdict == "error":
        case.result = [Error(_text(row.reason), "error")]
    elif row.verdict != "pass":
        case.result = [Skipped(_text(f"{VERDICTS[row.verdict][1]}: {row.reason}"), row.verdict)]
    return case


def _failure(findings: Sequence[Finding]) -> Failure:
    """Return one failure for all findings on a row, since many readers show only the first of several."""
    worst = max(findings, key=lambda one: SEVERITIES.index(one.severity))
    lines = []
    for one in findings:
        lines += [f"{one.rule} {one.title}", one.message]
        lines += [f"  {at.kind} {at.name}: {at.severity} since step {at.step}, value {at.value}" for at in one.sites]
    failure = Failure(_text(worst.message), worst.severity)
    failure.text = _text("\n".join(lines))
    return failure


def _text(text: str) -> str:
    """Return text that XML can hold."""
    return _ILLEGAL.sub("", visible(text))
