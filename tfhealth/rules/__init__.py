"""YAML -> Item, Rule, Pack, Profile, Checklist; errors that point at the word."""

from tfhealth.rules.checklist import Checklist, Item
from tfhealth.rules.installed import find_pack, installed_packs
from tfhealth.rules.loader import load_checklist
from tfhealth.rules.model import Example, Measure, Rule
from tfhealth.rules.pack import Pack

__all__ = [
    "Checklist",
    "Example",
    "Item",
    "Measure",
    "Pack",
    "Rule",
    "find_pack",
    "installed_packs",
    "load_checklist",
]
