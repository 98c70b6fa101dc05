"""Text from anywhere -> text that no CI takes for a command."""

from __future__ import annotations

import re

__all__ = ["inert"]

# GitHub reads `::error::` after blanks at the start of a line and `##[error]` anywhere; so do others `##vso[`.
_AT_START = re.compile(r"(^|[\r\n])(\s*):(?=:)")
_ANYWHERE = re.compile(r"#(?=#\w*\[)")


def inert(text: str) -> str:
    """Return text that may hold names and messages from anywhere, with every command in it broken by a blank.

    >>> inert("::error::a"), inert("b ##[error]c")
    (': :error::a', 'b # #[error]c')
    """
    return _ANYWHERE.sub("# ", _AT_START.sub(r"\1\2: ", text))
