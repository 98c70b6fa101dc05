"""(compiled model, samples) -> `Trial`: fresh clones of the one and copies from the other, and a time to be done by."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.preflight.clones import cloned
from tfhealth.preflight.compiled import compiled_like
from tfhealth.preflight.optimizers import optimizer_like, rate_of, restarter, stepped_already
from tfhealth.preflight.penalties import scaled
from tfhealth.preflight.plain import EXTRAS, plainly
from tfhealth.preflight.precision import NOISE, precise
from tfhealth.preflight.source import fed, rows_of
from tfhealth.preflight.steps import drawn, ready, stepped
from tfhealth.preflight.supply import Supply
from tfhealth.preflight.targets import classes_of, loss_name
from tfhealth.preflight.variants import resized, widened
from tfhealth.series import Floats, Ints

__all__ = ["Trial", "brief"]

_COLORS = re.compile(r"\x1b\[\d*m")  # in errors of Keras's


@dataclass(frozen=True, eq=False)
class Trial(Supply):
    """What an experiment is given; nothing that it does with it reaches the caller's model or data."""

    _model: Any
    _note: Callable[[str], None] = print

    def model(
        self,
        *,
        fresh: bool = False,
        plain: bool | Collection[str] = False,
        wider: int = 1,
        strength: Any = None,
        **changes: Any,
    ) -> Any:
        """Return a clone of the compiled model, with an optimizer that took no step yet.

        Args:
            fresh: with weights that its initializers draw, as if it had never been trained; else with the model's own.
            plain: without dropout, noise, augmentation, weight and activity regularization; or without some of them,
                by the names in `tfhealth.preflight.plain.EXTRAS`.
            wider: how many times as many units its hidden layers have; such a model is always fresh.
            strength: a `tf.Variable` by which every weight and activity regularizer is multiplied.
            changes: arguments of `compile` in place of those that the model was compiled with.

        Raises:
            Inapplicable: wider layers are asked for, and the model is neither Sequential nor functional or cannot be
                built of them; or another strength, and it has no regularizer.
        """
        self.check_time()
        clone = widened(self._model, wider) if wider > 1 else cloned(self._model, self.batch(1)[0], weights=not fresh)
        if plain:
            plainly(clone, EXTRAS if plain is True else plain)
        if strength is not None and not scaled(clone, strength):
            raise Inapplicable("the model has no weight or activity regularizer")
        compiled_like(clone, self._model, changes)
        return clone

    @contextmanager
    def precise(self) -> Iterator[Any]:
        """Give a clone without dropout and noise that computes in float64, as does its loss, for as long as the block.

        What has a type of its own in it, a cast to float32 or a layer that is told its type, keeps it; where the rest
        does not go together with it, the clone is as the model is.
        """
        with precise(self._model, *self.batch(2)) as clone:
            yield self.model(plain=NOISE) if clone is None else clone

    def resized(self, sizes: Sequence[tuple[int, ...]]) -> Any:
        """Return an uncompiled model of the same layers, with new weights, for inputs of these shapes, batch left out.

        Raises:
            Inapplicable: it is neither Sequential nor functional.
        """
        self.check_time()
        return resized(self._model, sizes)

    @cached_property
    def classes(self) -> Ints | None:
        """The class of each sample, int64[n], in the order of `batch`; None where the model has no single class output.

        Known by the loss and the targets: one-hot rows, integers under a sparse loss, or 0 and 1 under a binary one.
        """
        y = self._samples.y
        if y is None or len(keras.tree.flatten(y)) != 1:
            return None
        return classes_of(np.asarray(keras.tree.flatten(y)[0]), loss_name(self._model.loss))

    def learn(
        self,
        model: Any,
        x: Any,
        y: Any,
        steps: int,
        *,
        batch_size: int | None = None,
        each: Callable[[int], None] | None = None,
        order: int = 0,
        weight: Floats | None = None,
        shuffle: bool = True,
    ) -> Floats:
        """Train a clone for some steps on random batches; return the batch's loss before each step, float64[steps].

        The batches are the same for every model that is given the same x, y and size, so that what two clones learn
        can be compared step by step.

        Args:
            model: of `model()`.
            x: inputs.
            y: targets.
            steps: how many.
            batch_size: samples a batch, by default that of the caller's data.
            each: called with the number of each step before it is taken.
            order: another number, other batches.
            weight: of each sample, float[n].
            shuffle: whether batches are drawn at random; else they come in the order of the samples, over and over.

        Raises:
            ValueError: the model has a train step of its own, which returns no loss.
        """
        count = len(keras.tree.flatten(x)[0])
        batches = drawn(count, min(batch_size or self.batch_size, count), self.seed + order if shuffle else None)
        losses = []
        ready(model)
        for step, rows in zip(range(steps), batches, strict=False):
            self.check_time()
            if each is not None:
                each(step)
            weights = None if weight is None else weight[rows].astype(np.float32)
            losses.append(stepped(model, rows_of(x, rows), rows_of(y, rows), weights))
        return np.array(losses)

    def fit(self, model: Any, x: Any, y: Any) -> None:
        """Train a clone for an epoch as the caller would, by `fit`."""
        self.check_time()
        model.fit(fed(x), y, batch_size=self.batch_size, verbose=0)

    def evaluate(self, model: Any, x: Any, y: Any) -> None:
        """Evaluate a clone, where it has what that takes: a loss, or a test step of its own."""
        self.check_time()
        if model._compile_loss is None and type(model).test_step is keras.Model.test_step:
            self.note(f"evaluate: {type(model).__name__} is compiled without a loss and has no test_step of its own")
        else:
            model.evaluate(fed(x), y, batch_size=self.batch_size, verbose=0)

    def restart(self, model: Any) -> Callable[[], None]:
        """Build a clone and its optimizer; return what puts both back to where they are now, for another training."""
        if not model.built:
            model(keras.tree.map_structure(keras.ops.convert_to_tensor, self.batch(1)[0]))
        return restarter(model)

    def loss(self, model: Any, x: Any, y: Any) -> float:
        """Return the loss of a clone on these samples as one batch in test mode, penalties included."""
        self.check_time()
        model.reset_metrics()
        return float(model.test_on_batch(x, y, return_dict=True)["loss"])

    def predictions(self, model: Any, x: Any, batch_size: int = 32) -> list[Any]:
        """Return what a clone predicts of these samples in test mode: an array for each output.

        Raises:
            Inapplicable: it has no `call`.
        """
        self.check_time()
        if type(model).call is keras.Model.call:
            raise Inapplicable(f"{type(model).__name__} has no call(), so that it predicts nothing")
        return [np.asarray(one) for one in keras.tree.flatten(model.predict(fed(x), batch_size=batch_size, verbose=0))]

    def optimizer(self, **changes: Any) -> Any:
        """Return an optimizer like the caller's that took no step, with other settings, e.g. `learning_rate=0.1`."""
        return optimizer_like(self._model.optimizer, changes)

    @property
    def learning_rate(self) -> float:
        """The learning rate in use; of a schedule the highest that it reaches in 10,000 steps."""
        return rate_of(self._model.optimizer)

    @property
    def trained(self) -> bool:
        """Whether the caller's model took a step of its training already."""
        return stepped_already(self._model.optimizer)

    @cached_property
    def extras(self) -> list[str]:
        """What the model has of `tfhealth.preflight.plain.EXTRAS`."""
        return plainly(cloned(self._model, self.batch(1)[0]))

    @cached_property
    def chance(self) -> float | None:
        """The cross-entropy of a uniform guess in nats; None for any other loss, and for several outputs."""
        name = loss_name(self._model.loss)
        if name.endswith("binary_crossentropy"):
            return math.log(2)
        if name not in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
            return None
        units = self.predictions(self.model(), self.batch(1)[0])[0].shape[-1]
        return math.log(units) if units > 1 else None

    def note(self, why: str) -> None:
        """Say something in the notes of the run: what an experiment met that its numbers do not tell."""
        self._note(brief(why))


def brief(text: str) -> str:
    """Return a text in one line without colors; of a long one both ends."""
    line = " ".join(_COLORS.sub("", text).split())  # TensorFlow says the cause at the end, Python at the beginning
    return line if len(line) <= 500 else f"{line[:250]} … {line[-250:]}"
