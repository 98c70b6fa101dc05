"""Models of rule, pack and profile files -> JSON Schemas, with which editors complete and check what is typed.

A schema says what the models say, and beside it the names that only validators know: kinds of site, statistics, looks.
All are draft 7, the newest that every editor's YAML support reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel

from tfhealth.conditions import PHASES, SEVERITIES
from tfhealth.derive import ACROSS, LOOKS, REFERENCES
from tfhealth.rules.message import NAMES
from tfhealth.rules.model import Rule
from tfhealth.rules.pack import Manifest, built_in
from tfhealth.rules.patch import BY_SITE, PARTIAL
from tfhealth.rules.profile import Profile
from tfhealth.series import KINDS
from tfhealth.statistics import statistic_names

__all__ = [
    "RULE_SCHEMA",
    "document",
    "pack_schema",
    "profile_schema",
    "rule_schema",
    "text",
]

RULE_SCHEMA = "rule-1.schema.json"

Schema = dict[str, Any]


def rule_schema() -> Schema:
    """Return the JSON Schema of a rule file."""
    return document(Rule, "tfhealth rule")


def pack_schema() -> Schema:
    """Return the JSON Schema of `pack.yaml`."""
    return document(Manifest, "tfhealth pack")


def profile_schema() -> Schema:
    """Return the JSON Schema of a profile, in which rules stand in part."""
    made = document(Profile, "tfhealth profile")
    rule = rule_schema()
    made["$defs"] |= _patches(rule)
    for part, patch in ((made, "RulePatch"), (made["$defs"]["OverrideEntry"], "SitePatch")):
        rules = part["properties"]["set"]
        rules["propertyNames"] = {"pattern": rule["properties"]["id"]["pattern"]}
        rules["additionalProperties"] = {"anyOf": [{"enum": ["off", "on", False, True]}, {"$ref": f"#/$defs/{patch}"}]}
    return made


def document(model: type[BaseModel], title: str) -> Schema:
    """Return the JSON Schema of the files that `model` reads, enriched wherever a part of a rule occurs in it.

    A null that says nothing is legal where files are loaded, but is neither offered nor taken here: an editor can then
    show a mistake where it is, instead of saying that it is neither this nor null.
    """
    made = model.model_json_schema(by_alias=True)
    if "$ref" in made:  # pydantic's form for a model that holds itself
        made = {**made["$defs"][made["$ref"].rsplit("/", 1)[-1]], "$defs": made["$defs"]}
    parts = {model.__name__: made, **made.get("$defs", {})}
    for name, part in parts.items():
        part["properties"] = {key: _said(one) for key, one in part["properties"].items()}
        if name in _ENRICHED:
            _ENRICHED[name](part)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_draft_7(made), "title": title}


def _said(property: Schema) -> Schema:
    """Return a property without its title, which repeats its name, and without a null that means that it is absent."""
    kinds = property.get("anyOf", [])
    kept = {key: one for key, one in property.items() if key != "title"}
    if {"type": "null"} not in kinds or {"type": "boolean"} in kinds:  # where flags are legal, null is a value too
        return kept
    del kept["anyOf"], kept["default"]
    kinds = [one for one in kinds if one != {"type": "null"}]
    if len(kinds) > 1:
        return {"anyOf": kinds, **kept}
    (kind,) = kinds
    return {"allOf": [kind], **kept} if "$ref" in kind else {**kind, **kept}


def text(schema: Schema) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _patches(rule: Schema) -> Schema:
    """Return the parts of a rule, whole and in part: of the latter nothing is required, and null takes a key away."""
    parts = {"Rule": rule, **rule["$defs"]}
    patches = {f"{name}Patch": _patch(part) for name, part in parts.items()}
    severity = {"enum": list(SEVERITIES), "description": "every complaint of the rule at this rung"}
    keys = {**patches["RulePatch"]["properties"], "severity": severity}
    for name, legal in (("RulePatch", PARTIAL), ("SitePatch", BY_SITE)):
        patches[name] = {**patches["RulePatch"], "properties": {key: keys[key] for key in legal}}
    return {**rule["$defs"], **patches}


def _patch(part: Schema) -> Schema:
    keys = {name: {"anyOf": [_in_part(one), {"type": "null"}]} for name, one in part["properties"].items()}
    return {"type": "object", "additionalProperties": False, "properties": keys}


def _in_part(node: Any) -> Any:
    """Return a schema that takes parts where it took wholes; a list is replaced, so what is in it stays whole."""
    if isinstance(node, list):
        return [_in_part(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: one if key in ("items", "contains") else _in_part(one) for key, one in node.items()}
    return kept | {"$ref": f"{kept['$ref']}Patch"} if "$ref" in kept else kept


def _draft_7(node: Any) -> Any:
    """Return a schema in the words of draft 7, closed also where pydantic leaves mappings with other keys open."""
    if isinstance(node, list):
        return [_draft_7(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _draft_7(value) for key, value in node.items()}
    if "prefixItems" in plain:
        plain["items"] = plain.pop("prefixItems")
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain


def _exactly_one(names: Iterable[str]) -> Schema:
    return {"oneOf": [{"required": [name]} for name in names]}


def _offer(part: Schema, legal: Iterable[str]) -> None:
    """Let what is text in a property, or in a list of it, be one of the `legal` words only."""
    for one in part.get("anyOf", [part]):
        text = one.get("items", one)
        if text.get("type") == "string":
            text["enum"] = list(legal)


def _rule(part: Schema) -> None:
    keys = part["properties"]
    for name in ("message", "advice"):
        keys[name]["pattern"] = _TEMPLATE
        said = keys[name].get("description", "text")
        keys[name]["description"] = f"{said}; names: {', '.join(f'{{{one}}}' for one in NAMES)}"
    rows = built_in().rows
    known = [item.id for chapter in (rows.chapters if rows else ()) for item in chapter.items]
    pattern = {key: keys["checklist"].pop(key) for key in ("type", "pattern")}
    keys["checklist"]["anyOf"] = [{"enum": known}, pattern]  # a pack may have rows of its own
    verdicts = [{"const": "pass"}, {"enum": ["warn", "fail"]}]
    keys["examples"]["allOf"] = [{"contains": {"properties": {"verdict": one}}} for one in verdicts]


def _measure(part: Schema) -> None:
    keys = part["properties"]
    _offer(keys["site"], KINDS)
    _offer(keys["statistic"], dict.fromkeys(name for kind in KINDS for name in statistic_names(kind)))
    _offer(keys["across"], ACROSS)
    _offer(keys["relative_to"], REFERENCES)
    keys["expr"]["pattern"] = _expression_pattern()
    forms = (["expr"], ["site", "statistic"], ["site", "attribute"])
    part["allOf"] = [{"oneOf": [{"required": form} for form in forms]}, *map(_statistics_of, KINDS)]


def _statistics_of(kind: str) -> Schema:
    """Return that at sites of one kind only its own statistics exist."""
    return {
        "if": {"properties": {"site": {"const": kind}}, "required": ["site", "statistic"]},
        "then": {"properties": {"statistic": {"enum": list(statistic_names(kind))}}},
    }


def _expression_pattern() -> str:
    """Return a pattern of which every character has one reading, so that no text makes it slow."""
    names = [re.escape(f"{kind}.{name}") for kind in KINDS for name in statistic_names(kind)]
    facts = r"fact(?:\.[A-Za-z]\w*)+"
    return rf"^(?:[-+*/().\s\d]|\d[eE]|{'|'.join([*sorted(names, reverse=True), facts])})+$"


def _bound(part: Schema) -> None:
    _offer(part["properties"]["look"], LOOKS)
    part["allOf"] = [_exactly_one(name for name in part["properties"] if name not in ("look", "window"))]
    part["dependencies"] = {"window": ["look"]}


def _condition(part: Schema) -> None:
    policies = [
        {"required": [name], "properties": {name: {"enum": list(SEVERITIES)}}} for name in ("missing", "nonfinite")
    ]
    part["allOf"] = [{"anyOf": [*({"required": [name]} for name in SEVERITIES), *policies]}]


def _active(part: Schema) -> None:
    _offer(part["properties"]["phase"], PHASES)


def _one_key(part: Schema) -> None:
    part["allOf"] = [_exactly_one(part["properties"])]


def _example(part: Schema) -> None:
    part["allOf"] = [_exactly_one(("values", "value", "missing"))]


_TEMPLATE = rf"^(?:[^{{}}]|\{{\{{|\}}\}}|\{{(?:{'|'.join(NAMES)})(?::[^{{}}]{{0,8}})?\}})*$"
"""A message: text, doubled braces, and the names of `NAMES` with a format."""

_ENRICHED: dict[str, Callable[[Schema], None]] = {
    "Rule": _rule,
    "Measure": _measure,
    "Bound": _bound,
    "Condition": _condition,
    "Window": _one_key,
    "Lasting": _one_key,
    "Quantify": _one_key,
    "Active": _active,
    "Example": _example,
}
"""What models check in Python is said here once more for editors, by the name of the model."""
