"""A model's train or test function -> one that stands in its place for one execution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["StandIn", "put_back", "stand_in"]


@dataclass(frozen=True, eq=False)
class StandIn:
    """What a model calls in the place of Keras's own function; the first thing `run` does is to put that back.

    Args:
        run: takes the iterator over batches, as Keras's function does.
        own: Keras's function.
    """

    run: Callable[[Any], Any]
    own: Any

    def __call__(self, iterator: Any) -> Any:
        """Run one execution."""
        return self.run(iterator)


def stand_in(model: Any, name: str, function: Any) -> None:
    """Have the model call `function` by this name, past Keras's book on what is set on a model: it is felt."""
    vars(model)[name] = function


def put_back(model: Any, name: str) -> None:
    """Put the model's own `name` back where a fit ended before its execution began."""
    function = getattr(model, name)
    if isinstance(function, StandIn):
        stand_in(model, name, function.own)
