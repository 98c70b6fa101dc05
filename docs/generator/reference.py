"""Parser, registries and models -> the reference pages."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generator.words import RECORDED, REFERENCES, WORDS
from pydantic import BaseModel

from tfhealth import derive
from tfhealth.cli.main import build_parser
from tfhealth.conditions import PHASES, Bound, Condition, Lasting, Window
from tfhealth.result import SCHEMA_FILE, schema
from tfhealth.rules.message import NAMES
from tfhealth.rules.model import Active, Example, Given, Measure, Quantify, Rule, While
from tfhealth.series import KINDS
from tfhealth.statistics import STATISTICS
from tfhealth.trials import Expectation, Trial, TrialFile

__all__ = ["cli_page", "conditions_page", "result_page", "rule_file_page", "statistics_page", "test_file_page"]


_LINKS = {
    "Bound": "[test](conditions.md#test)",
    "Condition": "[condition](conditions.md#condition)",
    "Lasting": "[length of time](conditions.md#for)",
    "Window": "[window](conditions.md#window)",
    "Measure": "[measure](#measure)",
    "While": "[while](#while)",
    "Given": "[given](#given)",
    "Active": "[active](#active)",
    "Quantify": "[quantify](#quantify)",
    "Example": "[example](#examples)",
    "Trial": "[test](#test)",
    "Expectation": "[expectation](#expect)",
}
"""Where the parts of a rule file are described."""

_FOR = (
    "`for` as a number counts probes in a row. As a mapping it has exactly one of these. In all but the first each "
    "probe stands for the steps until the next one; a length in steps or epochs takes at least two probes, a share "
    "three. An epoch has as many steps as the epochs of the run had, before the first one ended as many as were "
    "planned; where neither is known, a rule in epochs is not measured. What Keras logs at the end of an epoch belongs "
    "to that epoch."
)
_WINDOW = (
    "Exactly one of these. A window counts back from each probe and holds the finite values there; before as much was "
    "seen as it holds, nothing is breached."
)


def cli_page() -> str:
    """Return the page of the command line, from its parser."""
    parser = build_parser()
    codes = [line.split(maxsplit=1) for line in _joined(parser.epilog or "")]
    parts = [
        "# Command line",
        f"{parser.description} `python -m tfhealth` is the same as `tfhealth`.",
        *_commands(parser),
        "## Exit codes",
        _table(("Code", "Meaning"), codes),
        "`tfhealth run` returns the script's own exit code where that is not 0. Without a gate, by `--fail-on` "
        "or by a profile, a sick training returns 0.",
    ]
    return "\n\n".join(parts) + "\n"


def _joined(epilog: str) -> list[str]:
    """Return the lines of the exit codes, each with its continuation."""
    lines: list[str] = []
    for line in epilog.splitlines()[1:]:
        if line.strip()[:1].isdigit():
            lines.append(line.strip())
        elif line.strip():
            lines[-1] += f" {line.strip()}"
    return lines


def _commands(parser: argparse.ArgumentParser) -> list[str]:
    """Return a section for each command below `parser`, depth first."""
    parts = []
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {one.dest: one.help for one in action._choices_actions}
        for name, below in action.choices.items():
            inner = _commands(below)
            if inner:
                parts += inner
                continue
            text = below.description or helps.get(name)
            if not text:
                raise SystemExit(f"{below.prog} has no description")
            sentence = f"{text[0].upper()}{text[1:].rstrip('.')}."
            parts += [f"## {below.prog}", f"```text\n{_usage(below)}\n```", sentence, *_arguments(below)]
    return parts


def _usage(parser: argparse.ArgumentParser) -> str:
    shown = {None: "{}", "?": "[{}]", "*": "[{} ...]", "+": "{} [{} ...]", argparse.REMAINDER: "[{} ...]"}
    positional = [one for one in parser._actions if not one.option_strings]
    names = [shown[one.nargs].replace("{}", str(one.metavar or one.dest)) for one in positional]
    return " ".join([parser.prog, "[OPTIONS]", *names])


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        if not action.help:
            raise SystemExit(f"{parser.prog}: {action.dest} has no help")
        name = str(action.metavar or action.dest)
        if action.option_strings:
            name = action.option_strings[-1] + {0: "", "?": f"[={name}]"}.get(action.nargs, f" {name}")
        rows[bool(action.option_strings)].append((f"`{name}`", _with_default(action)))
    tables = (("Argument", rows[False]), ("Option", rows[True]))
    return [_table((title, "Meaning"), listed) for title, listed in tables if listed]


def _with_default(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default, "prog": ""}
    simple = action.default not in (None, False, argparse.SUPPRESS) and action.nargs != 0
    return (
        f"{text} (default: {action.default})" if simple and action.option_strings and "default:" not in text else text
    )


def rule_file_page() -> str:
    """Return the page of the keys of a rule file."""
    parts = [
        "# Rule file",
        "One rule is one YAML 1.2 file, `<ID>-<fault-in-small-letters>.yaml`. A key that is not listed here is "
        "refused, and every fault of every file is reported at once with line and column. See "
        "[Write a rule](../guide/writing-a-rule.md) for a worked example.",
        *_model(Rule, "Keys"),
        *_model(Measure, "measure"),
        "Either `expr`, or `site` with one of `statistic` and `attribute`. An expression has numbers, "
        "`kind.statistic`, `+ - * /` and parentheses, and nothing else.",
        "Values of `where` and `when` are one value, a list of them, or a [test](conditions.md#test).",
        *_named("across", {name: one.doc for name, one in derive.ACROSS.items()}, "Reduction"),
        *_named("relative_to", _references(), "Divisor"),
        *_model(While, "while"),
        *_model(Given, "given"),
        *_model(Active, "active"),
        *_named("phase", {name: doc for name, (_, doc) in PHASES.items()}, "Part of the run"),
        *_model(Quantify, "quantify"),
        *_model(Example, "examples"),
        "## Names in a message",
        "`message` and `advice` may name these, with a format such as `{value:.2g}`; a literal brace is written twice.",
        _table(("Name", "Meaning"), [(f"`{{{name}}}`", text) for name, text in NAMES.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def test_file_page() -> str:
    """Return the page of the keys of a test file."""
    parts = [
        "# Test file",
        "The files `tests/*.yaml` of a folder of rules, or of a pack, describe runs and what the rules must say of "
        "them; `tfhealth rules test` runs them. See [Write a rule](../guide/writing-a-rule.md#test-it) for an example.",
        *_model(TrialFile, "Keys"),
        *_model(Trial, "Test"),
        "A site is written `kind name`, a series `kind name statistic`; the values are those of "
        "[examples](rule-file.md#examples).",
        *_model(Expectation, "expect"),
    ]
    return "\n\n".join(parts) + "\n"


def conditions_page() -> str:
    """Return the page of the ways to judge a series."""
    parts = [
        "# Conditions",
        "A condition states a test for one rung of severity or several. The most severe rung that is breached counts.",
        *_model(Condition, "condition"),
        *_model(Lasting, "for", _FOR),
        *_model(Bound, "Test", "Exactly one of these, and `look` and `window`:"),
        "NaN and Inf breach `nonfinite` and, of the others, none.",
        *_model(Window, "window", _WINDOW),
        *_named("look", {name: text for name, (_, text) in derive.LOOKS.items()}, "How to look at the series"),
    ]
    return "\n\n".join(parts) + "\n"


def statistics_page() -> str:
    """Return the page of the kinds of site, their statistics and their attributes."""
    parts = [
        "# Sites and statistics",
        "A site is a place in a model: a kind and a name, Keras's path of the layer or variable. A rule names a "
        "statistic as `kind.statistic`. Only what some enabled rule reads is computed.",
        "A *step* is the number of optimizer steps taken before the measured one. Sums run over all elements of the "
        "tensor in one batch; n is their number.",
    ]
    for kind, text in KINDS.items():
        rows = [(f"`{one.name}`", one.doc, one.unit or "number") for one in STATISTICS if kind in one.kinds]
        parts += [f"## {kind}", f"{text[0].upper()}{text[1:]}."]
        if rows:
            parts.append(_table(("Statistic", "Formula", "Unit"), rows))
        if RECORDED.get(kind):
            parts.append("Attributes for `where`: " + ", ".join(f"`{name}`" for name in RECORDED[kind]) + ".")
    return "\n\n".join(parts) + "\n"


def result_page() -> str:
    """Return the page of `result.json`."""
    full = schema()
    parts = [
        "# result.json",
        f"{full['description']} Its JSON Schema is `tfhealth/schemas/{SCHEMA_FILE}`; keys that are not in it do not "
        "occur.",
        _properties("Result", full, nullable=True),
    ]
    for name, one in full["$defs"].items():
        if "properties" in one:
            parts += [f"## {name}", one["description"], _properties(name, one, nullable=True)]
        elif "enum" in one:
            parts += [f"## {name}", ", ".join(f"`{value}`" for value in one["enum"])]
    return "\n\n".join(parts) + "\n"


def _references() -> Mapping[str, str]:
    if REFERENCES.keys() != derive.REFERENCES.keys():
        raise SystemExit("docs/generator/words.py: REFERENCES and tfhealth.derive.REFERENCES differ")
    return REFERENCES


def _model(model: type[BaseModel], title: str, intro: str = "") -> list[str]:
    found = model.model_json_schema(by_alias=True)
    found = found["$defs"][model.__name__] if "$ref" in found else found
    text = intro or (model.__doc__ or "").strip().splitlines()[0]
    heading = title if title in ("Keys", "Test") else f"`{title}`"
    return [f"## {heading}", text, _properties(model.__name__, found)]


def _properties(name: str, found: Mapping[str, Any], nullable: bool = False) -> str:
    required = set(found.get("required", ()))
    rows = []
    for key, one in found["properties"].items():
        meaning = WORDS.get(name, {}).get(key) or one.get("description")
        if not meaning:
            raise SystemExit(f"{name}.{key} has no description, neither in the code nor in docs/generator/words.py")
        null = " or null" if nullable and {"type": "null"} in one.get("anyOf", ()) else ""
        rows.append((f"`{key}`" + (" (required)" if key in required else ""), _type(one) + null, meaning))
    return _table(("Key", "Type", "Meaning"), rows)


def _type(one: Mapping[str, Any]) -> str:
    """Return the type of a JSON Schema in words; null is left out, a key that may be null may be left out too."""
    if "$ref" in one:
        name = one["$ref"].rsplit("/", 1)[-1]
        return _LINKS.get(name, f"[{name}](#{name.lower()})")
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_type(part) for part in one["anyOf"] if part != {"type": "null"}))
    if "const" in one:
        return f"`{str(one['const']).lower()}`"
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "prefixItems" in one:
        return "[" + ", ".join(_type(part) for part in one["prefixItems"]) + "]"
    if one.get("type") == "array":
        return f"list of {_type(one['items'])}"
    if one.get("type") == "object":
        return "mapping"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}
    return words[str(one["type"])]


def _named(title: str, entries: Mapping[str, str], head: str) -> list[str]:
    return [f"### `{title}`", _table(("Name", head), [(f"`{name}`", text) for name, text in entries.items()])]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        if any("|" in cell for cell in row):
            raise SystemExit(f"a table cell cannot hold a pipe: {row}")
        lines.append(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |")
    return "\n".join(lines)
