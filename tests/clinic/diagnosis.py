"""A program of the clinic and a seed -> the result of training it under the callback as shipped."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tests.clinic.pair import Program
from tests.models import quiet
from tfhealth import HealthCallback, evaluate, load_checklist, load_run
from tfhealth.result import Result

HARMLESS = [
    "The model does not have any trainable weights",
    "Gradients do not exist",
    "You are using a softmax over axis",
    "Your input ran out of data",
]


@functools.cache
def diagnosed(program: Callable[[], Program], seed: int = 0, kept: Path | None = None) -> Result:
    """Train a program under the callback as shipped, and judge it; one that two pairs share is trained once a seed.

    Args:
        program: returns a compiled model and what to fit it with.
        seed: of everything that draws.
        kept: a folder of runs; one that is there is judged by the rules of today, and not trained again.
    """
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        if kept is None:
            return _trained(program, seed, Path(folder))
        run = kept / f"{program.__name__}-{seed}"
        if not run.exists():
            _trained(program, seed, Path(folder))
            (made,) = Path(folder).iterdir()
            made.rename(run)
        return evaluate(load_checklist(), load_run(run))


def _trained(program: Callable[[], Program], seed: int, folder: Path) -> Result:
    """Train a program, recording it in `folder`, and return what the callback says of it."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, x, y, settings = program()
    if isinstance(x, np.ndarray | list | dict) and not {"validation_data", "validation_split"} & set(settings):
        settings = {"validation_split": 0.2, **settings}
    with warnings.catch_warnings():
        for beginning in HARMLESS:
            warnings.filterwarnings("ignore", beginning, UserWarning)
        callback = HealthCallback(**quiet(folder))
        model.fit(x, y, **{"verbose": 0, **settings, "callbacks": [*settings.get("callbacks", []), callback]})
    assert callback.result is not None
    return callback.result
