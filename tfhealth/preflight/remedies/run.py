"""(verdict, model, data) -> the verdict with what the changes that its findings advise did to clones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tfhealth.errors import UsageError
from tfhealth.experiments import Inapplicable
from tfhealth.preflight.remedies.builtin import IN_ORDER, REMEDIES
from tfhealth.preflight.remedies.model import Remedy, Setup, prepared
from tfhealth.preflight.remedies.training import Reached, reached
from tfhealth.preflight.remedies.words import told
from tfhealth.preflight.run import check_model
from tfhealth.preflight.source import gathered
from tfhealth.preflight.supply import OutOfTime
from tfhealth.preflight.trial import Trial
from tfhealth.preflight.untouched import untouched
from tfhealth.result import Finding, Result, Tried

__all__ = ["try_remedies"]

_SEED = 1234


def try_remedies(
    result: Result,
    model: Any,
    x: Any,
    y: Any = None,
    *,
    budget: float = 60.0,
    steps: int = 200,
    repeats: int = 5,
) -> Result:
    """Try what findings advise, where that is a concrete change: train clones with and without it, and compare.

    Both train from the same weights, on the same batches, for the same few steps, several times over. The model, its
    optimizer, the data and all random numbers to come are as before, bit for bit.

    Args:
        result: a verdict with findings, of a fit or of a preflight.
        model: the compiled model, trained or not; a trained one is tried from fresh weights.
        x: what `fit` takes.
        y: targets, where x is arrays.
        budget: seconds for everything; the leading findings come first.
        steps: steps of each training.
        repeats: trainings with and without each change, 5 or more: where nothing changes, five of five are better in
            3 % of all cases, which is as sure as a change is said to help or to do harm; each has to be so by 1 %.

    Returns:
        The verdict with `remedies`: for each finding that advises such a change what it did to the loss, with the
        half-width of its 95 % interval, or why it was not tried.

    Raises:
        UsageError: an argument that cannot be meant.

    Example:
        >>> from tfhealth import try_remedies
        >>> for tried in try_remedies(callback.result, model, x_train, y_train).remedies:
        ...     print(tried.rule, tried.sentence)
    """
    check_model(model)
    for name, value, least in (("steps", steps, 1), ("repeats", repeats, 5)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UsageError(f"{name} must be a whole number, at least {least}, received {value!r}")
    deadline = time.monotonic() + budget
    with untouched(_SEED):
        trial = Trial(_SEED, gathered(x, y), None, deadline, model)
        shuffle = not any({finding.rule, finding.checklist} & set(IN_ORDER) for finding in result.findings)
        comparison = _Comparison(trial, model, shuffle, steps, repeats)
        found = [one for finding in result.findings for one in comparison.of(finding)]
    return result.model_copy(update={"remedies": found})


@dataclass
class _Comparison:
    """Trains clones, without a change once, and with each change once, however many findings advise it."""

    trial: Trial
    model: Any
    shuffle: bool
    steps: int
    repeats: int
    _begun: Any = None
    _without: Reached | None = None
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, finding: Finding) -> Iterator[Tried]:
        """Yield what each remedy of a finding did, or why one that it advises was not tried."""
        for remedy in (one for one in REMEDIES if one.suits(finding)):
            if remedy.name not in self._known:
                self._known[remedy.name] = self._attempted(remedy)
            known = self._known[remedy.name]
            if known["change"] or remedy.advised(finding):
                yield Tried(rule=finding.rule, remedy=remedy.name, steps=self.steps, repeats=self.repeats, **known)

    def _attempted(self, remedy: Remedy) -> dict[str, Any]:
        try:
            return self._compared(remedy)
        except OutOfTime:
            why = "no time was left; a larger budget gives more"
        except Inapplicable as reason:
            why = str(reason)
        except Exception as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return {"change": "", "verdict": "not_tried", "sentence": f"not tried: {why}"}

    def _compared(self, remedy: Remedy) -> dict[str, Any]:
        setup = self._prepared()
        change = remedy.apply(setup)
        if self._without is None:
            self._without = reached(self._prepared(), self.steps, self.repeats)
        changed = reached(setup, self.steps, self.repeats)
        return {"change": change, **told(change, remedy.same_loss, self.steps, self._without, changed)}

    def _prepared(self) -> Setup:
        """Return a setup that begins where all others do, also where the weights of a clone are drawn."""
        setup = prepared(self.trial, self.model, self.shuffle)
        if self._begun is None:
            self._begun = setup.model.get_weights()
        setup.model.set_weights(self._begun)
        return setup
