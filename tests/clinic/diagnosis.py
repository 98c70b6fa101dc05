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
from tfhealth import HealthCallback
from tfhealth.result import Result

HARMLESS = [
    "The model does not have any trainable weights",
    "Gradients do not exist",
    "You are using a softmax over axis",
    "Your input ran out of data",
]


@functools.cache
def diagnosed(program: Callable[[], Program], seed: int = 0) -> Result:
    """Train a program under the callback as shipped; a program that two pairs share is trained once a seed."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, x, y, settings = program()
    if isinstance(x, np.ndarray | list | dict) and not {"validation_data", "validation_split"} & set(settings):
        settings = {"validation_split": 0.2, **settings}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        for beginning in HARMLESS:
            warnings.filterwarnings("ignore", beginning, UserWarning)
        callback = HealthCallback(**quiet(Path(folder)))
        model.fit(x, y, **{"verbose": 0, **settings, "callbacks": [*settings.get("callbacks", []), callback]})
    assert callback.result is not None
    return callback.result
