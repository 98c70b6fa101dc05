"""The built-in experiments, every one once, chapter by chapter; those of a quick preflight first in each."""

from __future__ import annotations

from tfhealth.experiments.builtin import (
    architecture,
    baseline,
    corpus,
    data,
    finite,
    golden,
    implementation,
    layers,
    loss,
    optimizer,
    own,
    relation,
)
from tfhealth.experiments.model import Experiment

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: tuple[Experiment, ...] = (
    *golden.EXPERIMENTS,
    *finite.EXPERIMENTS,
    *data.EXPERIMENTS,
    *relation.EXPERIMENTS,
    *corpus.EXPERIMENTS,
    *baseline.EXPERIMENTS,
    *implementation.EXPERIMENTS,
    *own.EXPERIMENTS,
    *layers.EXPERIMENTS,
    *architecture.EXPERIMENTS,
    *loss.EXPERIMENTS,
    *optimizer.EXPERIMENTS,
)
