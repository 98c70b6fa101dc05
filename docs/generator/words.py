"""What the pages say in other words than the code, and what only they say; other keys are described in their models."""

__all__ = ["RECORDED", "REFERENCES", "WORDS"]

WORDS = {
    "Measure": {
        "across": "reduce to one series over all sites, in execution order; see below",
        "relative_to": "divide each series by a value of its own; see below",
    },
    "Bound": {"look": "how to look at the series; see below"},
    "Active": {"phase": "only this part of the fit counts; see below"},
}

REFERENCES = {
    "first": "the first value",
    "start": "the median of the first five values",
    "lowest": "the lowest value",
    "highest": "the highest value",
}

_VARIABLE = (
    *("layer", "role", "shape", "parameters", "units", "trainable", "nested", "position", "depth", "output"),
    *("stuck", "forgotten", "joined", "initializer", "expected_std", "fan_in", "regularizer", "strength"),
)
_TASK = ("task", "labels", "evidence")

RECORDED = {
    "input": ("consumer", "layer", "normalized", "dtype", "rank", "features", "shape", "whole", "position"),
    "label": (
        *("output_activation", "units", "loss", "rank", "dtype", "shape", "encoding", "classes"),
        *("one_each", "weighted", "input_rank", *_TASK),
    ),
    "prediction": (
        "activation",
        "units",
        "loss",
        "from_logits",
        "repaired",
        "averages",
        "inner_activation",
        "layer",
        "broadcast",
        "single_samples",
        "off_axis",
        "selective",
        "rank",
        "dtype",
        "shape",
        "label_shape",
        "form",
        "encoding",
        "position",
        *_TASK,
    ),
    "activation": (
        *("layer", "activation", "position", "depth", "output", "weighted", "recurrent"),
        *("penalized", "softmax_of_one", "units", "shape"),
    ),
    "gradient": (*_VARIABLE, "connected", "scaled", "negated"),
    "weight": _VARIABLE,
    "update": _VARIABLE,
    "loss": ("part", "weighted", "chance", "own", "forgotten", "loss_weight", "position"),
    "optimizer": ("class", "schedule", "scaled", "position"),
    "time": (),
    "memory": (),
    "log": (),
    "layer": (
        "layer",
        "activation",
        "trainable",
        "parameters",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "kernel_regularizer_strength",
        "regularized",
        "units",
        "rate",
        "use_bias",
        "adapted",
        "frozen",
        "nested",
        "depth",
        "dropout_before",
        "normalized_after",
        "linear_before",
        "linear_layers_before",
        "unknown_weights",
    ),
}
RECORDED |= {f"validation_{kind}": RECORDED[kind] for kind in ("input", "label", "prediction")}
"""What capture records at a site of each kind; the tests compare this with a real fit."""
