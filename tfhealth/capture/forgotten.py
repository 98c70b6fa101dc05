"""Weights that no optimizer is given -> whether they are, at the end, still what their initializer drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfhealth.capture.initializers import first_values, initializer_of, looks_drawn
from tfhealth.capture.journal import Journal
from tfhealth.capture.sites import LeftOut, Located

__all__ = ["Forgotten"]

_LOOKED_AT = 1 << 12  # elements


@dataclass(eq=False)
class Forgotten:
    """Watches weights that nothing trains; a step may change them by hand, as it does those of a moving average.

    Args:
        journal: where it is recorded, as the attribute `forgotten`.
    """

    journal: Journal
    _began: dict[str, tuple[Located, LeftOut, NDArray[Any]]] = field(default_factory=dict)

    def noticed(self, located: Sequence[Located]) -> None:
        """Keep what the weights among the sites of a step, which is being traced, hold before it."""
        with tf.init_scope():
            for one in located:
                left = one.left_out
                if left is not None and one.site.name not in self._began:
                    self._began[one.site.name] = one, left, first_values(left.variable, _LOOKED_AT)

    def settle(self) -> None:
        """Record which of them did not change."""
        for one, left, before in self._began.values():
            drawn = left.layer is None or looks_drawn(left.variable, initializer_of(left.variable, left.layer))
            still = np.array_equal(first_values(left.variable, _LOOKED_AT), before, equal_nan=True)
            self.journal.seen([Located(one.site, None, one.attributes | {"forgotten": drawn if still else False})])
