"""Rule -> what is legal in it and cannot be meant: tests that never or always hold, rungs in the wrong order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tfhealth.conditions import Bound, Severity, number
from tfhealth.rules.model import Measure, Rule
from tfhealth.series import Attribute
from tfhealth.statistics import find

__all__ = ["impossible"]

Path = tuple[str | int, ...]
Range = tuple[float, float]

_IN_RANGE = ("each", "first", "last", "mean", "median", "minimum", "maximum")  # looks that stay among the values
_STAY = (None, "minimum", "maximum", "mean", "median")  # reductions over sites that do


def impossible(rule: Rule) -> list[tuple[Path, str]]:
    """Return what a rule says that cannot be meant, each with the keys that lead there.

    That is: a bound that no value, or every value, of its statistic breaches; a rung that is no milder than the one
    above it, and so is never seen; a part of the run that ends before it begins.
    """
    found = [*_rungs(rule), *_active(rule)]
    pairs: list[tuple[Path, Bound | None]] = [(("condition", name), bound) for name, bound in rule.condition.rungs()]
    pairs.append((("condition", "clears"), rule.condition.clears))
    for path, bound in pairs:
        found += _senseless(rule.measure, bound, path)
    if rule.while_ is not None:
        found += _senseless(rule.while_.measure, rule.while_.holds, ("while", "holds"))
    for place, one in enumerate(rule.given):
        found += _senseless(one.measure, one.holds, ("given", place, "holds"))
    return found


def _rungs(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Yield each rung that a severer one leaves nothing to."""
    for (severer, high), (milder, low) in itertools.combinations(rule.condition.rungs(), 2):
        if (high.look, high.window, high.test) != (low.look, low.window, low.test) or high.test not in _SICK:
            continue
        sick, other = _SICK[high.test](high), _SICK[low.test](low)
        if not all(a <= c and d <= b for (a, b), (c, d) in zip(other, sick, strict=True)) or sick == other:
            yield ("condition", milder, low.test), _order(milder, severer, low, high)


def _order(milder: Severity, severer: Severity, low: Bound, high: Bound) -> str:
    told = f"{low.test} {_numbers(low)} is not milder than {severer}, {high.test} {_numbers(high)}"
    return f"{told}: what breaches {severer} must breach {milder} too, and {milder} must be breached by more"


def _numbers(bound: Bound) -> str:
    numbers = bound.outside or bound.inside
    if numbers is not None:
        return f"[{numbers[0]:g}, {numbers[1]:g}]"
    return f"{bound.above if bound.above is not None else bound.below:g}"


def _active(rule: Rule) -> Iterator[tuple[Path, str]]:
    active = rule.active
    if active.until_step is not None and active.until_step <= active.after_step:
        what = f"no step is both from step {active.after_step} on and before step {active.until_step}"
        yield ("active", "until_step"), what
    if active.until_epoch is not None and active.until_epoch <= active.after_epoch:
        what = f"nothing lies both after {active.after_epoch:g} epochs and before the end of {active.until_epoch:g}"
        yield ("active", "until_epoch"), what


def _senseless(measure: Measure, bound: Bound | None, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the tests in `bound`, nested ones included, that cannot tell values of a measure apart."""
    if bound is None or measure.attribute is not None:
        return
    for place, one in enumerate(bound.nested):
        inner: Path = (bound.test.rstrip("_"),) if bound.not_ is not None else (bound.test, place)
        yield from _senseless(measure, one, (*path, *inner))
    where = (*path, bound.test)
    name = measure.expr or f"{measure.kind}.{measure.statistic}"
    if bound.like is not None or not all(isinstance(one, bool | int | float) for one in _asked(bound)):
        yield where, f"{name} is a number, so this never holds; legal: numbers"
        return
    legal = _legal(measure) if bound.look in _IN_RANGE else None
    if legal is None:
        return
    inside = f"every value of {name} is from {legal[0]:g} to {legal[1]:g}"
    breached = _breached(bound, legal)
    if breached is not None:
        yield where, f"{inside}: {'every one' if breached else 'none'} of them breaches it"


def _asked(bound: Bound) -> list[Attribute]:
    """Return the values that a test names one by one."""
    if bound.test == "equals":
        return [bound.equals]
    return bound.one_of or []


def _legal(measure: Measure) -> Range | None:
    """Return the range of a measure's finite values; None where it is not known."""
    if measure.expr is not None or measure.relative_to is not None or measure.across not in _STAY:
        return None
    ranges = [find(kind, str(measure.statistic)).legal for kind in measure.kinds]
    known = [one for one in ranges if one is not None]
    if len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _breached(bound: Bound, legal: Range) -> bool | None:
    """Return whether every value of a range breaches a test, or none does; None where some do."""
    low, high = legal
    asked = [one for one in _asked(bound) if isinstance(one, bool | int | float)]
    if bound.test in ("equals", "one_of"):
        return None if any(low <= number(one) <= high for one in asked) else False
    if bound.inside is not None:
        begin, end = bound.inside
        return True if begin <= low and high <= end else False if end < low or high < begin else None
    if bound.test not in _SICK:
        return None
    sick = _SICK[bound.test](bound)
    if any(begin < low and high < end for begin, end in sick):
        return True
    return None if any(begin < high and low < end for begin, end in sick) else False


def _above(bound: Bound) -> list[Range]:
    assert bound.above is not None
    return [(bound.above, math.inf)]


def _below(bound: Bound) -> list[Range]:
    assert bound.below is not None
    return [(-math.inf, bound.below)]


def _outside(bound: Bound) -> list[Range]:
    assert bound.outside is not None
    return [(-math.inf, bound.outside[0]), (bound.outside[1], math.inf)]


def _inside(bound: Bound) -> list[Range]:
    assert bound.inside is not None
    return [bound.inside]


_SICK = {"above": _above, "below": _below, "outside": _outside, "inside": _inside}
"""Which values breach each test of a size, as intervals in the order of their ends."""
