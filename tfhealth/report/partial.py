"""(Jinja text of a pack, Report) -> HTML: names, `if` and `for` over the report's own words, nothing else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from tfhealth.report.document import Report
from tfhealth.report.harmless import filter_html

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["FILTERS", "MAX_TEXT", "problem_in", "render"]

MAX_TEXT = 20_000
_MAX_OUTPUT = 50_000
_MAX_ROUNDS = 10_000
_MAX_NESTED = 12
_NODES = (
    *("Template", "Output", "TemplateData", "Name", "Const", "Getattr", "Getitem", "If", "For", "CondExpr"),
    *("Tuple", "And", "Or", "Not", "Compare", "Operand", "Filter"),
)
_TEXT_FILTERS: dict[str, Callable[[str], str]] = {
    "capitalize": str.capitalize,
    "lower": str.lower,
    "title": str.title,
    "trim": str.strip,
    "upper": str.upper,
}
FILTERS = ("length", *_TEXT_FILTERS)
"""Every filter of a template."""
_LOOP = ("first", "index", "index0", "last", "length")


def render(text: str, report: Report, parts: Any = None, headings: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the HTML that `text` makes of a report, and the names of the tags and attributes that were left out.

    A template can name `report` and what it holds, compare, choose and repeat. It cannot call, join, calculate,
    define or include anything, so what it does is bounded by what the report holds.

    Args:
        text: the template.
        report: what it is about.
        parts: a dataclass of texts that it can name too; None: none.
        headings: tags of headings that it may have.

    Raises:
        ValueError: the line, and what the template has that is not allowed, or what went wrong in it.
    """
    try:
        made = _rendered(text, {"report": report} | ({} if parts is None else {"parts": parts}))
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except Exception as error:  # whatever Jinja makes of it: the template is foreign
        raise ValueError(_told(error)) from error
    return filter_html(made, headings)


def problem_in(text: str) -> tuple[int, str] | None:
    """Return the line of a template, and what is wrong there, before any report is put into it; None: nothing."""
    try:
        _parsed(text, _environment(_Rounds()))
    except RecursionError:
        return 1, "is nested too deep"
    except Exception as error:  # whatever Jinja makes of it
        line, what = _placed(error)
        return line or 1, what
    return None


class _RefusedError(ValueError):
    """Something that a template may not have, in one of its lines."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.lineno = line


def _told(error: Exception) -> str:
    """Return what went wrong in a template, with the line where it is known."""
    line, what = _placed(error)
    return what if line is None else f"line {line}: {what}"


def _placed(error: Exception) -> tuple[int | None, str]:
    """Return the line of a template where something went wrong, None where it is not known, and what."""
    what = (
        str(error)
        if type(error) in (ValueError, _RefusedError)
        else f"{type(error).__name__}: {getattr(error, 'message', error)}"
    )
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return getattr(error, "lineno", None) or (lines[-1] if lines else None), what


def _rendered(text: str, names: Mapping[str, Any]) -> str:
    from jinja2 import Template

    environment = _environment(_Rounds())
    tree = _parsed(text, environment)
    _count_rounds(tree)
    template = Template.from_code(environment, environment.compile(tree), {})
    parts, size = [], 0
    for part in template.generate(**names):
        size += len(part)
        if size > _MAX_OUTPUT:
            raise ValueError(f"makes more than {_MAX_OUTPUT:,} characters")
        parts.append(part)
    return "".join(parts)


def _parsed(text: str, environment: ImmutableSandboxedEnvironment) -> nodes.Template:
    """Return the tree of a template that has nothing in it but what is allowed."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"has {len(text):,} characters; legal are {MAX_TEXT:,}")
    tree = environment.parse(text)
    _check(tree, 0)
    return tree


def _check(node: Any, depth: int) -> None:
    """Refuse everything that is not in the list; done before compiling, which already computes with constants."""
    kind = type(node).__name__
    if kind not in _NODES or (kind == "Tuple" and node.ctx != "store"):
        raise _RefusedError(node.lineno, f"{kind.lower()} is not allowed; legal are {{{{ names }}}}, if and for")
    if kind == "Filter" and node.name not in FILTERS:
        raise _RefusedError(node.lineno, f"filter {node.name!r} is not allowed; legal: {', '.join(FILTERS)}")
    if kind == "For" and node.recursive:
        raise _RefusedError(node.lineno, "a recursive loop is not allowed")
    if depth > _MAX_NESTED:
        raise _RefusedError(node.lineno, f"is nested more than {_MAX_NESTED} deep")
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


class _Rounds:
    """A filter that hands on what it is given, and ends all loops of a template when they have gone round enough."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, things: Iterable[Any]) -> Iterator[Any]:
        for thing in things:
            self.made += 1
            if self.made > _MAX_ROUNDS:
                raise ValueError(f"loops more than {_MAX_ROUNDS:,} times")
            yield thing


def _count_rounds(tree: nodes.Template) -> None:
    from jinja2 import nodes

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "rounds", [], [], None, None, lineno=loop.lineno)


def _environment(rounds: _Rounds) -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.runtime import LoopContext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Closed(ImmutableSandboxedEnvironment):
        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if isinstance(obj, LoopContext):
                return attr in _LOOP
            return is_dataclass(obj) and attr in [field.name for field in fields(obj)]

        def is_safe_callable(self, obj: Any) -> bool:
            return False

    environment = Closed(autoescape=True, undefined=StrictUndefined, finalize=_shown, loader=None)
    environment.globals.clear()
    environment.filters = {name: _on_text(name) for name in _TEXT_FILTERS} | {"length": len, "rounds": rounds}
    environment.tests.clear()
    return environment


def _on_text(name: str) -> Callable[[Any], str]:
    def change(text: Any) -> str:
        if not isinstance(text, str):
            raise ValueError(f"filter {name!r} is for texts, not for a {type(text).__name__}")
        return _TEXT_FILTERS[name](text)

    return change


def _shown(value: Any) -> Any:
    from jinja2 import Undefined

    # An undefined name goes on, to complain for itself.
    if isinstance(value, str | int | float | Undefined):
        return value
    raise ValueError(f"shows a {type(value).__name__}; legal are texts and numbers")
