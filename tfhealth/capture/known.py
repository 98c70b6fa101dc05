"""A model and what a fit was told -> facts and layer sites in a Journal, again once the first batch has built it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfhealth.capture import facts, sites
from tfhealth.capture.facts.averages import idle
from tfhealth.capture.forgotten import Forgotten
from tfhealth.capture.journal import Journal
from tfhealth.capture.monitors import Monitors
from tfhealth.capture.sites import Located
from tfhealth.capture.told import Facts

__all__ = ["Known"]


@dataclass(eq=False)
class Known:
    """What can be known of a fit without a step of it.

    Args:
        model: the compiled model.
        journal: where it goes.
        params: what Keras tells callbacks about the fit.
        told: what the callback was told about it.
        others: the other callbacks of the fit; None where they are not known.
    """

    model: Any
    journal: Journal
    params: Mapping[str, Any]
    told: Sequence[Facts]
    others: Sequence[Any] | None = None
    unbuilt: bool = False
    forgotten: Forgotten = field(init=False)
    _monitors: Monitors | None = None
    _logged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.forgotten = Forgotten(self.journal)

    def record(self) -> None:
        """Record the facts of a fit that is about to begin."""
        found, layers, failed = facts.collect(self.model, self.params, self.told)
        for name, attributes in found.items():
            self.journal.fact(name, attributes)
        for group, why in failed:
            self.journal.note(group, why)
        self.unbuilt = not facts.built(self.model)
        if not self.unbuilt:  # a layer that is not built has neither variables nor its name yet
            self._layers(layers)
        self.journal.seen([Located(site, None, weight) for site, weight in sites.frozen(self.model)])
        if self.others is not None:
            with self.journal.guarded("callbacks"):
                self._monitors = Monitors(self.others, self.model)

    def seen(self, located: Sequence[Located]) -> None:
        """Record the sites of a step that is being traced."""
        self.journal.seen(located)
        with self.journal.guarded("forgotten"):
            self.forgotten.noticed(located)

    def record_late(self) -> None:
        """Record what a model that is built by its first batch has become; of others nothing is new."""
        if not self.unbuilt:
            return
        with self.journal.guarded("facts"):
            self.unbuilt = False
            found, layers, _ = facts.collect(self.model, self.params, self.told)
            self._layers(layers)
            self.journal.fact("model", found["model"] | {"built": False})

    def epoch_ended(self, names: Iterable[str]) -> None:
        """Take note of what Keras logs at the end of an epoch."""
        self._logged.update(names)

    def record_end(self) -> None:
        """Record what a fit left as it was, though it took steps: of layers that it should have changed."""
        with self.journal.guarded("facts"):
            self.journal.fact("trained", {"idle_normalizations": ", ".join(idle(self.model)) or "none"})
        if self._monitors is not None and self._logged:
            with self.journal.guarded("callbacks"):
                self.journal.fact("callbacks", self._monitors.facts(self._logged))
        with self.journal.guarded("forgotten"):
            self.forgotten.settle()

    def _layers(self, layers: facts.Layers) -> None:
        for layer, attributes, position in layers:
            self.journal.site(layer, attributes, position)
