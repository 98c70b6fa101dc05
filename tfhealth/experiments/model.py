"""What an experiment is: a function on a trial of the model, and the statistics that it yields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfhealth.offers import NAME

__all__ = ["Experiment", "Inapplicable", "Yielded", "experiment"]

Yielded = Mapping[str, Sequence[float]]
"""{statistic: values at steps 0, 1, 2 …}"""


class Inapplicable(Exception):  # noqa: N818 - no error: there is nothing to try
    """Ends an experiment that has no meaning for this model or these data; its text says why, as half a sentence."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment.

    Attributes:
        name: as rules write it: `where: {name: overfit_tiny}`.
        statistics: the names of what it yields.
        doc: what it does, in one line.
        run: a `tfhealth.preflight.trial.Trial` -> what was yielded.
        quick: whether it is part of a quick preflight: of the order of seconds for a small network.
    """

    name: str
    statistics: tuple[str, ...]
    doc: str
    run: Callable[[Any], Yielded]
    quick: bool = True


def experiment(*statistics: str, doc: str, quick: bool = True) -> Callable[[Callable[[Any], Yielded]], Experiment]:
    """Make an experiment of a function that takes a trial of the model to {statistic: values at steps 0, 1, 2 …}.

    The trial has `model()`, a fresh clone of the compiled model, `batch(n)`, the first n samples and their targets,
    `seed`, and `check_time()`, which a long loop calls and which raises when there is no time left; all that it has
    is in `tfhealth.preflight.trial.Trial`. Where there is nothing to try the function raises `Inapplicable`. It
    imports TensorFlow or Keras inside of itself, so that judging a recorded run does not load them.

    Args:
        statistics: the names of everything that it yields.
        doc: what it does, in one line.
        quick: whether it is part of a quick preflight; if not, only a full one runs it.

    Raises:
        ValueError: an argument that cannot be meant.

    Example:
        >>> @experiment("loss", doc="loss on the first 32 samples before any training")
        ... def loss_at_start(trial):
        ...     x, y = trial.batch(32)
        ...     return {"loss": [trial.model().evaluate(x, y, verbose=0, return_dict=True)["loss"]]}
    """
    if not statistics:
        raise ValueError("an experiment yields at least one statistic; none is named")
    for name in statistics:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"statistic {name!r}: a name is at most 60 small letters, digits and _, a letter first")
    if len(set(statistics)) < len(statistics):
        raise ValueError(f"each statistic is named once, received {', '.join(statistics)}")
    if not doc.strip():
        raise ValueError("doc is what the experiment does, in one line; it is empty")

    def made(function: Callable[[Any], Yielded]) -> Experiment:
        return Experiment(function.__name__, statistics, doc.strip(), function, quick)

    return made
