"""The kind of parser that the command line is made of."""

from __future__ import annotations

import argparse
import sys
from typing import Any

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """A parser whose options with a value that may be left out take one after `=` only, never the next argument."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does."""
        words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._spelled_out(words), namespace)

    def _spelled_out(self, words: list[str]) -> list[str]:
        """Return the words with `--option` as `--option=CONST`, up to the first that is no option."""
        options = self._option_string_actions
        place = 0
        while place < len(words) and words[place].startswith("-"):
            action = options.get(words[place])
            if action is not None and action.nargs == "?":
                words[place] += f"={action.const}"
            place += 2 if action is not None and action.nargs is None else 1
        return words
