"""Golden tests: what every network must be able to do, whatever it is for."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.own import is_own, repeats
from tfhealth.experiments.model import Experiment, Inapplicable, experiment

__all__ = ["EXPERIMENTS"]

_STEPS = 200
_FIFTY = 50
_BLOCKS = 10
_LOOKED_AT = 64  # samples among which a second one unlike the first is looked for


@experiment("loss", "change", doc="the loss, while two samples are learned for 200 steps without regularization")
def overfit_tiny(trial: Any) -> dict[str, Any]:
    """Yield the loss before each step, without regularization, dropout and augmentation, and (loss − first) / |first|.

    The change is -1 where nothing of a positive loss is left, and falls further where a loss can be negative.
    """
    samples = trial.batch(_LOOKED_AT)
    x, y = _rows(samples, [0, _unlike_the_first(samples)])
    return _learned(trial, x, y, _STEPS, 2)


@experiment("loss", "change", doc="the loss, while fifty samples are learned for 500 steps without regularization")
def overfit_fifty(trial: Any) -> dict[str, Any]:
    """Yield what `overfit_tiny` does, of fifty samples from all over the data, in batches of ten."""
    if trial.size < _FIFTY:
        raise Inapplicable(f"there are {trial.size} samples, and it takes {_FIFTY}")
    x, y = trial.sample(_FIFTY)
    return _learned(trial, x, y, 500, 10)


def _learned(trial: Any, x: Any, y: Any, steps: int, batch_size: int) -> dict[str, Any]:
    losses = trial.learn(trial.model(plain=True), x, y, steps, batch_size=batch_size)
    first = losses[0]
    if first == 0:
        raise ValueError("the loss of these samples is 0 from the start: there is nothing to learn")
    return {"loss": losses, "change": (losses - first) / abs(first)}


@experiment(
    "real", "shuffled", "difference", quick=False, doc="the loss on samples with their own targets and with others'"
)
def shuffled_labels(trial: Any) -> dict[str, Any]:
    """Yield both losses at each of 200 steps, and how far they are apart over the second half, in standard errors.

    Both clones are fresh, and see the same inputs in the same order. The difference is the mean over steps of
    (shuffled − real), divided by its standard error over ten blocks of steps.
    """
    x, y = trial.sample(trial.size)
    if y is None:
        raise Inapplicable("there are no targets to shuffle")
    others = np.random.default_rng(trial.seed + 1).permutation(trial.size)
    real, shuffled = (
        trial.learn(trial.model(fresh=True), x, targets, _STEPS) for targets in (y, _rows(y, list(others)))
    )
    blocks = (shuffled - real)[_STEPS // 2 :].reshape(_BLOCKS, -1).mean(1)
    error = blocks.std(ddof=1) / math.sqrt(_BLOCKS)
    apart = blocks.mean() / error if error else 0.0 if not blocks.mean() else math.copysign(math.inf, blocks.mean())
    return {"real": real, "shuffled": shuffled, "difference": [apart]}


@experiment("stages", doc="how many stages run: fit, evaluate, predict, save, load")
def smoke(trial: Any) -> dict[str, Any]:
    """Yield how many of five stages ran, 5 for all; what ended it is told in the notes of the run.

    A model without a loss has nothing to evaluate; of one without `call` only the fit can be tried.
    """
    trial.model()  # what no clone can be made of has not failed a stage
    begun: list[str] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            begun.extend(_stages(trial, Path(folder) / "model.keras"))
    except Inapplicable:
        raise
    except Exception as error:
        trial.note(f"{begun.pop()}: {type(error).__name__}: {error}")
    return {"stages": [len(begun)]}


def _stages(trial: Any, path: Path) -> Iterator[str]:
    """Yield the name of each stage before it runs."""
    import keras

    x, y = trial.batch(trial.batch_size)
    yield "fit"
    trial.fit(trial.model(), *trial.batch(2 * trial.batch_size))
    yield "evaluate"
    trial.evaluate(trial.model(), x, y)
    yield "predict"
    model = trial.model()
    before = trial.predictions(model, x)
    yield "save"
    known = {type(layer).__name__: type(layer) for layer in (model, *model._flatten_layers())}
    model.save(path)
    yield "load"
    with keras.saving.custom_object_scope(known):  # who loads it elsewhere has the classes as well
        loaded = keras.saving.load_model(path, compile=False, safe_mode=False)  # its lambdas are its own
    for one, other in zip(before, trial.predictions(loaded, x), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6, err_msg="the loaded model predicts something else")


@experiment(
    "randomness",
    "dependence",
    "drawn",
    doc="whether the answer in test mode is always the same, whatever else is in the batch",
)
def test_mode(trial: Any) -> dict[str, Any]:
    """Yield how far two predictions of one sample are apart, and of one sample alone and in a batch.

    Both are the largest difference over the spread of the predictions, or over 1e-3 of their size where they have none.
    `drawn` is 1 where a layer of people's own draws, whom `custom_layers` tries, and 0 where none does.
    """
    x, _ = trial.batch(max(2, min(32, trial.size)))
    model = trial.model()
    if any(getattr(layer, "stateful", False) for layer in model._flatten_layers(include_self=False)):
        raise Inapplicable("a stateful layer carries what it has seen from one call to the next")
    first, again = (trial.predictions(model, x, len(_first(x))) for _ in range(2))
    pairs = list(zip(first, again, trial.predictions(model, _rows(x, [0])), strict=True))
    scales = [max(float(np.std(one)), 1e-3 * float(np.abs(one).max()), 1e-12) for one, _, _ in pairs]
    random = [float(np.abs(one - two).max()) / scale for (one, two, _), scale in zip(pairs, scales, strict=True)]
    mixed = [float(np.abs(one[:1] - lone).max()) / scale for (one, _, lone), scale in zip(pairs, scales, strict=True)]
    own = any(is_own(layer) for layer in model._flatten_layers(include_self=False))
    return {"randomness": [max(random)], "dependence": [max(mixed)], "drawn": [int(own and _draws(trial, x))]}


def _draws(trial: Any, x: Any) -> bool:
    """Whether answers in test mode are random where Keras's own dropout and noise are taken out."""
    model = trial.model(plain=("dropout", "noise", "augmentation"))
    return not repeats(lambda: trial.predictions(model, x, len(_first(x))))


def _first(structure: Any) -> Any:
    return next(_arrays(structure))


def _unlike_the_first(samples: Any) -> int:
    """Return the first row that differs from row 0 in its inputs and its targets; else the last that can be had.

    Two samples with the same target are learned without a look at them.
    """
    x, y = (list(_arrays(part)) for part in samples)
    count = len(x[0])
    differing = (row for row in range(1, count) if _differs(x, row) and _differs(y, row))
    return next(differing, min(1, count - 1))


def _differs(arrays: list[Any], row: int) -> bool:
    return any(not np.array_equal(one[0], one[row]) for one in arrays)


def _arrays(structure: Any) -> Iterator[Any]:
    """Yield every array of nested mappings, lists and tuples."""
    if isinstance(structure, Mapping | list | tuple):
        for one in structure.values() if isinstance(structure, Mapping) else structure:
            yield from _arrays(one)
    elif structure is not None:
        yield structure


def _rows(structure: Any, rows: list[int]) -> Any:
    """Return the same structure with these rows of every array."""
    if isinstance(structure, Mapping):
        return {name: _rows(one, rows) for name, one in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_rows(one, rows) for one in structure)
    return None if structure is None else structure[rows]


EXPERIMENTS: tuple[Experiment, ...] = (overfit_tiny, overfit_fifty, shuffled_labels, smoke, test_mode)
