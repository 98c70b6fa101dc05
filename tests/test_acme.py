"""The example pack as an organization would have it: built, installed from its wheel, found, judged and reported."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "examples" / "acme-rules"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]

TRAIN = """
import keras, numpy as np
from tfhealth import HealthCallback

{seed}
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)).astype("float32")
y = (x[:, :1] > 0).astype("float32")
stem = keras.layers.Dense(16, "relu", name="{stem}")
head = keras.layers.Dense(1, "sigmoid", name="head", kernel_regularizer=keras.regularizers.L1({strength}))
model = keras.Sequential([keras.Input((8,)), stem, keras.layers.Dropout(0.1), head])
model.compile(keras.optimizers.{optimizer}, "binary_crossentropy")
{empty}
callbacks = [{callback}]
model.fit(x, y, epochs=3, validation_split={share}, verbose=0, callbacks=callbacks)
"""
SICK = {
    "seed": "",
    "stem": "dense_7",
    "strength": 10.0,
    "optimizer": "Adam(0.01)",
    "empty": "stem.kernel.assign(0 * stem.kernel)\nstem.bias.assign(stem.bias - 100)",  # and no gradient to fill it
    "callback": "",
    "share": 0.02,
}
HEALTHY = {
    "seed": "keras.utils.set_random_seed(1)",
    "stem": "stem_dense",
    "strength": 1e-5,
    "optimizer": "SGD(0.05)",
    "empty": "",
    "callback": "HealthCallback(out='runs', profile='acme.yaml', formats='json,html', verbose=0,"
    " facts={'data': {'validation_share': 0.2, 'validation_augmented': False}})",
    "share": 0.2,
}
PROFILE = "extends: [built-in, acme-rules]\nset:\n  ACME005: {condition: {error: {below: 0.1}}}\n"


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """Build the wheel, install it into a folder of its own, and return that folder."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    build = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder / "dist")]
    subprocess.run([*build, str(folder / "source")], check=True, capture_output=True, timeout=240)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [*PIP, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=240)
    return folder


