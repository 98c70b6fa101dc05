"""A pack's logo, PNG or SVG -> a data URI of what can only be looked at, and what was left out."""

from __future__ import annotations

import base64
import re
import struct
from functools import cache
from xml.etree import ElementTree as ET

from tfhealth.report.harmless import check_css
from tfhealth.report.svg import data_uri

__all__ = ["logo_uri"]

_MAX_BYTES = 100_000
_MAX_SIDE = 4096  # pixels; a small file can hold a picture that fills the memory
_MAX_DRAWN = 20_000
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = "{http://www.w3.org/2000/svg}"
_TAGS = (
    *("svg", "g", "defs", "symbol", "use", "title", "desc", "style", "path", "rect", "circle", "ellipse", "line"),
    *("polyline", "polygon", "text", "tspan", "linearGradient", "radialGradient", "stop", "clipPath", "mask"),
)
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")
_FRAGMENT = re.compile(r"#[\w.-]+")
_REFERENCE = re.compile(r"url\(\s*[\"']?#([\w.-]+)")


def logo_uri(logo: bytes) -> tuple[str, tuple[str, ...]]:
    """Return a logo as the source of an image, and the names of what was left out of it.

    Raises:
        ValueError: it is too large, no PNG or SVG, or draws far more than it says.
    """
    if len(logo) > _MAX_BYTES:
        raise ValueError(f"has {len(logo):,} bytes; legal are {_MAX_BYTES:,}")
    if not logo.startswith(_PNG):
        return _drawing(logo)
    sides = struct.unpack(">II", logo[16:24]) if logo[12:16] == b"IHDR" and len(logo) > 24 else (0, 0)
    if not 0 < min(sides) <= max(sides) <= _MAX_SIDE:
        raise ValueError(f"has {sides[0]:,} x {sides[1]:,} pixels; legal are 1 to {_MAX_SIDE:,} a side")
    return "data:image/png;base64," + base64.b64encode(logo).decode(), ()


def _drawing(logo: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        text = logo.decode("utf-8-sig")
        if "<!ENTITY" in text:
            raise ValueError("declares an entity, which can stand for a billion letters or for a file")
        root = ET.fromstring(text)  # noqa: S314 - no entities; comments, instructions and the DOCTYPE are dropped
    except (UnicodeDecodeError, ET.ParseError, RecursionError) as error:
        raise ValueError(f"is neither PNG nor SVG ({error})") from error
    if root.tag != f"{_SVG}svg":
        raise ValueError(f"is neither PNG nor SVG, but <{root.tag}>")
    left_out: list[str] = []
    _prune(root, left_out)
    _check_size(root)
    ET.register_namespace("", _SVG[1:-1])
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return data_uri(ET.tostring(root, "unicode")), tuple(dict.fromkeys(left_out))


def _prune(root: ET.Element, left_out: list[str]) -> None:
    """Take away what is not in the list of tags, and attributes that run something or lead elsewhere."""
    queue = [root]
    while queue:
        parent = queue.pop()
        for name, value in list(parent.attrib.items()):
            if not _harmless(name, value):
                left_out += [] if name.startswith("{") and name not in _HREFS else [name.rpartition("}")[2]]
                del parent.attrib[name]
        for child in list(parent):
            if _is_drawn(child):
                queue.append(child)
                continue
            # What editors keep for themselves, in their own names, is not missed.
            left_out += [f"<{child.tag.removeprefix(_SVG)}>"] if child.tag.startswith(_SVG) else []
            parent.remove(child)


def _is_drawn(element: ET.Element) -> bool:
    if not element.tag.startswith(_SVG) or element.tag.removeprefix(_SVG) not in _TAGS:
        return False
    return element.tag != f"{_SVG}style" or _is_local("".join(element.itertext()))


def _harmless(name: str, value: str) -> bool:
    if name in _HREFS:
        return _FRAGMENT.fullmatch(value) is not None
    if name.startswith("{"):
        return name == "{http://www.w3.org/XML/1998/namespace}space"
    return not name.lower().startswith("on") and _is_local(value)


def _is_local(css: str) -> bool:
    try:
        check_css(css, fragments=True)
    except ValueError:
        return False
    return True


def _check_size(root: ET.Element) -> None:
    """Refuse drawings whose references multiply: ten lines can stand for a billion shapes."""
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    open_now: set[ET.Element] = set()

    @cache
    def drawn(element: ET.Element) -> int:
        if element in open_now or len(open_now) > 200:
            raise ValueError("has references in a circle, or nested too deep")
        open_now.add(element)
        below = [*element, *(named[name] for name in _references(element) if name in named)]
        total = 1 + sum(drawn(one) for one in below)
        open_now.discard(element)
        return total

    if drawn(root) > _MAX_DRAWN:
        raise ValueError(f"stands for more than {_MAX_DRAWN:,} shapes")


def _references(element: ET.Element) -> list[str]:
    found = [value[1:] for name, value in element.items() if name in _HREFS]
    return found + [name for value in element.attrib.values() for name in _REFERENCE.findall(value)]
