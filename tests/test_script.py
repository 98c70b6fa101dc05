"""`tfhealth run`: a script that knows nothing of tfhealth keeps its behavior, its arguments and its exit code."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import pytest

from tfhealth import load_run
from tfhealth.cli import main

TRAIN = """
import json, os, sys
import keras, numpy as np
import neighbor  # lies beside the script

print(json.dumps({"argv": sys.argv, "name": __name__, "file": os.path.basename(__file__), "neighbor": neighbor.here}))
rng = np.random.default_rng(0)
x = rng.normal(size=(160, 6)).astype("float32") * SCALE
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
for _ in range(FITS):
    history = model.fit(x, x[:, :1], 16, 2, verbose=0, validation_split=0.2)
    assert len(history.history["loss"]) == 2
END
"""


@pytest.fixture
def script(tmp_path):
    """Write a training script; give it a scale for its inputs, a number of fits, and an end."""

    def write(scale=1.0, fits=1, end=""):
        path = tmp_path / "train.py"
        text = TRAIN.replace("SCALE", str(scale)).replace("FITS", str(fits)).replace("END", end)
        path.write_text(textwrap.dedent(text))
        (tmp_path / "neighbor.py").write_text("here = True\n")
        return path

    return write


def run(tmp_path, *arguments):
    """Run the command in this process, with only result.json written; return its code and the results."""
    code = main(["run", "--out", str(tmp_path / "runs"), "--formats", "json", *map(str, arguments)])
    runs = sorted((tmp_path / "runs").glob("*")) if (tmp_path / "runs").is_dir() else []
    return code, [json.loads((folder / "result.json").read_text()) for folder in runs]


def test_script_sees_what_python_would_show_it(script, tmp_path, capsys):
    """Arguments (also those that look like ours), __name__, __file__ and modules beside the script."""
    path = script()
    code, results = run(tmp_path, path, "--formats", "pdf", "--fail-on", "x")
    seen = json.loads(next(line for line in capsys.readouterr().out.splitlines() if line.startswith("{")))
    assert seen == {
        "argv": [str(path), "--formats", "pdf", "--fail-on", "x"],
        "name": "__main__",
        "file": "train.py",
        "neighbor": True,
    }
    assert code == 0
    assert results[0]["run"]["name"] == "train"


def test_every_fit_is_a_run(script, tmp_path):
    """Two fits make two runs; what fit was told is recorded."""
    code, results = run(tmp_path, script(fits=2))
    assert (code, len(results)) == (0, 2)
    facts = load_run(results[0]["run"]["path"])
    assert (facts.fact("fit.batch_size"), facts.fact("fit.validation"), facts.fact("fit.epochs")) == (16, True, 2)


@pytest.mark.parametrize(
    ("scale", "end", "fail_on", "expected"),
    [
        (1.0, "", None, 0),
        (1.0, "", "error", 0),
        (1000.0, "", None, 0),
        (1000.0, "", "error", 1),
        (1000.0, "", "critical", 0),
        (1.0, "sys.exit(7)", "error", 7),
        (1000.0, "sys.exit(7)", "error", 7),
        (1000.0, "sys.exit(0)", "error", 1),
        (1.0, "raise ValueError('mine')", None, 1),
        (1.0, "sys.exit('sorry')", None, 1),
    ],
)
def test_exit_code_is_the_scripts_then_the_gates(script, tmp_path, scale, end, fail_on, expected):
    """The script's own code where it is not 0, else the gate's; no gate without --fail-on."""
    gate = ["--fail-on", fail_on] if fail_on else []
    code, results = run(tmp_path, *gate, script(scale=scale, end=end))
    assert code == expected
    assert len(results) == 1


def test_an_exception_is_shown_as_python_shows_it(script, tmp_path, capsys):
    """The traceback begins in the script, with none of our frames in front."""
    path = script(end="raise ValueError('mine')")
    run(tmp_path, path)
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert "ValueError: mine" in shown
    assert "tfhealth" not in shown
    assert f'File "{path}"' in shown.splitlines()[1]


def test_a_fit_that_raises_is_judged_up_to_there(script, tmp_path, capsys):
    """A run that failed half-way has a verdict; the traceback shows the script and Keras, and nothing of ours."""
    end = "model.fit(x, x[:, :1], callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda *a: 1 / 0)], verbose=0)"
    code, results = run(tmp_path, script(end=end))
    assert code == 1
    assert sorted(result["run"]["status"] for result in results) == ["completed", "failed"]
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert "tfhealth" not in shown


def test_a_script_without_a_fit(tmp_path, capsys):
    """Nothing to judge is said, passes without a gate, and is incomplete with one."""
    path = tmp_path / "nothing.py"
    path.write_text("print('hello')\n")
    assert run(tmp_path, path) == (0, [])
    assert "trained nothing" in capsys.readouterr().out
    assert run(tmp_path, "--fail-on", "error", path) == (3, [])


@pytest.mark.parametrize("quiet", [False, True])
def test_a_job_on_github_gets_annotations_and_a_summary(quiet, script, tmp_path, capsys, monkeypatch):
    """Beside what is printed anyhow, also where the gate fails; with --quiet the summary alone."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    code, (result,) = run(tmp_path, *(["--quiet"] if quiet else []), "--fail-on", "error", script(scale=1000.0))
    printed = capsys.readouterr()
    assert code == 1
    found = [line for line in printed.out.splitlines() if line.startswith("::")]
    assert len(found) == (0 if quiet else len(result["findings"]))
    assert printed.err.startswith("tfhealth: the gate failed\n  ") is not quiet
    assert (tmp_path / "summary.md").read_text("utf-8").startswith("## ✗ tfhealth: fail – train\n")


