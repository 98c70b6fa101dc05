"""Findings -> what the changes that they advise do to a short training of clones.

To add a remedy, add a function and its line in `REMEDIES`, in `builtin`.
"""

from tfhealth.preflight.remedies.run import try_remedies

__all__ = ["try_remedies"]
