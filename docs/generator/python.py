"""The docstrings of everything public, read without importing it -> the page of the Python interface."""

import ast
import re
from pathlib import Path

import tfhealth

__all__ = ["page"]

_PACKAGE = Path(tfhealth.__file__).parent
_SEE = {
    "Finding": "Its fields are those of a finding in [result.json](result.md#finding).",
    "Result": "Its fields are those of [result.json](result.md).",
    "Rule": "Its fields are the keys of a [rule file](rule-file.md).",
}
_SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Example")


def page() -> str:
    """Return the page: one section a public name, in alphabetical order."""
    parts = [
        "# Python",
        "Everything public is in `tfhealth` itself and is loaded when first used: `import tfhealth` loads no "
        "TensorFlow, and only `HealthCallback`, `watch`, `preflight` and `replay` need it.",
    ]
    for name in tfhealth.__all__:
        if name == "__version__":
            parts.append("## `__version__`\n\nThe installed version, e.g. `0.1.0`.")
        else:
            parts.append(_section(name))
    return "\n\n".join(parts) + "\n"


def _section(name: str) -> str:
    module, attribute = tfhealth._PUBLIC[name]
    node = _find(module, attribute)
    text = ast.get_docstring(node)
    if not text:
        raise SystemExit(f"tfhealth.{name} has no docstring")
    parts = [f"## `{name}`", f"```python\n{_signature(name, node)}\n```", *_markdown(text)]
    if name in _SEE:
        parts.append(_SEE[name])
    if isinstance(node, ast.ClassDef):
        listed = [line for one in node.body if (line := _member(one))]
        if listed:
            parts += ["Methods and properties:", "\n".join(listed)]
    return "\n\n".join(parts)


def _find(module: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    """Return the definition of `name`, following the imports of the package that hands it on."""
    path = _PACKAGE.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and node.module and any(one.name == name for one in node.names):
            return _find(node.module, name)
    raise SystemExit(f"{module}.{name} is not defined in {source.name}")


def _signature(name: str, node: ast.ClassDef | ast.FunctionDef) -> str:
    if isinstance(node, ast.FunctionDef):
        return _call(f"tfhealth.{name}", node.args, node.returns, skip=0)
    init = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if init is None:
        return f"class tfhealth.{name}"
    return _call(f"tfhealth.{name}", init.args, None, skip=1)


def _call(name: str, arguments: ast.arguments, returns: ast.expr | None, skip: int) -> str:
    pairs = list(arguments.args)[skip:]
    defaults = [None] * (len(pairs) - len(arguments.defaults)) + list(arguments.defaults)
    listed = [_argument(one, default) for one, default in zip(pairs, defaults, strict=True)]
    named = [_argument(one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    listed += ["    *,\n", *named] if named else []
    listed += [_argument(arguments.kwarg, None, "**")] if arguments.kwarg else []
    return f"{name}(\n{''.join(listed)})" + (f" -> {ast.unparse(returns)}" if returns else "")


def _argument(one: ast.arg, default: ast.expr | None, stars: str = "") -> str:
    kind = ast.unparse(one.annotation) if one.annotation else "Any"
    return f"    {stars}{one.arg}: {kind}" + (f" = {ast.unparse(default)}" if default is not None else "") + ",\n"


def _member(node: ast.stmt) -> str:
    """Return one line for a documented public method or property; Keras's own hooks are Keras's to describe."""
    if not isinstance(node, ast.FunctionDef) or node.name.startswith(("_", "on_")):
        return ""
    text = ast.get_docstring(node)
    if not text:
        return ""
    is_property = any(ast.unparse(one) == "property" for one in node.decorator_list)
    decorated = any(isinstance(one, ast.Call) or "validator" in ast.unparse(one) for one in node.decorator_list)
    if decorated:
        return ""
    head = node.name if is_property else f"{node.name}({', '.join(one.arg for one in node.args.args[1:])})"
    return f"- `{head}`: {' '.join(text.split(chr(10) * 2)[0].split())}"


def _markdown(text: str) -> list[str]:
    """Turn a docstring in Google's style into Markdown: its sections become lists."""
    parts: list[str] = []
    for block in re.split(rf"\n+(?=(?:{'|'.join(_SECTIONS)}):\n)", text):
        name, _, body = block.partition(":\n")
        if name == "Example":
            body = re.sub(r"^(?!>>>|\.\.\.)(?=\S)", "# ", _dedent(body), flags=re.MULTILINE)  # what the example prints
            code = re.sub(r"^(>>> |\.\.\. )", "", body, flags=re.MULTILINE)
            code = re.sub(r"^((?:from|import) .*\n)(?!from|import|\n)", r"\1\n", code, flags=re.MULTILINE)
            parts.append(f"Example:\n\n```python\n{code.strip()}\n```")
        elif name in _SECTIONS:
            parts.append(f"{name if name != 'Args' else 'Arguments'}:\n\n{_entries(_dedent(body))}")
        else:
            parts.append(block)
    return parts


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.rstrip().splitlines())


def _entries(body: str) -> str:
    """Join each entry with its indented continuation; `name: text` gets its name in code."""
    joined = re.sub(r"\n\s+", " ", body.strip())
    if not re.match(r"[\w, ]+: ", joined):
        return " ".join(joined.split())
    return "\n".join(re.sub(r"^([\w, ]+): ", r"- `\1`: ", line) for line in joined.splitlines())
