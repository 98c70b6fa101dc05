"""A model that is about to train, and what to probe -> the probes of its train step, and those of its test step."""

from __future__ import annotations

from typing import Any, Literal

import keras

from tfhealth.capture.extras import Asked, Extras
from tfhealth.capture.journal import Journal
from tfhealth.capture.known import Known
from tfhealth.capture.probes import Probes
from tfhealth.capture.replica import SPACING, elsewhere, unsupported
from tfhealth.capture.validation import ValidationProbes, asked_for
from tfhealth.plan import Plan

__all__ = ["of_testing", "of_training"]

_ROWS = 64  # that fit on the device between two flushes


def of_training(
    known: Known, plan: Plan, asked: Asked, first_step: int, count: int, exact: bool, every: int | Literal["auto"]
) -> Probes | None:
    """Return the probes of a train step; None, and a note, where its steps cannot be probed.

    Args:
        known: the model, and where notes go.
        plan: what to probe.
        asked: what to keep beside the statistics.
        first_step: optimizer steps taken before the fit.
        count: steps of one execution.
        exact: whether statistics are taken in a second pass.
        every: which steps are probed, as of `Schedule`.
    """
    journal, strategy = known.journal, known.model.distribute_strategy
    why = unsupported(strategy, exact)
    if why is not None:
        journal.note("probes", why)
        return None
    _note_parts(strategy, journal)
    first = -1 if journal.steps_before else first_step  # a run that goes on had its first step
    told = (journal.note, journal.failed, known.seen)
    separate = count == 1 and every != "auto" and every < SPACING
    probes = Probes(known.model, strategy, plan, first, *told, max(_ROWS, 2 * count), separate=separate)
    probes.extras = Extras(asked, journal, probes.replicas, known.params)
    return probes


def _note_parts(strategy: Any, journal: Journal) -> None:
    """Say what is seen of each batch where other processes have parts of it."""
    away, replicas = elsewhere(strategy), strategy.num_replicas_in_sync
    if away:
        share = f"{replicas - away} of {replicas}"
        what = f"inputs, labels, activations and loss are this worker's part of each batch, {share}"
        journal.note("replicas", what)


def of_testing(training: Probes, journal: Journal) -> ValidationProbes | None:
    """Return the probes of a test step, beside those of the train step; None where no rule asks for them."""
    if not asked_for(training.plan):
        return None
    if not isinstance(training.model, keras.Model):
        journal.note("validation", "a hand-written loop evaluates in its own way")
        return None
    return ValidationProbes.beside(training)
