"""Golden tests: what every network must be able to do, whatever it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfhealth.experiments.model import Experiment, experiment

__all__ = ["EXPERIMENTS"]

_STEPS = 200
_LOOKED_AT = 64  # samples among which a second one unlike the first is looked for


@experiment("loss", "change", doc="the loss, while two samples are learned for 200 steps as the model was compiled")
def overfit_tiny(trial: Any) -> dict[str, list[float]]:
    """Yield the loss before each step, with regularization and dropout as they are, and (loss − first) / |first|.

    The change is -1 where nothing of a positive loss is left, and falls further where a loss can be negative.
    """
    samples = trial.batch(_LOOKED_AT)
    x, y = _rows(samples, [0, _unlike_the_first(samples)])
    model = trial.model()
    losses = []
    for _ in range(_STEPS):
        trial.check_time()
        model.reset_metrics()  # else Keras returns a mean over all steps so far
        losses.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
    first = losses[0]
    if first == 0:
        raise ValueError("the loss of the two samples is 0 from the start: there is nothing to learn")
    return {"loss": losses, "change": [(loss - first) / abs(first) for loss in losses]}


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


EXPERIMENTS: tuple[Experiment, ...] = (overfit_tiny,)
