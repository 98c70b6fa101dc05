"""The report of a fit that goes on: written by another process, whole, and never after the last one."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import write_rules
from tests.models import quiet
from tests.test_compare import FILES, record
from tfhealth import HealthCallback, UsageError
from tfhealth.report.live import Live


class Patient(keras.callbacks.Callback):
    """Waits at the end of an epoch until the report is there, and keeps what it says."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self.out, self.read = out, ""

    def on_epoch_end(self, epoch, logs=None):
        deadline = time.monotonic() + 120
        while epoch == 0 and not self.read and time.monotonic() < deadline:
            self.read = "".join(path.read_text("utf-8") for path in self.out.glob("*/report.html"))
            time.sleep(0.05)


def test_a_report_is_there_while_training_goes_on(tmp_path):
    """It says that the run has not ended; the last one does not."""
    rules = write_rules(tmp_path / "rules", FILES)
    patient = Patient(tmp_path / "runs")
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules, refresh=1e-6) | {"formats": "html"})
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4))
    model.fit(x, x[:, :3], epochs=2, batch_size=8, verbose=0, callbacks=[callback, patient])
    assert "The run had not ended when this was written" in patient.read
    assert patient.read.rstrip().endswith("</html>")
    last = (callback.run_dir / "report.html").read_text("utf-8")
    assert "had not ended" not in last
    assert callback._watch is None


def test_a_refresh_waits_for_its_time_and_for_the_one_before(tmp_path):
    """Two at once are never started, and none too early."""
    record(tmp_path / "run", 1.0, 0.1, [])
    early = Live(tmp_path / "run", 1000, None, None)
    early.refresh()
    assert early._child is None
    live = Live(tmp_path / "run", 1e-9, write_rules(tmp_path / "rules", FILES), None)
    live.refresh()
    first = live._child
    live.refresh()
    assert live._child is first
    live.stop()
    assert (tmp_path / "run" / "report.html").exists()
    assert (first.returncode, live._child) == (0, None)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_is_refused(seconds):
    """A number of seconds above 0, or None."""
    with pytest.raises(UsageError, match="refresh must be a number of seconds above 0"):
        HealthCallback(refresh=seconds)
