"""What a remedy is: a change of one short training, and the rules whose findings advise it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.preflight.clones import cloned
from tfhealth.preflight.compiled import compiled_like
from tfhealth.preflight.penalties import scaled
from tfhealth.preflight.trial import Trial
from tfhealth.result import Finding
from tfhealth.series import Floats

__all__ = ["Remedy", "Setup", "prepared"]


@dataclass
class Setup:
    """One short training, before it begins. A remedy changes it in place.

    Attributes:
        trial: for what it knows of the caller's model and data.
        original: the caller's model, to be looked at only.
        model: a clone of it, which is compiled after the remedy.
        x: inputs, NumPy arrays.
        y: targets, likewise.
        shuffle: whether batches are drawn at random.
        strength: by which every regularizer of the clone is multiplied.
        weight: of each sample, float[n], or None.
        changes: arguments of `compile` in place of the model's own.
    """

    trial: Trial
    original: Any
    model: Any
    x: Any
    y: Any
    shuffle: bool
    strength: Any
    weight: Floats | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    def compile(self) -> None:
        """Compile the clone like the model, with the changes."""
        compiled_like(self.model, self.original, self.changes)


@dataclass(frozen=True)
class Remedy:
    """One concrete change.

    Attributes:
        name: in small letters, for machines.
        rules: ids of rules and names of rows whose findings advise it.
        apply: changes a setup; returns what it changed, the subject of a sentence, Markdown. Raises `Inapplicable`
            where there is nothing to change, or it cannot be.
        same_loss: whether the loss means the same with and without it, so that both can be compared.
        symptoms: others whose cause may be what it changes; it is tried where it applies, and not mentioned elsewhere.
    """

    name: str
    rules: tuple[str, ...]
    apply: Callable[[Setup], str]
    same_loss: bool = True
    symptoms: tuple[str, ...] = ()

    def advised(self, finding: Finding) -> bool:
        """Whether a finding advises it."""
        return finding.rule in self.rules or finding.checklist in self.rules

    def suits(self, finding: Finding) -> bool:
        """Whether it is tried for a finding."""
        return self.advised(finding) or finding.rule in self.symptoms or finding.checklist in self.symptoms


def prepared(trial: Trial, original: Any, shuffle: bool) -> Setup:
    """Return a setup without any change.

    The clone has the model's weights. Where the model was trained already, it has fresh ones as at the beginning; those
    of frozen layers are kept, since they came from elsewhere.
    """
    x, y = trial.sample(trial.size) if shuffle else trial.batch(trial.size)
    model = cloned(original, trial.batch(1)[0], weights=not trial.trained)
    if trial.trained:
        for mine, theirs in zip(model._flatten_layers(), original._flatten_layers(), strict=True):
            if not theirs.trainable:
                mine.set_weights([np.array(one) for one in theirs.get_weights()])
    if not model.built:
        model(keras.tree.map_structure(keras.ops.convert_to_tensor, trial.batch(1)[0]))
    strength = tf.Variable(1.0, trainable=False)
    scaled(model, strength)
    return Setup(trial, original, model, x, y, shuffle, strength)
