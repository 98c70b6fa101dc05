"""(Run, Result, Checklist) -> the chapter Preflight: each experiment in words, its series as charts and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfhealth.experiments import load
from tfhealth.plan import described, fits
from tfhealth.report.document import Badge, Experiment, Picture, Said, Table
from tfhealth.report.words import VERDICTS, clean, count, number, shorten
from tfhealth.report.yields import Found, numbers_of, pictures_of, tables_of
from tfhealth.result import Finding, Result
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.model import Rule
from tfhealth.run import Run
from tfhealth.series import Attribute, Probe, Series, Site

__all__ = ["experiments", "left_out", "remedies", "tried_intro"]

_MOST_CHARTS = 16
_MOST_NOTES = 12
_WORDS = {"helps": "helps", "no_clear_effect": "has no clear effect", "harms": "harms"}
_WORST = ("fail", "warn", "error", "not_measured", "suppressed", "pass", "not_applicable")

Links = Mapping[str, tuple[tuple[str, str], ...]]
"""{rule: (words, anchor) of its findings}"""


def tried_intro(run: Run) -> str:
    """Return how many experiments ran and how long they took; empty where none was begun."""
    sites = _sites(run)
    if not sites:
        return ""
    seconds = sum(_seconds(run.sites[site]) for site in sites)
    yielded = sum(bool(_found(run, site)) for site in sites)
    ended = "came to an end" if yielded == len(sites) else f"of {len(sites)} came to an end"
    return (
        f"{count(yielded, 'experiment')} {ended}; all together took {number(round(seconds, 1))} s. They train clones: "
        "the model, its optimizer and its data are as they were."
    )


def experiments(run: Run, result: Result, checklist: Checklist, links: Links) -> tuple[Experiment, ...]:
    """Put every experiment that yielded something into words, those that a rule complains of first.

    Args:
        run: where they were recorded.
        result: the verdict.
        checklist: the rules that reached it.
        links: where the findings of each rule stand.
    """
    found = {site: series for site in _sites(run) if (series := _found(run, site))}
    said = {site: _said(run, site, result, checklist, links) for site in found}
    badges = {site: _badge(said[site]) for site in found}
    order = sorted(found, key=lambda site: _WORST.index(badges[site].verdict))
    charts = _MOST_CHARTS
    made = []
    for site in order:
        pictures = tuple(pictures_of(site, found[site]))[:charts]
        charts -= len(pictures)
        made.append(_experiment(run, site, found[site], badges[site], said[site], pictures))
    return tuple(made)


def _experiment(
    run: Run, site: Site, found: Found, badge: Badge, said: Sequence[Said], pictures: tuple[Picture, ...]
) -> Experiment:
    notes = [clean(note.why) for note in run.notes if note.subject == str(site)]
    return Experiment(
        name=shorten(clean(site.name)),
        badge=badge,
        doc=_doc(site.name),
        took=f"{number(round(_seconds(run.sites[site]), 1))} s",
        said=tuple(said),
        pictures=pictures,
        numbers=numbers_of(found),
        tables=tuple(tables_of(found)),
        notes=tuple(notes[:_MOST_NOTES]),
    )


def left_out(run: Run) -> Table | None:
    """Return the experiments that yielded nothing, and why; None where there are none."""
    rows = []
    for site in _sites(run):
        if _found(run, site):
            continue
        told = run.sites[site]
        noted = next((note.why for note in run.notes if note.subject == str(site)), "it yielded nothing")
        why = noted if told.get("inapplicable") is None else f"does not apply: {told['inapplicable']}"
        rows.append((shorten(clean(site.name)), clean(why), f"{number(round(_seconds(told), 1))} s"))
    return Table("What yielded nothing", ("Experiment", "Why", "Took"), tuple(rows)) if rows else None


def remedies(result: Result) -> Table | None:
    """Return what each remedy did to a short training of clones; None where none was tried."""
    rows = tuple(
        (
            one.rule,
            clean(one.change),
            _loss(one.loss_without),
            _loss(one.loss_with, one.loss_error),
            _WORDS[one.verdict],
        )
        for one in result.remedies
        if one.verdict != "not_tried"
    )
    head = ("Finding", "Change", "Loss without", "Loss with", "It")
    return Table("What the remedies did to clones", head, rows) if rows else None


def _loss(loss: float | None, error: float | None = None) -> str:
    text = "NaN or Inf" if loss is None else number(loss)
    return text if error is None else f"{text} ± {number(error)}"


def _sites(run: Run) -> list[Site]:
    return [site for site in run.sites if site.kind == "experiment"]


def _seconds(told: Mapping[str, Attribute]) -> float:
    seconds = told.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _found(run: Run, site: Site) -> dict[str, Series]:
    statistics = dict.fromkeys(probe.statistic for table in run.tables for probe in table.probes if probe.site == site)
    series = {name: run.series(Probe(site, name)) for name in statistics}
    return {name: one for name, one in series.items() if one is not None and len(one)}


def _doc(name: str) -> str:
    try:
        doc = load(name).doc
    except (KeyError, ValueError):  # of a package that is not installed where the report is written
        return ""
    return clean(f"{doc[0].upper()}{doc[1:]}.")


def _said(run: Run, site: Site, result: Result, checklist: Checklist, links: Links) -> tuple[Said, ...]:
    """Return what each rule that reads the experiment says."""
    told = described(site, run.sites[site])
    reading = [rule.id for rule in checklist.rules if _reads(rule, told)]
    messages = {one.rule: one for one in result.findings}
    found = []
    for one in result.rules:
        if one.rule in reading:
            badge = Badge(one.verdict, *VERDICTS[one.verdict])
            text = _sentence(one.title, one.reason, one.verdict, messages.get(one.rule))
            found.append(Said(badge, one.rule, text, links.get(one.rule, ())))
    return tuple(found)


def _reads(rule: Rule, told: Mapping[str, Attribute]) -> bool:
    return any(
        kind == "experiment" and fits(measure.where, told) for measure in rule.measures for kind, _ in measure.needs
    )


def _sentence(title: str, reason: str, verdict: str, finding: Finding | None) -> str:
    if finding is not None:
        return clean(finding.message)
    if verdict != "pass" or reason.startswith("noted"):
        return clean(f"{title}: {reason}" if verdict != "pass" else reason)
    return clean(f"{title}: not found ({reason.removesuffix(' at 1 experiment site')}).")


def _badge(said: Sequence[Said]) -> Badge:
    verdict = min((one.badge.verdict for one in said), key=_WORST.index, default="not_applicable")
    if not said:
        return Badge("not_applicable", "–", "no rule reads it")
    return Badge(verdict, *VERDICTS[verdict])
