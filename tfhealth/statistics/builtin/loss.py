"""Statistics of the loss: the whole, its parts, and what guessing would cost; and of Keras's epoch logs."""

from __future__ import annotations

import numpy as np

from tfhealth.statistics.builtin.formulas import ANY, POSITIVE, SHARE, same
from tfhealth.statistics.model import Statistic, Sum

__all__ = ["STATISTICS", "SUMS"]

_PARTS = {
    "total": "the batch's whole loss",
    "data": "the compiled loss alone",
    "regularization": "weight and activity regularizers and add_loss: total − data",
    "added": "activity regularizers and add_loss",
    "weight_regularization": "regularizers of weights: total − data − added",
    "output": "the loss of one of several outputs, times its loss weight",
}
_GUESSES = {
    "chance": "cross-entropy of a uniform guess, ln C, and ln 2 for a binary output",
    "output_chance": "the same for one of several outputs, times its loss weight",
}

_PLAIN = (*_PARTS, "output_share", *_GUESSES, "scale", "overflow")

SUMS = tuple(Sum(name, "mean") for name in _PLAIN)

STATISTICS = (
    Statistic(
        "nonfinite",
        ("loss",),
        ("total",),
        lambda s: np.where(np.isfinite(s["total"]), 0.0, 1.0),
        "",
        "1 where the batch's loss is NaN or Inf, else 0",
        SHARE,
    ),
    *(Statistic(name, ("loss",), (name,), same(name), "", doc, ANY) for name, doc in _PARTS.items()),
    Statistic(
        "output_share",
        ("loss",),
        ("output_share",),
        same("output_share"),
        "share",
        "size of this output's loss over the sum of the sizes of all outputs' losses",
        SHARE,
    ),
    *(Statistic(name, ("loss",), (name,), same(name), "nat", doc, POSITIVE) for name, doc in _GUESSES.items()),
    Statistic("scale", ("loss",), ("scale",), same("scale"), "", "what mixed_float16 multiplies the loss by", POSITIVE),
    Statistic(
        "overflow",
        ("loss",),
        ("overflow",),
        same("overflow"),
        "",
        "1 where a gradient overflowed float16, so that Keras skipped the update and halved the loss scale, else 0",
        SHARE,
    ),
    Statistic("value", ("log",), (), same("value"), "", "the value that Keras logged at the end of the epoch", ANY),
)
