"""Samples with NaN or Inf: how many there are, and whether a step on them spoils the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.experiments.model import Experiment, experiment
from tfhealth.series import Ints

__all__ = ["EXPERIMENTS"]

_SHOWN = 32  # samples that a step is taken on


@experiment("share", doc="the share of samples with NaN or Inf in inputs or targets, where a step on them does harm")
def nonfinite_samples(trial: Any) -> dict[str, Any]:
    """Yield the share of samples that hold NaN or Inf; 0 where loss and weights stay finite on them all the same.

    They do where a layer fills them in or masks them, or a loss of people's own leaves them out. That the loss alone
    is finite shows nothing: a ReLU may make 0 of NaN on the way forward, and the gradient is NaN none the less. The
    notes name the first samples.
    """
    x, y = trial.batch(trial.size)
    among_inputs, among_targets = _spoiled(x, trial.size), _spoiled(y, trial.size)
    rows = np.union1d(among_inputs, among_targets)
    if not len(rows) or _harmless(trial, rows[:_SHOWN]):
        return {"share": [0.0]}
    for part, found in (("inputs", among_inputs), ("targets", among_targets)):
        if len(found):
            first = ", ".join(map(str, found[:8]))
            trial.note(f"NaN or Inf in the {part} of {len(found)} samples, by number counted from 0: {first}")
    return {"share": [len(rows) / trial.size]}


def _spoiled(structure: Any, count: int) -> Ints:
    """Return the numbers of the samples of which an array holds NaN or Inf, ascending."""
    import keras

    found = np.zeros(count, bool)
    for one in map(np.asarray, keras.tree.flatten(structure)):
        if one.dtype.kind == "f":
            found |= ~np.isfinite(one).reshape(count, -1).all(1)
    return np.flatnonzero(found)


def _harmless(trial: Any, rows: Ints) -> bool:
    """Whether loss and weights are finite after a step on these samples."""
    model = trial.model(fresh=True)
    loss = trial.learn(model, *trial.rows(rows), 1, batch_size=len(rows))
    return bool(np.isfinite(loss).all() and all(np.isfinite(one).all() for one in model.get_weights()))


EXPERIMENTS: tuple[Experiment, ...] = (nonfinite_samples,)
