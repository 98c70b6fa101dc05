"""Tensor -> numbers: every statistic once, as the sums it needs on the device and the formula that finishes it.

A statistic names the `sums` that the probed step computes (`tfhealth.capture.reductions` knows how) and a NumPy
`finish` that turns them into the recorded value. Only sums, means, minima and maxima cross the seam, so they combine
over replicas before they are finished, and this package needs no TensorFlow.
"""

import operator

from tfhealth.errors import nearest
from tfhealth.experiments import yielding
from tfhealth.offers import offered
from tfhealth.statistics.builtin import DEAD_WINDOW, STATISTICS, SUMS
from tfhealth.statistics.model import Statistic, Sum
from tfhealth.statistics.plugins import GROUP, TENSORS, load, statistic

__all__ = ["DEAD_WINDOW", "STATISTICS", "SUMS", "Statistic", "Sum", "find", "statistic", "statistic_names"]


def statistic_names(kind: str) -> tuple[str, ...]:
    """Return the names to choose from at sites of `kind`: built-in ones, then those of installed packages.

    Of the latter only the names are read, so some may turn out to exist at other kinds of site. What experiments yield
    is known once their modules are imported.
    """
    if kind == "experiment":
        return tuple(dict.fromkeys(name for one in yielding() for name in one.statistics))
    names = [one.name for one in STATISTICS if kind in one.kinds]
    if kind in TENSORS:
        names += [entry.name for entry in offered(GROUP)]
    return tuple(dict.fromkeys(names))


def find(kind: str, name: str) -> Statistic:
    """Return the statistic `name` at sites of `kind`: a built-in one, else that of an installed package.

    Raises:
        ValueError: there is none, or the package's one cannot be used; the text says what is legal, or who is to blame.
    """
    for one in STATISTICS:
        if one.name == name and kind in one.kinds:
            return one
    if kind == "experiment" and (sources := yielding(name)):
        return _yielded(name, ", ".join(one.name for one in sources))
    try:
        other = load(name) if kind in TENSORS else None
    except KeyError:
        other = None
    if other is None:
        legal = statistic_names(kind)
        raise ValueError(
            f"statistic {name!r} does not exist at {kind} sites; legal: {', '.join(legal) or 'none'}"
            f"{nearest(name, legal)}"
        )
    if kind not in other.kinds:
        raise ValueError(f"statistic {name!r} does not exist at {kind} sites, only at: {', '.join(other.kinds)}")
    return other


def _yielded(name: str, sources: str) -> Statistic:
    """Return what experiments yield under `name`: nothing is computed, and what it can be is theirs to know."""
    doc = f"what these experiments yield: {sources}"
    return Statistic(name, ("experiment",), (), operator.itemgetter(name), "", doc, None)
