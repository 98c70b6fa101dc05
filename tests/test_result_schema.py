"""result.json: the published schema is the code's, and real results keep to it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.helpers import run_of
from tfhealth import resources
from tfhealth.diagnosis import evaluate
from tfhealth.report import write_report
from tfhealth.result import SCHEMA_FILE, Result, schema
from tfhealth.rules import Checklist, load_checklist
from tfhealth.rules.checklist import Brand, Suppression
from tfhealth.run import Run

REGENERATE = f"stale; run: python -m tfhealth.result > tfhealth/schemas/{SCHEMA_FILE}"


def published() -> str:
    return resources.schema_path(SCHEMA_FILE).read_text(encoding="utf-8")


def sick_run() -> Run:
    """Return a run with findings of every shape: numbers, words, flags, NaN."""
    kernel = {"layer": "Dense", "role": "kernel", "connected": False, "trainable": True, "output": False}
    return run_of(
        {
            ("input", "x", "std"): [80.0] * 30,
            ("loss", "batch", "nonfinite"): [0.0] * 20 + [1.0] * 10,
            ("loss", "batch", "data"): [2.0] * 20 + [np.nan] * 10,
        },
        {
            ("input", "x"): {"normalized": False, "consumer": "Dense"},
            ("gradient", "dense/kernel"): kernel,
            ("prediction", "y"): {"activation": "softmax", "units": 1, "loss": "binary_crossentropy"},
        },
        notes=[("weight.std", "no room")],
    )


def test_published_schema_is_that_of_the_code():
    """Whoever changes the result has to publish its schema."""
    assert published() == json.dumps(schema(), indent=2, sort_keys=True) + "\n", REGENERATE


def test_command_that_regenerates_the_schema_prints_it():
    """The line that the test above gives works."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-W", "error", "-m", "tfhealth.result"]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert printed == published()


def test_schema_is_one():
    """It is a valid schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(json.loads(published()))
    assert json.loads(published())["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


LISTED = (
    Suppression("DATA", "as it comes", match="x", expires=date(2027, 1, 31), set_by="acme"),
    Suppression("LOSS", "by design", set_by="acme"),
    Suppression("ARCH", "in vain", expires=date(2020, 1, 31), set_by="acme"),
)
CHECKLIST = load_checklist()
CHANGED = replace(CHECKLIST, suppressions=LISTED, profile="acme", packs=(Brand("acme-rules", "1.2.0"),))


@pytest.mark.parametrize("checklist", [CHECKLIST, CHANGED], ids=["built-in", "profile"])
@pytest.mark.parametrize("run", [sick_run(), run_of({}, status="failed")], ids=["sick", "empty"])
def test_written_result_keeps_to_the_schema_and_comes_back(checklist: Checklist, run: Run, tmp_path: Path):
    """result.json as it is written: strict JSON, valid by the published schema, and the same after reading."""
    result = evaluate(checklist, run, date(2026, 3, 1))
    path = write_report(result, run, checklist, tmp_path, ("json",)).paths["json"]
    data = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(json.loads(published())).validate(data)
    assert Result.model_validate_json(path.read_bytes()) == result


def test_run_of_the_tests_above_has_findings_of_every_shape():
    """Numbers, words or flags, and null stand for values, so that the schema is tried on all of them."""
    kinds = {type(finding.value) for finding in evaluate(CHECKLIST, sick_run()).findings}
    assert kinds >= {float, bool}
    accepted = evaluate(CHANGED, sick_run(), date(2026, 3, 1))
    assert {one.expires for one in accepted.suppressed} == {"2027-01-31", None}
    assert len(accepted.warnings) == 1


def test_every_field_is_described():
    """The reference and editors show what a key means; the code is where it stands."""
    models = [schema(), *schema()["$defs"].values()]
    listed = [(one.get("title"), key, field) for one in models for key, field in one.get("properties", {}).items()]
    assert len(listed) > 50
    assert [(model, key) for model, key, field in listed if not field.get("description")] == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"verdict": "healthy"}, ["verdict"]),
        ({"extra": 1}, []),
        ({"findings": [{"rule": "ACT001"}]}, ["findings", 0]),
        ({"run": None}, ["run"]),
        ({"result_version": "2.0"}, ["result_version"]),
        ({"suppressed": [{"how": "somehow"}]}, ["suppressed", 0]),
    ],
    ids=str,
)
def test_schema_refuses_what_is_no_result(change: dict[str, object], where: list[object]):
    """A schema that took everything would prove nothing."""
    data = json.loads(evaluate(CHECKLIST, run_of({})).model_dump_json()) | change
    found = jsonschema.Draft202012Validator(json.loads(published())).iter_errors(data)
    assert where in [list(error.absolute_path) for error in found]