def tfhealth(acme, cwd, *arguments):
    """Run the command where the wheel is installed; return its exit code and what it printed."""
    paths = os.pathsep.join([str(acme / "site"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tfhealth", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def trained(acme, folder, settings):
    """Run a training script that is judged by a profile on the pack; return its result and its run directory."""
    (folder / "acme.yaml").write_text(PROFILE, "utf-8")
    (folder / "train.py").write_text(TRAIN.format(**settings), "utf-8")
    arguments = ["--out", "runs", "--profile", "acme.yaml", "--formats", "json,html", "train.py"]
    code, printed = tfhealth(acme, folder, "run", *arguments)
    assert code == 0, printed
    (run,) = (folder / "runs").iterdir()
    return json.loads((run / "result.json").read_text("utf-8")), run


@pytest.fixture(scope="module")
def sick(acme, tmp_path_factory):
    """A training that breaks every standard that a program can see."""
    return trained(acme, tmp_path_factory.mktemp("sick"), SICK)


def test_the_wheel_carries_the_whole_pack(acme):
    """Every file of the pack, and the two entry points."""
    (wheel,) = (acme / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("acme_rules/")}
        entries = archive.read("acme_rules-1.2.0.dist-info/entry_points.txt").decode()
    files = {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "acme_rules").rglob("*") if path.is_file()}
    assert names == {name for name in files if "__pycache__" not in name}
    assert "[tfhealth.rulepacks]\nacme-rules = acme_rules\n" in entries
    assert "[tfhealth.statistics]\nnear_zero_fraction = acme_rules.statistics:near_zero_fraction\n" in entries


def test_the_pack_is_found_by_its_name(acme, tmp_path):
    """Its rules are listed at its own rows, by name alone and beside the built-in ones of a profile."""
    code, printed = tfhealth(acme, tmp_path, "rules", "list", "--rules", "acme-rules")
    assert code == 0, printed
    rules = sorted(path.name[:7] for path in (SOURCE / "acme_rules" / "rules").iterdir())
    assert [line.split()[0] for line in printed.splitlines() if line.strip().startswith("ACME")] == rules
    assert "acme.learning-rate" in printed
    (tmp_path / "acme.yaml").write_text(PROFILE, "utf-8")
    code, printed = tfhealth(acme, tmp_path, "rules", "list", "--profile", "acme.yaml")
    assert code == 0, printed
    assert "ACME008" in printed
    assert "GRAD001" in printed


@pytest.mark.parametrize("action", ["check", "test"])
def test_the_pack_has_no_fault_and_passes_its_own_tests(acme, tmp_path, action):
    """As its authors would find out before they ship it."""
    code, printed = tfhealth(acme, tmp_path, "rules", action, "acme-rules")
    assert code == 0, printed
    assert "0 faults, 0 warnings" in printed if action == "check" else "passed" in printed


def test_a_training_against_the_standards_is_found_out(sick):
    """Each rule that a program can judge complains in the pack's name; the changed limit says who set it."""
    result, _ = sick
    found = {one["rule"]: one for one in result["findings"] if one["pack"] == "acme-rules"}
    assert {rule: one["severity"] for rule, one in found.items()} == {
        "ACME001": "error",
        "ACME003": "error",
        "ACME005": "error",
        "ACME006": "warning",
        "ACME007": "error",
        "ACME008": "warning",
    }
    assert found["ACME001"]["limits_set_by"] == "acme-rules"
    assert (found["ACME005"]["limits_set_by"], found["ACME005"]["limits_before"]) == ("acme", {"low": 0.05})
    assert [site["name"] for site in found["ACME006"]["sites"]] == ["sequential/dense_7"]
    assert [site["name"] for site in found["ACME008"]["sites"]] == ["sequential/dense_7/kernel"]
    assert result["packs"] == [{"name": "acme-rules", "version": "1.2.0"}]
    assert {one["pack"] for one in result["findings"]} == {"acme-rules", "built-in"}
    verdicts = {row["id"]: row["verdict"] for row in result["checklist"] if row["id"].startswith("acme.")}
    assert verdicts.pop("acme.validation-augmentation") == "not_measured"
    assert set(verdicts.values()) == {"fail", "warn"}


def test_a_training_by_the_standards_passes_them(acme, tmp_path):
    """With what only a person knows told, every row of the pack is judged and passes."""
    result, _ = trained(acme, tmp_path, HEALTHY)
    assert [one["rule"] for one in result["findings"] if one["pack"] == "acme-rules"] == []
    verdicts = {row["id"]: row["verdict"] for row in result["checklist"] if row["id"].startswith("acme.")}
    assert len(verdicts) == 7
    assert set(verdicts.values()) == {"pass"}


def test_the_report_is_headed_by_the_pack(sick):
    """Title, logo, colors and footer of the pack, in the one HTML file."""
    page = (sick[1] / "report.html").read_text("utf-8")
    assert "Acme Training Standards" in page
    assert 'alt="Logo of Acme Training Standards"' in page
    assert 'src="data:image/svg+xml' in page
    assert ".brand { color: #8b1e3f; }" in page
    assert '<a href="mailto:model-review@acme.example">model review board</a>' in page
    assert "left out" not in page


def test_an_old_run_is_judged_again_without_tensorflow(acme, sick, tmp_path):
    """The pack with its statistic is loaded for the verdict, and TensorFlow is not."""
    _, run = sick
    code = (
        "import sys; from tfhealth import evaluate, load_checklist, load_run\n"
        f"result = evaluate(load_checklist('acme-rules'), load_run({str(run)!r}))\n"
        "print(sorted(one.rule for one in result.findings), 'acme_rules.statistics' in sys.modules, "
        "'tensorflow' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(acme / "site"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    rules = [f"ACME00{number}" for number in (1, 3, 5, 6, 7, 8)]
    assert (done.stdout, done.stderr) == (f"{rules} True False\n", "")
