"""One tensor of a step -> what its sums share, computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.series import Attribute

__all__ = ["Context", "Reduction", "where"]

_SHORT = 1 << 12


@dataclass
class Context:
    """One tensor to reduce.

    Attributes:
        tensor: any float or integer dtype; it is cast to float32 once.
        attributes: of the tensor's site.
        state: makes or finds a variable that lives as long as the probes: (name, shape) -> tf.Variable.
        parts: further tensors, numbers or text by name, where a sum needs them (`PART_OF`), or functions of no
            arguments that make them; None for a part not there.
        fixed_size: number of elements, where it is the same in every trace, as a variable's is.
    """

    tensor: Any
    attributes: Mapping[str, Attribute]
    state: Callable[[str, tuple[int, ...]], Any]
    parts: Mapping[str, Any] = field(default_factory=dict)
    fixed_size: float | None = None
    _made: dict[Any, Any] = field(default_factory=dict)

    @functools.cached_property
    def axes(self) -> Any:
        """All axes, int32 [rank], of which every reduction would make its own; None where they are not known."""
        rank = self.tensor.shape.rank
        return None if rank is None else tf.constant(np.arange(rank, dtype=np.int32))

    @functools.cached_property
    def x(self) -> Any:
        """The tensor as float32."""
        return self.tensor if self.tensor.dtype == tf.float32 else tf.cast(self.tensor, tf.float32)

    @functools.cached_property
    def rows(self) -> Any:
        """The tensor as a matrix, float32 [any, length of the last axis]."""
        return self.x if self.x.shape.rank == 2 else tf.reshape(self.x, [-1, self.x.shape[-1]])

    @property
    def short(self) -> bool:
        """Whether the tensor is a small vector of a length that is known, as a bias is."""
        size = self.fixed_size
        return size is not None and self.tensor.shape.rank == 1 and size <= _SHORT

    @functools.cached_property
    def count(self) -> Any:
        """The number of elements, int32."""
        return tf.size(self.tensor)

    @functools.cached_property
    def size(self) -> Any:
        """The number of elements, float32."""
        return tf.cast(self.count, tf.float32)

    @property
    def known_size(self) -> Any:
        """The number of elements: a number where that is the same in every trace, else float32."""
        return self.size if self.fixed_size is None else self.fixed_size

    @functools.cached_property
    def length(self) -> Any:
        """The length of the first axis, int32; 1 for a scalar."""
        if not self.tensor.shape.rank:
            return tf.constant(1)
        each = self.tensor.shape[1:].num_elements()
        # A slice of the shape would take five operations; the number of elements is counted in most cases.
        return (self.count if each == 1 else self.count // each) if each else tf.shape(self.tensor)[0]

    @functools.cached_property
    def samples(self) -> Any:
        """The length of the first axis, float32; 1 for a scalar."""
        return tf.cast(self.length, tf.float32)

    def once(self, make: Callable[[Context], Any]) -> Any:
        """Return `make(self)`, made at its first use: several sums are computed from it."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]

    def keep(self, make: Callable[[Context], Any], value: Any) -> None:
        """Have `once` return `value` for `make`: it was made for several contexts at once."""
        self._made[make] = value

    def has(self, make: Callable[[Context], Any]) -> bool:
        """Tell whether `once` would return what is made already."""
        return make in self._made

    def part(self, name: str) -> Any:
        """Return a further tensor, number or text that the site's sums need."""
        if name not in self._made:
            part = self.parts[name]
            self._made[name] = part() if callable(part) else part
        return self._made[name]


def where(condition: Any, x: Any, value: float) -> Any:
    """Return `x` where `condition` holds and `value` elsewhere; all of one shape, or TensorFlow is ten times slower."""
    return tf.where(condition, x, tf.fill(tf.shape(x), value))


Reduction = Callable[[Context], Any]
"""A function that takes a context to a scalar, float32 or int32, or to a number known while tracing."""
