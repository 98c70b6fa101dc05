"""YAML -> Item, Rule, Checklist; errors that point at the word."""

from tfhealth.rules.checklist import Checklist, Item
from tfhealth.rules.loader import load_checklist
from tfhealth.rules.model import Example, Measure, Rule

__all__ = ["Checklist", "Example", "Item", "Measure", "Rule", "load_checklist"]
