"""Weights that no optimizer is given -> whether they are, at the end, still what their initializer drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfhealth.capture.initializers import initializer_of, looks_drawn
from tfhealth.capture.journal import Journal
from tfhealth.capture.sites import Located

__all__ = ["Forgotten"]

_LOOKED_AT = 1 << 12  # elements


@dataclass(eq=False)
class Forgotten:
    """Watches weights that nothing trains; a step may change them by hand, as it does those of a moving average.

    Args:
        journal: where it is recorded, as the attribute `forgotten`.
    """

    journal: Journal
    _began: dict[str, tuple[Located, NDArray[Any]]] = field(default_factory=dict)

    def noticed(self, located: Sequence[Located]) -> None:
        """Keep what the weights among the sites of a step, which is being traced, hold before it."""
        with tf.init_scope():
            for one in located:
                if one.left_out is not None and one.site.name not in self._began:
                    self._began[one.site.name] = one, _values(one.left_out.variable)

    def settle(self) -> None:
        """Record which of them did not change."""
        for one, before in self._began.values():
            assert one.left_out is not None
            variable, layer = one.left_out.variable, one.left_out.layer
            drawn = looks_drawn(variable, initializer_of(variable, layer))
            still = np.array_equal(_values(variable), before, equal_nan=True)
            self.journal.seen([Located(one.site, None, one.attributes | {"forgotten": drawn if still else False})])


def _values(variable: Any) -> NDArray[Any]:
    """Return the first values of a variable."""
    rows = max(1, _LOOKED_AT * int(variable.shape[0]) // max(int(np.prod(variable.shape)), 1)) if variable.shape else 1
    return np.asarray(keras.ops.convert_to_numpy(variable[:rows] if variable.shape else variable))
