"""`tfhealth rules …`: what a team writes, checks, tests, ships and compares rules with."""

from tfhealth.cli.rules.command import add

__all__ = ["add"]
