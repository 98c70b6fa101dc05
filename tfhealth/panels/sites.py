"""(Measure, Run) -> the sites that a measure is about, and their attributes."""

from __future__ import annotations

from collections.abc import Container

from tfhealth.panels.absence import Absent, raise_unfit
from tfhealth.plan import described, fits
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import Attribute, Site

__all__ = ["NOWHERE", "absent_site", "attributes", "sites"]

NOWHERE: frozenset[Site] = frozenset()


def sites(measure: Measure, run: Run) -> list[Site]:
    """Return every site of the measure's kinds that it is about, in execution order."""
    kinds = measure.kinds
    return [
        site
        for site in (run.by_kind.get(kinds[0], ()) if len(kinds) == 1 else run.sites)
        if site.kind in kinds and fits(measure.where, described(site, run.sites[site]))
    ]


def absent_site(measure: Measure) -> Site:
    """Return a name for what was never seen: the one that `where` asks for, else that of what is measured."""
    asked = measure.where.get("name")
    name = asked if isinstance(asked, str) else measure.attribute or measure.statistic or measure.expr
    return Site(measure.kinds[0], str(name))


def attributes(measure: Measure, run: Run, off: Container[Site] = NOWHERE) -> dict[Site, Attribute]:
    """Return the attribute that a measure looks at, None where a site has none.

    Args:
        measure: has an attribute.
        run: the run.
        off: sites to leave out.

    Raises:
        Undecided: no site is of the kind asked for.
        Absent: there is no site, or none has the attribute.
    """
    name = str(measure.attribute)
    if not any(kind in run.by_kind for kind in measure.kinds):
        raise Absent(f"no {measure.kind} site was seen")
    chosen = sites(measure, run)
    if not chosen:
        raise_unfit(measure)
    found = {site: described(site, run.sites[site]).get(name) for site in chosen if site not in off}
    if all(value is None for value in found.values()):
        raise Absent(f"the {name} of {next(iter(found), chosen[0])} is not known")
    return found
