"""What keys mean that do not say so in the code; the generator stops at a key that neither says."""

__all__ = ["RECORDED", "REFERENCES", "WORDS"]

WORDS = {
    "Rule": {
        "id": "three to five capital letters and three digits; the file name begins with it",
        "title": "the fault, in a few words",
        "checklist": "the row that the rule decides",
        "measure": "what is looked at",
        "condition": "how it is judged",
        "while": "a second measure that must hold for a breach to count",
        "active": "which part of the run counts",
        "quantify": "how many sites must breach: any, all, or a share or count of them",
        "message": "one sentence about a finding, with names in braces",
        "why": "Markdown: why the fault matters",
        "advice": "Markdown: what to change, with names in braces",
        "references": "where the rule comes from",
        "examples": "series with the verdict that the rule must reach on them; at least one passes and one does not",
    },
    "Measure": {
        "across": "reduce to one series over all sites, in execution order; see below",
        "relative_to": "divide each series by a value of its own; see below",
    },
    "Bound": {"look": "how to look at the series; see below"},
    "While": {"measure": "what is looked at", "holds": "a test of each of its values"},
    "Quantify": {"share": "share of the sites judged", "count": "number of sites"},
    "Condition": {
        "info": "test for a note in the report; the verdict stays pass",
        "warning": "test for the verdict warn",
        "error": "test for the verdict fail",
        "critical": "test for the verdict fail, and for the end of the training where that was asked for",
    },
    "Example": {
        "verdict": "what the rule must decide",
        "severity": "the rung that must be breached; not checked where it is left out",
    },
    "Result": {
        "result_version": "version of this format",
        "tfhealth": "version of tfhealth that judged",
        "run": "which training was judged",
        "verdict": "the worst of all; not_measured where no row could be judged",
        "sentence": "the verdict in one sentence",
        "findings": "the leading cause first",
        "checklist": "every row, in order",
        "rules": "every rule, in the order of the rows",
    },
    "RunInfo": {
        "path": "run directory; null for a run kept in memory",
        "name": "name of the run",
        "status": "running, completed, interrupted or failed",
        "complete": "whether the training ended by itself and its file is sound",
        "started": "UTC, ISO 8601",
        "ended": "UTC, ISO 8601; null while it runs and after a kill",
        "probed_steps": "how many steps were probed",
        "damage": "what was wrong with the file; empty for a sound one",
    },
    "Finding": {
        "rule": "id of the rule",
        "title": "its title",
        "checklist": "the row that it decides",
        "verdict": "warn or fail",
        "severity": "the rung that was breached",
        "kind": "kind of the leading site",
        "step": "step since which the condition held there",
        "value": "value at that step; null for NaN and Inf",
        "message": "the rule's message, filled in",
        "why": "the rule's text, Markdown",
        "advice": "the rule's advice, filled in, Markdown",
        "references": "where the rule comes from",
        "sites": "every site at which the condition held, the worst first",
    },
    "Breach": {"kind": "kind of site", "name": "name of the site", "severity": "the rung that was breached there"},
    "Row": {
        "id": "id of the row",
        "asks": "its question",
        "verdict": "the worst of its rules; guide or not_measured where it has none",
        "reason": "on what grounds",
        "rules": "ids of the rules that decide it",
    },
    "RuleVerdict": {
        "rule": "id of the rule",
        "title": "its title",
        "checklist": "the row that it decides",
        "verdict": "what it decided",
        "reason": "on what grounds",
    },
}

REFERENCES = {"first": "the first value", "start": "the median of the first five values"}

_VARIABLE = ("layer", "role", "shape", "parameters", "units", "trainable", "nested", "position", "output")
RECORDED = {
    "input": ("consumer", "layer", "normalized", "dtype", "rank", "features", "shape", "position"),
    "label": ("output_activation", "units", "loss", "rank", "dtype", "shape", "encoding", "classes"),
    "prediction": (
        "activation",
        "units",
        "loss",
        "from_logits",
        "repaired",
        "averages",
        "broadcast",
        "rank",
        "dtype",
        "shape",
        "label_shape",
        "position",
    ),
    "activation": ("layer", "activation", "position", "output", "weighted", "recurrent", "units", "shape"),
    "gradient": (*_VARIABLE, "connected"),
    "weight": _VARIABLE,
    "update": _VARIABLE,
    "loss": ("weighted", "chance", "position"),
    "log": (),
}
"""What capture records at a site of each kind; the tests compare this with a real fit."""
