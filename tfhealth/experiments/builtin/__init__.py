"""The built-in experiments, every one once, chapter by chapter; those of a quick preflight first in each."""

from __future__ import annotations

from tfhealth.experiments.builtin import golden
from tfhealth.experiments.model import Experiment

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: tuple[Experiment, ...] = (*golden.EXPERIMENTS,)
