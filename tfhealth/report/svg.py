"""SVG text -> less of it, and the data URI that puts it into a page."""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.etree import ElementTree

# What may stand as it is in a URL between double quotes and need not be escaped in HTML.
_PLAIN = " !$()*+,-./:;=?@[]^_`{|}~"
_LONG = re.compile(r"(\.\d\d)\d+")
_FONT = re.compile(r"font: ([\d.]+px)[^;\"]*")
_UNTURNED = re.compile(r"rotate\(-?0 .*")
_ROOT = {
    "xmlns": "http://www.w3.org/2000/svg",
    "font-family": "DejaVu Sans,Verdana,sans-serif",
    "stroke-linejoin": "round",
    "stroke-linecap": "butt",
}
"""What holds for a whole chart; the first font is the one that matplotlib measured, the second is as wide."""

__all__ = ["compact", "data_uri"]


def compact(svg: str) -> str:
    """Return the SVG of matplotlib with attributes for styles, two decimals and no empty groups: the same to see.

    WeasyPrint takes seconds for what is not there any more.
    """
    text = re.sub(r' xmlns(:\w+)?="[^"]*"|<metadata>.*?</metadata>', "", svg[svg.index("<svg") :], flags=re.DOTALL)
    root = ElementTree.fromstring(_FONT.sub(r"font-size: \1", text.replace("xlink:href", "href")))  # noqa: S314 - ours
    for defs in root.findall("defs"):
        if defs.find("style") is not None:
            root.remove(defs)
    _slim(root)
    root.attrib = {**_ROOT, **root.attrib}
    return ElementTree.tostring(root, "unicode")


def _slim(node: ElementTree.Element) -> None:
    """Shorten what an element and all below it say."""
    _shorten(node)
    children = list(node)
    for child in children:
        _slim(child)
    node[:] = [kept for child in children for kept in (child if child.tag == "g" and not child.attrib else [child])]
    if not (node.text or "").strip():
        node.text = None
    node.tail = None


def _shorten(node: ElementTree.Element) -> None:
    if node.tag not in ("path", "clipPath", "image"):
        node.attrib.pop("id", None)
    for declared in node.attrib.pop("style", "").split(";"):
        name, _, value = declared.partition(":")
        if value and name.strip() != "font-family":
            node.set(name.strip(), value.strip())
    for name in ("x", "y", "width", "height", "transform"):
        if name in node.attrib:
            node.set(name, _LONG.sub(r"\1", node.attrib[name]))
    if _UNTURNED.match(node.get("transform", "")):
        del node.attrib["transform"]
    if "d" in node.attrib:
        node.set("d", re.sub(r"\s*([A-Za-z])\s*", r"\1", _LONG.sub(r"\1", node.attrib["d"])).strip())


def data_uri(svg: str) -> str:
    """Return an SVG as the source of an image; percent signs cost less than base64, since most of it are numbers."""
    return "data:image/svg+xml," + quote(svg, safe=_PLAIN)
