"""The one sum of an optimizer: its learning rate, a scalar that the step computed."""

from __future__ import annotations

from tfhealth.capture.reductions.context import Reduction

__all__ = ["PART_OF", "REDUCTIONS"]

REDUCTIONS: dict[str, Reduction] = {"learning_rate": lambda context: context.x}

PART_OF: dict[str, str] = {}