def test_a_script_that_brings_its_own_callback_keeps_it(script, tmp_path):
    """A HealthCallback that the script has itself is not doubled, and its verdict counts for the gate."""
    out = tmp_path / "own"
    end = (
        "from tfhealth import HealthCallback\n"
        f"model.fit(x, x[:, :1], verbose=0, callbacks=[HealthCallback(out={str(out)!r}, verbose=0, formats='json')])"
    )
    code, results = run(tmp_path, script(end=end))
    assert (code, len(results), len(list(out.iterdir()))) == (0, 1, 1)


def test_keras_is_left_as_it_was(script, tmp_path):
    """Afterwards `fit` is Keras's own again."""
    before = keras.Model.fit
    run(tmp_path, script())
    assert keras.Model.fit is before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run"], "SCRIPT"),
        (["run", "no-such.py"], "no such script"),
        (["run", "--formats", "htm", "x.py"], "did you mean 'html'"),
        (["run", "--fail-on", "fatal", "x.py"], "invalid choice"),
        (["run", "--every", "often", "x.py"], "whole number"),
        (["run", "--every", "0", __file__], "every must be"),
        (["run", "--rules", "nowhere", __file__], "neither a folder of rules nor an installed pack"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_run(arguments, text):
    """Exit code 2, one message, no traceback."""
    command = [sys.executable, "-m", "tfhealth", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, timeout=120)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("mode", "expected"), [("max", "fail"), ("auto", "pass")])
def test_other_callbacks_of_a_fit_are_seen(tmp_path, mode, expected):
    """One that takes the worst epoch for the best, and ends the training there, is found."""
    script = tmp_path / "train.py"
    script.write_text(
        "import keras, numpy as np\n"
        "x = np.random.default_rng(0).normal(size=(160, 6)).astype('float32')\n"
        "model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])\n"
        "model.compile(keras.optimizers.Adam(0.01), 'mse')\n"
        f"stop = keras.callbacks.EarlyStopping('loss', mode={mode!r}, patience=2)\n"
        "model.fit(x, x[:, :1], 16, 8, verbose=0, callbacks=[stop])\n"
    )
    _, (result,) = run(tmp_path, script)
    assert {one["rule"]: one["verdict"] for one in result["rules"]}["LOSS061"] == expected
