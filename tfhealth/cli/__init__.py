"""The command line: arguments -> one command of `COMMANDS`, and its exit code."""

from tfhealth.cli.main import main

__all__ = ["main"]
