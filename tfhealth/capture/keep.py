"""A step about to run -> its batch and the variables it begins from, kept on the device until a step is hit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.exact import optimizers
from tfhealth.capture.handwritten import Loop
from tfhealth.capture.kept import LIMIT, Variable, packed, unpacked
from tfhealth.capture.nonfinite import Flags
from tfhealth.capture.rows import make_variables, outside

__all__ = ["Keeper", "state"]

State = list[tuple[Variable, Any]]


def state(model: Any) -> State:
    """Return all that a step begins from, but for its batch: the variables of a model and of its optimizers.

    Weights, moving statistics and the seeds of Keras's own random layers are among the first; metrics are not.
    """
    own = model.model if isinstance(model, Loop) else model
    metrics = {id(one) for one in own.metrics_variables}
    found = [("model", one) for one in own.variables if id(one) not in metrics]
    for number, optimizer in enumerate(optimizers(model)):
        found += [(f"optimizer {number}", one) for one in optimizer.variables]
    raw = [(group, one, one.value if isinstance(one, keras.Variable) else one) for group, one in found]
    return [
        (Variable(group=group, path=str(one.path), shape=tuple(value.shape), dtype=value.dtype.name), value)
        for group, one, value in raw
    ]


@dataclass(eq=False)
class _Trace:
    """What one trace of a step keeps: variables, of any size, for the batch, and the state that existed by then."""

    structure: Any
    leaves: Sequence[tuple[Any, Any]]
    shadows: Sequence[tuple[Variable, Any, Any]]

    def write(self) -> None:
        for leaf, value in self.leaves:
            leaf.assign(value)
        for _, own, shadow in self.shadows:
            shadow.assign(own)


@dataclass(eq=False)
class Keeper:
    """Keeps what the first step that is hit began from; no step after it is kept.

    Args:
        model: the model that is trained.
        flags: say whether a step was hit.

    Attributes:
        lacks: what is not kept, and why, one sentence each.
    """

    model: Any
    flags: Flags
    lacks: list[str] = field(default_factory=list)
    _held: tuple[Any, State] | None = None
    _shadows: dict[int, Any] = field(default_factory=dict)
    _traces: list[_Trace] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._trace = outside(lambda: tf.Variable(-1, dtype=tf.int32, trainable=False))

    @contextmanager
    def around(self, step: Callable[[Any], Any]) -> Iterator[Callable[[Any], Any]]:
        """Yield `step` with what keeps before it, for Keras to compile inside of the block.

        A batch may be of any size, which XLA's own functions cannot keep: of a model with jit_compile only the step
        itself is compiled by XLA, as Keras does it.
        """
        model = self.model
        if isinstance(model, Loop):
            model.before = self.before  # with arguments that are no tensors yet
            yield step
            model.before = None
            return
        jit = bool(model.jit_compile) and not model.run_eagerly
        inner = tf.function(step, reduce_retracing=True, jit_compile=True, autograph=False) if jit else step

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator] # TensorFlow is untyped
        def kept(data: Any) -> Any:
            self.before(data)
            return inner(data)

        try:
            if jit:
                model.jit_compile = False
            yield kept
        finally:
            if jit:
                model.jit_compile = True

    def before(self, data: Any) -> None:
        """Keep the batch and the state, unless a step was hit before; in a graph, or eagerly."""
        if tf.executing_eagerly():
            if self.flags.hit() is None:
                self._held = data, [(one, tf.identity(own)) for one, own in self._state()]
            return
        trace = self._traced(data)
        number = len(self._traces)
        self._traces.append(trace)

        def write() -> Any:
            trace.write()
            return tf.constant(number)

        self._trace.assign(tf.cond(self.flags.found < 0, write, self._trace.read_value))

    def _traced(self, data: Any) -> _Trace:
        values: list[Any] = []
        structure = packed(data, values)
        if any(not isinstance(one, tf.Tensor) for one in values):
            kinds = sorted({type(one).__name__ for one in values if not isinstance(one, tf.Tensor)})
            self._lack(f"the batch was not kept: it holds {', '.join(kinds)}")
            structure, values = packed(None, []), []
        leaves = [(outside(functools.partial(_of_any_size, one)), one) for one in values]
        return _Trace(structure, leaves, [(one, own, self._shadow(own)) for one, own in self._state()])

    def _shadow(self, own: Any) -> Any:
        if id(own) not in self._shadows:
            (self._shadows[id(own)],) = make_variables([(tuple(own.shape), own.dtype)])
        return self._shadows[id(own)]

    def _state(self) -> State:
        """Return the state there is by now, or nothing where it is too large."""
        if not self.model.built:
            return []
        found = state(self.model)
        size = sum(math.prod(one.shape) * own.dtype.size for one, own in found)
        if size > LIMIT:
            why = f"the variables take {size / 2**20:,.0f} MiB, and at most {LIMIT / 2**20:,.0f} are kept"
            self._lack(f"the weights before the step were not kept: {why}")
            return []
        return found

    def _lack(self, what: str) -> None:
        if what not in self.lacks:
            self.lacks.append(what)

    def kept(self) -> tuple[Any, State]:
        """Return the batch, a structure of arrays, and the state, of the last step that was kept."""
        if self._held is not None:
            return self._held
        trace = self._traces[int(self._trace.numpy())]
        batch = unpacked(trace.structure, [leaf.numpy() for leaf, _ in trace.leaves])
        return batch, [(one, shadow) for one, _, shadow in trace.shadows]


def _of_any_size(tensor: Any) -> Any:
    """Return a variable for tensors of this rank and dtype."""
    rank = tensor.shape.rank
    empty = tf.constant([], tensor.dtype) if rank is None else tf.zeros([0] * rank, tensor.dtype)
    return tf.Variable(empty, shape=tf.TensorShape(None), trainable=False)
