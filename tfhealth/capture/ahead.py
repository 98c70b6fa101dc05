"""What a caller wants tried before a fit -> the names of the experiments, and what trying them came to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfhealth.capture.journal import HealthWarning
from tfhealth.errors import UsageError, nearest
from tfhealth.experiments import find, names
from tfhealth.plan import Plan
from tfhealth.result import Result
from tfhealth.rules.checklist import Checklist
from tfhealth.run import Run

if TYPE_CHECKING:
    from tfhealth.capture.callback import HealthCallback

__all__ = ["Ahead", "TriedAhead", "asked", "readable_twice", "try_afterwards", "try_ahead", "trying", "under_trial"]

_RUNNER = "tfhealth.preflight.before"  # stands above capture, which it uses; so it is known by its name only
_UNDER_TRIAL: ContextVar[bool] = ContextVar("tfhealth_under_trial", default=False)


@dataclass(frozen=True)
class Ahead:
    """What is to be tried.

    Args:
        experiments: "quick", "full", or names, a list or one text with commas.
        budget: seconds for all of them together.
        try_remedies: whether the changes that findings advise are tried as well.

    Raises:
        UsageError: an argument that cannot be meant.
    """

    experiments: str | Sequence[str] = "quick"
    budget: float = 60.0
    try_remedies: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.budget, bool) or not isinstance(self.budget, int | float) or not self.budget > 0:
            raise UsageError(f"budget must be a number of seconds above 0, received {self.budget!r}")
        if self.experiments not in ("quick", "full"):
            _named(self.experiments)

    def chosen(self, checklist: Checklist) -> tuple[str, ...]:
        """Return the names of the experiments to run; of "quick" and "full", those that a rule in force reads."""
        if self.experiments in ("quick", "full"):
            plan = Plan.of(checklist)
            read = [name for name in names() if plan.statistics("experiment", {"name": name})]
            return tuple(name for name in read if self.experiments == "full" or find(name).quick)
        return _named(self.experiments)


def _named(experiments: Any) -> tuple[str, ...]:
    listed = experiments.split(",") if isinstance(experiments, str) else experiments
    if not isinstance(listed, Sequence) or not all(isinstance(one, str) for one in listed):
        raise UsageError(f'experiments must be "quick", "full" or names, received {experiments!r}')
    chosen = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    if not chosen:
        raise UsageError(f"no experiment is named; legal: {', '.join(names())}")
    for name in chosen:
        try:
            find(name)
        except ValueError as error:
            raise UsageError(str(error)) from error
    return chosen


def asked(given: Any) -> Ahead | None:
    """Return what `preflight=` of a callback asks for: nothing, what is to be tried, or all of `Ahead` as a mapping.

    Raises:
        UsageError: it cannot be meant.
    """
    if given is None or isinstance(given, Ahead):
        return given
    if not isinstance(given, Mapping):
        return Ahead(given)
    legal = [one.name for one in fields(Ahead)]
    for key in given:
        if key not in legal:
            raise UsageError(f"preflight: {key!r} is unknown; legal: {', '.join(legal)}{nearest(str(key), legal)}")
    return Ahead(**given)


def readable_twice(data: Any) -> Mapping[str, Any]:
    """Return the data of a callback, x or (x, y), by the names of the arguments of `fit`.

    Raises:
        UsageError: there are none, or reading them takes them away from `fit`.
    """
    if data is None:
        raise UsageError(
            "preflight needs data=x or data=(x, y): a callback does not see what fit is given. "
            "`tfhealth run --preflight` does."
        )
    x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    if isinstance(x, Iterator):
        raise UsageError(
            f"preflight cannot read data from a {type(x).__name__}, since fit would miss what is taken from it; pass "
            "arrays, a tf.data.Dataset or a PyDataset, or use `tfhealth run --preflight`, which gives it back"
        )
    return {"x": x, "y": y}


@dataclass(frozen=True, eq=False)
class TriedAhead:
    """What was tried before a fit.

    Attributes:
        result: the verdict on it.
        run: what the experiments yielded.
    """

    result: Result
    run: Run


def try_ahead(callback: HealthCallback, model: Any, given: Mapping[str, Any]) -> TriedAhead | None:
    """Run a callback's experiments; where they cannot be run at all, warn and return None.

    Args:
        callback: what is asked for, and where reports go.
        model: the model that will be trained.
        given: what `fit` was given, by the names of its arguments; x at least.
    """
    found: list[TriedAhead] = []
    with _warned("nothing was tried before this fit"):
        found.append(import_module(_RUNNER).before_fit(callback, model, given))
    return found[0] if found else None


def try_afterwards(callback: HealthCallback, model: Any, given: Mapping[str, Any]) -> None:
    """Try what the findings of a fit that has ended advise, and put it into its result and its report."""
    with _warned("what the findings advise was not tried"), trying():
        import_module(_RUNNER).after_fit(callback, model, given)


@contextmanager
def _warned(what: str) -> Iterator[None]:
    """Make a warning of what the block raises: nothing of ours may end a training or a script."""
    try:
        yield
    except Exception as error:
        with suppress(HealthWarning):
            why = str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
            warnings.warn(f"tfhealth: {what}: {why}", HealthWarning, stacklevel=2)


@contextmanager
def trying() -> Iterator[None]:
    """Mark all that the block does as work on clones, which is no training of the caller's."""
    token = _UNDER_TRIAL.set(True)
    try:
        yield
    finally:
        _UNDER_TRIAL.reset(token)


def under_trial() -> bool:
    """Whether an experiment is at work: what is trained now is a clone."""
    return _UNDER_TRIAL.get()
