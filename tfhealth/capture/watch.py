"""One fit under a callback: its session, the verdict on it, and the report; it does not hold the callback."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfhealth import report
from tfhealth.capture.schedule import Schedule
from tfhealth.capture.session import Session
from tfhealth.console import epoch_line, one_line, summary
from tfhealth.decide import can_reach, decide
from tfhealth.diagnosis import evaluate
from tfhealth.plan import Plan
from tfhealth.recorder import run_directory
from tfhealth.report.inert import inert
from tfhealth.report.live import Live
from tfhealth.result import Tried

if TYPE_CHECKING:
    from tfhealth.capture.callback import HealthCallback
    from tfhealth.capture.sending import Sending

__all__ = ["Watch"]

_LIVE_SHARE = 0.02  # of the time since the last live verdict that the next one may take


def _folder_for(callback: HealthCallback, name: str) -> Path:
    """Return the run directory of a fit that begins."""
    if callback.again == "continue" and callback.run_dir is not None:
        return callback.run_dir
    return run_directory(callback.out, name).absolute()


class Watch:
    """One run of a callback: holds the session, and what is done with it, without holding the callback."""

    def __init__(self, callback: HealthCallback) -> None:
        self.checklist = callback.checklist
        self.verbose, self.formats, self.on_fail = callback.verbose, callback.formats, callback.on_fail
        self.publish = weakref.ref(callback)
        name = callback.name or str(callback.model.name)
        self.session = Session(
            callback.model,
            _folder_for(callback, name),
            Plan.of(self.checklist),
            Schedule(callback.every, callback.overhead, callback.start, callback.windows),
            name,
            callback.exact,
            self._flushed,
            self._died,
            callback.asked,
            callback.catch_nonfinite,
        )
        self._closed = False
        self._remedies: list[Tried] = []
        self._suspected: set[str] = set()
        self._said: set[str] = set()
        self._judged_at, self._judging_took = time.perf_counter(), 0.0
        overrides = {rule.id: self.checklist.overrides_of(rule.id) for rule in self.checklist.rules}
        self._critical = [
            (rule, overrides[rule.id])
            for rule in self.checklist.rules
            if can_reach(rule, overrides[rule.id], "critical")
        ]
        self.session.start(callback.params or {}, [callback.described, callback.told, callback.facts], callback.others)
        if callback.tried is not None:
            with self.session.guarded("preflight"):
                self.session.journal.take_over(callback.tried.run)
            self._remedies = callback.tried.result.remedies
            callback.tried = None  # it is about this fit
        callback.run_dir = folder = self.session.recorder.folder
        self._live: Live | None = None
        if callback.refresh is not None and folder is not None:
            self._live = Live(folder, callback.refresh, callback.rules, callback.profile)
        self._sending: Sending | None = None
        if callback.destination is not None:
            with self.session.guarded("server"):
                from tfhealth.capture.sending import Sending  # whoever sends nothing need not have what it takes

                self._sending = Sending(self.session, callback.destination, bool(self.verbose))

    def _flushed(self) -> None:
        """Keep report and server fresh, and stop the training at a critical finding, where that was asked for."""
        if self._live is not None:
            self._live.refresh()
        if self._sending is not None:
            self._sending.wake()
        if self.on_fail != "stop" or self.session.model.stop_training:
            return
        run = self.session.recorder.snapshot()
        decisions = (decide(rule, run, overrides) for rule, overrides in self._critical)
        found = (seen for decision in decisions for _, seen, _ in decision.breaches)
        # What is missing while the training goes on may come yet.
        if any(seen.severity == "critical" and seen.by != "missing" for seen in found):
            self.session.model.stop_training = True

    def _died(self, error: BaseException) -> None:
        status = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"
        with self.session.guarded("run directory"):
            text = str(error)  # TensorFlow says the cause after a traceback
            short = text if len(text) <= 2000 else f"{text[:1000]} … {text[-1000:]}"
            self.session.recorder.meta(error=f"{type(error).__name__}: {short}")
        self.close(status)

    def epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record an epoch; print a line where there is a finding that was not there before."""
        self.session.epoch_end(epoch, logs)
        if self._sending is not None:
            with self.session.guarded("server"):
                self._sending.epoch_end()
        since = time.perf_counter() - self._judged_at
        if not self.verbose or self._judging_took > _LIVE_SHARE * since:
            return
        with self.session.guarded("live verdict"):
            began = time.perf_counter()
            found = evaluate(self.checklist, self.session.recorder.snapshot()).findings
            self._judged_at = time.perf_counter()
            self._judging_took = self._judged_at - began
            failing = {finding.rule: finding for finding in found if finding.verdict == "fail"}
            # Said once, and not before it was seen twice: a share of the run says little while the run is short.
            news = [finding for rule, finding in failing.items() if rule in self._suspected - self._said]
            if news:
                print(epoch_line(epoch, news), flush=True)
                self._said |= {finding.rule for finding in news}
            self._suspected = set(failing)

    def close(self, status: str) -> None:
        """End the run, judge it, write the report and print the summary; the second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.session.finish(status)
        if self._sending is not None:
            self._sending.wake()  # how it ended goes out while the report is written
        with self.session.guarded("report"):
            if self._live is not None:
                self._live.stop()
            self._report()
        if self._sending is not None:
            with self.session.guarded("server"):
                self._sending.close()
        with self.session.guarded("run directory"):
            self.session.recorder.close()

    def _report(self) -> None:
        run = self.session.recorder.snapshot()
        result = evaluate(self.checklist, run)
        still = {one.rule for one in result.findings}
        result = result.model_copy(update={"remedies": [one for one in self._remedies if one.rule in still]})
        written = None
        if run.path is not None:
            written = report.write_report(result, run, self.checklist, run.path, self.formats)
        callback = self.publish()
        if callback is not None:
            callback.result = result
        if self.verbose:
            print(summary(result, written), flush=True)
            if self.session.catch and self.session.catch.told:
                print(f"  {one_line(self.session.catch.told)}", inert(f"  {run.path}"), sep="\n", flush=True)
