"""Tests, durations and policies -> phrases: one wording for the pages of rules and for reports."""

from __future__ import annotations

from collections.abc import Callable

from tfhealth.conditions import PHASES, Bound, Condition, Lasting, Severity, Window
from tfhealth.derive import LOOKS
from tfhealth.rules.model import Active
from tfhealth.series import Attribute

__all__ = ["active_in_words", "bound_in_words", "breach_in_words", "constraint_in_words", "plain"]

Show = Callable[[Attribute], str]


def plain(value: Attribute) -> str:
    """Return a value as a rule file has it.

    >>> plain(0.5), plain(1e-12), plain(None), plain(True)
    ('0.5', '1e-12', 'null', 'true')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def bound_in_words(bound: Bound, show: Show = plain) -> str:
    """Return which values breach a test, as a phrase; `show` makes text of a value.

    >>> bound_in_words(Bound(look="median", outside=(0.5, 2)))
    'median of all values outside 0.5 to 2'
    """
    if bound.not_ is not None:
        return f"not ({bound_in_words(bound.not_, show)})"
    if bound.nested:
        joint = " and " if bound.all else " or "
        return joint.join(_part(one, bound.test, show) for one in bound.nested)
    return f"{_looked(bound)}{_test(bound, show)}"


def breach_in_words(condition: Condition, severity: Severity, show: Show = plain) -> str:
    """Return everything that breaches one rung of a condition, as a phrase; empty where nothing does.

    >>> breach_in_words(Condition(**{"for": 3}, error=Bound(above=2), missing="error"), "error")
    'above 2 for 3 probes in a row, or not there'
    """
    parts = []
    bound = condition.bound(severity)
    if bound is not None:
        until = f", until {bound_in_words(condition.clears, show)}" if condition.clears is not None else ""
        parts.append(f"{bound_in_words(bound, show)}{_lasting(condition.lasting)}{until}")
    parts += ["not there"] if condition.missing == severity else []
    parts += ["NaN or Inf at any probe"] if condition.nonfinite == severity else []
    return ", or ".join(parts)


def constraint_in_words(constraint: Attribute | list[Attribute] | Bound, show: Show = plain) -> str:
    """Return what `where` or `when` asks of an attribute, as a phrase that begins with a verb."""
    if isinstance(constraint, Bound):
        return f"is {bound_in_words(constraint, show)}"
    if isinstance(constraint, list):
        return "is one of " + ", ".join(map(show, constraint))
    return f"is {show(constraint)}"


def active_in_words(active: Active) -> list[str]:
    """Return which part of a run counts, as phrases."""
    texts = []
    if active.after_step:
        texts.append(f"from step {active.after_step} on")
    if active.until_step:
        texts.append(f"before step {active.until_step}")
    if active.after_epoch:
        texts.append(f"after {_amount(active.after_epoch, 'epoch')}")
    if active.until_epoch is not None:
        texts.append(f"within the first {_many(active.until_epoch, 'epoch')}")
    if active.phase is not None:
        texts.append(f"in {PHASES[active.phase][1]}")
    return texts


def _part(bound: Bound, around: str, show: Show) -> str:
    text = bound_in_words(bound, show)
    return f"({text})" if bound.test in ("all", "any") and bound.test != around else text


def _looked(bound: Bound) -> str:
    """Return how a test looks at a series, with a space behind it; empty for each value by itself."""
    if bound.look == "each":
        return ""
    told = LOOKS[bound.look][1].removeprefix("the ").split(",")[0]
    noun = bound.look if bound.look in ("change", "trend") else told
    if bound.window is None:
        return f"{noun} "
    return f"{noun.removesuffix(' of all values')} over the last {_span(bound.window)} "


def _lasting(lasting: Lasting) -> str:
    if lasting.share is not None:
        return f" for {lasting.share:.0%} of the run or more"
    if lasting.probes is not None:
        return f" for {lasting.probes} probes in a row" if lasting.probes > 1 else ""
    return f" for {_amount(lasting.steps or lasting.epochs or 0, 'step' if lasting.steps else 'epoch')} or more"


def _span(window: Window) -> str:
    pairs = ((window.probes, "probe"), (window.steps, "step"), (window.epochs, "epoch"))
    return next(_many(amount, thing) for amount, thing in pairs if amount is not None)


def _amount(amount: float, thing: str) -> str:
    return f"{plain(amount)} {thing}{'' if amount == 1 else 's'}"


def _many(amount: float, thing: str) -> str:
    return thing if amount == 1 else _amount(amount, thing)


def _test(bound: Bound, show: Show) -> str:
    interval = bound.outside or bound.inside
    if interval is not None:
        return f"{bound.test} {show(interval[0])} to {show(interval[1])}"
    if bound.one_of is not None:
        return "one of " + ", ".join(map(show, bound.one_of))
    if bound.like is not None:
        return "like " + " or ".join(map(show, [bound.like] if isinstance(bound.like, str) else bound.like))
    if bound.nonfinite:
        return "NaN or Inf"
    if bound.test == "equals":
        return f"equal to {show(bound.equals)}"
    return f"{bound.test} {show(bound.above if bound.above is not None else bound.below)}"
