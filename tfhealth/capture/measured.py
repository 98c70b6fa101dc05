"""What is wanted of one trace of the step -> its sums, each computed once, as a row of numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.capture.parts import Contexts
from tfhealth.capture.reductions import PART_OF, REDUCTIONS, TOGETHER, Context, reduced, together
from tfhealth.capture.rows import Layout
from tfhealth.capture.sites import Located
from tfhealth.plan import Plan, described
from tfhealth.series import Probe, Site
from tfhealth.statistics import SUMS, Statistic, Sum, find

__all__ = ["Measured", "Wanting"]

Column = tuple[Site, str]
"""A site and the name of a sum of it."""


@dataclass(eq=False)
class Measured:
    """The sums of one trace.

    Attributes:
        known: sums that another row of the same step has.
        sums: (site, sum) -> scalar, float32 or int32, of every step.
        together: sum -> {site: context}, of those computed for several sites at once.
        first_only: (site, sum) -> context, of the first step only.
        constants: (site, sum) -> number, of those known while tracing.
        wanted: the probes and the statistics that finish them.
    """

    known: Mapping[Column, Any] = field(default_factory=dict)
    sums: dict[Column, Any] = field(default_factory=dict)
    together: dict[str, dict[Site, Context]] = field(default_factory=dict)
    first_only: dict[Column, Context] = field(default_factory=dict)
    constants: dict[Column, float] = field(default_factory=dict)
    wanted: list[tuple[Probe, Statistic]] = field(default_factory=list)

    def add(self, probe: Probe, statistic: Statistic, context: Context) -> None:
        """Compute what a statistic needs and no other has computed; leave it out where its tensor has no such part."""
        site = probe.site
        needed = [PART_OF[name] for name in statistic.sums if name in PART_OF]
        if any(context.parts.get(part) is None for part in needed):
            return
        for name in statistic.sums:
            one = statistic.own or SUMS[name]
            if one.first_only:
                self.first_only[site, name] = context
            elif name == "count" and context.fixed_size is not None:
                self.constants[site, name] = context.fixed_size
            elif together(name, context):
                self.together.setdefault(name, {})[site] = context
            elif (site, name) not in self.sums and (site, name) not in self.constants:
                self._compute(site, one, context)
        self.wanted.append((probe, statistic))

    def _compute(self, site: Site, one: Sum, context: Context) -> None:
        column = site, one.name
        value = self.known[column] if column in self.known else reduced(one, context)
        if isinstance(value, float):
            self.constants[column] = value
        else:
            self.sums[column] = value

    def _of(self, whole: bool) -> dict[Column, Any]:
        """Return the sums that are whole numbers, or those that are not."""
        return {column: value for column, value in self.sums.items() if value.dtype.is_integer == whole}

    @property
    def layout(self) -> Layout:
        """What the row holds."""
        together = [(site, name) for name, contexts in self.together.items() for site in contexts]
        columns = (*self._of(whole=False), *self._of(whole=True), *together, *self.first_only)
        return Layout(columns, self.constants, tuple(self.wanted))

    def row(self, first: Callable[[], Any], failed: Callable[[str, Exception], None]) -> Any:
        """Return the row, float32 [columns]; what is for the first step only is NaN where `first` returns False."""
        parts = [tf.stack(list(now.values())) for now in (self._of(whole=False), self._of(whole=True)) if now]
        parts += [_together(name, contexts, failed) for name, contexts in self.together.items()]
        if self.first_only:
            parts.append(tf.where(first(), self._first(failed), float("nan")))
        return tf.concat([tf.cast(part, tf.float32) for part in parts], 0) if parts else tf.zeros([0])

    def _first(self, failed: Callable[[str, Exception], None]) -> Any:
        """Return what is for the first step only, float32 [n]."""
        return tf.stack([_or_nan(site, name, context, failed) for (site, name), context in self.first_only.items()])


def _together(name: str, contexts: Mapping[Site, Context], failed: Callable[[str, Exception], None]) -> Any:
    """Return a sum of several sites, float32 [sites]; one by one where all at once does not work."""
    try:
        return TOGETHER[name](list(contexts.values()))
    except Exception:
        return tf.stack([_or_nan(site, name, context, failed) for site, context in contexts.items()])


def _or_nan(site: Site, name: str, context: Context, failed: Callable[[str, Exception], None]) -> Any:
    try:
        return REDUCTIONS[name](context)
    except Exception as error:
        failed(f"{site}.{name}", error)
        return tf.constant(float("nan"))


@dataclass(frozen=True, eq=False)
class Wanting:
    """What a plan wants of one step.

    Args:
        plan: what to probe.
        thinned: whether statistics that are seldom are told from the others.
        located: the sites of the step.
        state: makes or finds a variable that lives as long as the probes: (site, name, shape) -> tf.Variable.
        failed: called with (subject, error) for what is left out because it raised.
    """

    plan: Plan
    thinned: bool
    located: Sequence[Located]
    state: Callable[[Site, str, tuple[int, ...]], Any]
    failed: Callable[[str, Exception], None]

    @property
    def any_seldom(self) -> bool:
        """Whether anything is not taken in every probed step."""
        return any(self._statistics(one, seldom=True) for one in self.located)

    def _statistics(self, one: Located, seldom: bool) -> list[Statistic]:
        """Return what is wanted of a site, either in every probed step or seldom."""
        found = []
        for name in self.plan.statistics(one.site.kind, described(one.site, one.attributes)):
            try:
                statistic = find(one.site.kind, name)
            except Exception as error:
                self.failed(f"{one.site}.{name}", error)
                continue
            if seldom == (self.thinned and one.site.kind in statistic.seldom):
                found.append(statistic)
        return found

    def measured(
        self, contexts: Contexts, batch: Sequence[Any], seldom: bool, known: Mapping[Column, Any] | None = None
    ) -> Measured:
        """Compute the sums of what is wanted in every probed step, or of what is wanted seldom.

        Args:
            contexts: what they are computed from.
            batch: what statistics from packages wait for.
            seldom: which of the two.
            known: sums that another row of the same step has.
        """
        measured = Measured({} if known is None else known)
        for one in self.located:
            statistics = self._statistics(one, seldom)
            try:
                context = contexts.of(one, functools.partial(self.state, one.site)) if statistics else None
            except Exception as error:
                self.failed(str(one.site), error)
                continue
            if context is None:
                continue
            for statistic in statistics:
                self._add(measured, Probe(one.site, statistic.name), statistic, context, batch)
        return measured

    def _add(
        self, measured: Measured, probe: Probe, statistic: Statistic, context: Context, batch: Sequence[Any]
    ) -> None:
        try:
            with tf.control_dependencies([] if statistic.own is None else batch):
                measured.add(probe, statistic, context)
        except Exception as error:
            self.failed(f"{probe.site}.{probe.statistic}", error)
