"""Why a rule cannot be decided: what it looks at is not there, or the run has nothing of the kind it is about."""

from __future__ import annotations

from typing import NoReturn

from tfhealth.experiments import quick
from tfhealth.plan import described, fits
from tfhealth.rules.model import Measure
from tfhealth.run import Run

__all__ = ["Absent", "Undecided", "raise_missing", "raise_unfit", "why_missing"]


class Undecided(Exception):  # noqa: N818 - no error, but the end of the work
    """Ends the work on a rule early.

    Args:
        verdict: what it comes to: not_measured, not_applicable.
        reason: one sentence.
        elsewhere: whether that is because this run did not look in the way that the rule needs: a fit tries nothing,
            and experiments train nothing.
    """

    def __init__(self, verdict: str, reason: str, elsewhere: bool = False) -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.elsewhere = verdict, reason, elsewhere


class Absent(Undecided):
    """What a rule looks at is not there at any site that it is about: it is not measured, unless the rule says more."""

    def __init__(self, reason: str, elsewhere: bool = False) -> None:
        super().__init__("not_measured", reason, elsewhere)


def raise_missing(measure: Measure, run: Run, kind: str, statistic: str) -> NoReturn:
    """Raise for a statistic without any series: not asked for here, or not to be had.

    Raises:
        Undecided: sites of the kind were seen, but none that the measure is about; or nothing was trained.
        Absent: it was not measured.
    """
    if kind == "experiment":
        _raise_inapplicable(measure, run)
        raise Absent(_why_not_tried(measure, run), elsewhere=not _begun(measure, run))
    if not run.trained:
        raise Undecided("not_measured", "experiments do not show this: a fit does", elsewhere=True)
    seen = [described(site, attributes) for site, attributes in run.sites.items() if site.kind == kind]
    if seen and not any(fits(measure.where, attributes) for attributes in seen):
        raise_unfit(measure)
    raise Absent(why_missing(run, kind, statistic))


def raise_unfit(measure: Measure) -> NoReturn:
    """Raise where sites of the kind were seen, but none that the measure is about.

    Raises:
        Undecided: it is about others.
        Absent: it asks for one by its name.
    """
    name = measure.where.get("name")
    if isinstance(name, str):
        raise Absent(f"no {measure.kind} named {name} was seen in this run")
    raise Undecided("not_applicable", f"no {measure.kind} of the kind that this rule is about")


def _raise_inapplicable(measure: Measure, run: Run) -> None:
    """Raise where the experiment was begun and found nothing to try."""
    for site, attributes in run.sites.items():
        if site.kind == "experiment" and fits(measure.where, described(site, attributes)):
            why = attributes.get("inapplicable")
            if why is not None:
                raise Undecided("not_applicable", str(why))


def _begun(measure: Measure, run: Run) -> bool:
    """Whether the experiment that a measure is about was begun, however it ended."""
    return any(
        site.kind == "experiment" and fits(measure.where, described(site, attributes))
        for site, attributes in run.sites.items()
    )


def _why_not_tried(measure: Measure, run: Run) -> str:
    """Return why an experiment yielded nothing: what went wrong with it, or how to have it run."""
    for site, attributes in run.sites.items():
        if site.kind == "experiment" and fits(measure.where, described(site, attributes)):
            return next((note.why for note in run.notes if note.subject == str(site)), f"{site} yielded nothing")
    name = measure.where.get("name")
    known = isinstance(name, str) and quick(name)
    call, command = ("", "") if known else (', experiments="full"', "=full")
    what = "a fit does not show this" if run.trained else "this preflight did not try it"
    return f"{what}: `tfhealth.preflight(model, x, y{call})` and `tfhealth run --preflight{command}` do"


def why_missing(run: Run, kind: str, statistic: str) -> str:
    """Return why nothing was measured: what capture noted about it, else that it was not asked for."""
    for note in run.notes:
        if note.subject in (f"{kind}.{statistic}", kind, "probes"):
            return note.why
    for note in run.notes:
        if note.subject.startswith(f"{kind} "):
            return note.why
    if any(site.kind == kind for site in run.sites):
        return f"{kind} {statistic} was not probed in this run"
    return f"no {kind} was seen in this run"
