"""Series -> Series: the arithmetic of a rule's `expr`, reductions across layers, and ways to look at time."""

from tfhealth.derive.arithmetic import Expression, compile_expression
from tfhealth.derive.looks import AT_END, LOOKS, look, rolling
from tfhealth.derive.sites import ACROSS, REFERENCES, across, relative

__all__ = [
    "ACROSS",
    "AT_END",
    "LOOKS",
    "REFERENCES",
    "Expression",
    "across",
    "compile_expression",
    "look",
    "relative",
    "rolling",
]
