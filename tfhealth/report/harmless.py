"""HTML and CSS of a pack -> what of them can neither load nor run anything, and what was left out."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

__all__ = ["MAX_CSS", "check_css", "filter_html", "listed"]

MAX_CSS = 100_000
_LINK = re.compile(r"(?:https?://|mailto:)[^\s]+", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_VOID = ("br", "hr", "img")
_ANY = ("class", "dir", "lang", "title")
_PLAIN = (
    *("abbr", "address", "b", "bdi", "blockquote", "br", "code", "dd", "div", "dl", "dt", "em", "hr", "i", "li", "ol"),
    *("p", "small", "span", "strong", "sub", "sup", "table", "tbody", "thead", "tr", "ul"),
)
_TAGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLAIN, ()),
    "a": ("href",),
    "img": ("src", "alt", "width", "height"),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan", "scope"),
}
"""{tag: its attributes beside those that any may have}; what is not in it is left out."""


def filter_html(text: str, more: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the tags of the list and `more`, all of them closed, and the names of what was left out.

    >>> filter_html("<p onclick=x>a<script>b</script><b>c")
    ('<p>a<b>c</b></p>', ('onclick', '<script>'))
    """
    kept = _Filter(more)
    kept.feed(text)
    kept.close()
    return "".join([*kept.parts, *(f"</{tag}>" for tag in reversed(kept.open))]), tuple(dict.fromkeys(kept.left_out))


def listed(left_out: tuple[str, ...]) -> str:
    """Return the names of what was left out, at most five of them."""
    return ", ".join(left_out[:5]) + (" and more" if len(left_out) > 5 else "")


class _Filter(HTMLParser):
    """Writes again what it reads, from names and text alone: nothing of the original's markup gets through."""

    def __init__(self, more: tuple[str, ...]) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = {**_TAGS, **dict.fromkeys(more, ())}
        self.parts: list[str] = []
        self.open: list[str] = []
        self.left_out: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._tags:
            self.left_out.append(f"<{_short(tag)}>")
            self._silent = tag in ("script", "style")
            return
        kept = [(name, value or "") for name, value in attrs if _allowed(tag, name, value or "")]
        self.left_out += [_short(name) for name, value in attrs if (name, value or "") not in kept]
        if tag == "img" and "src" not in dict(kept):
            return
        told = "".join(f' {name}="{html.escape(value)}"' for name, value in dict(kept).items())
        self.parts.append(f"<{tag}{told}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        while tag in self.open:
            last = self.open.pop()
            self.parts.append(f"</{last}>")
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(html.escape(data, quote=False))


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and _LINK.fullmatch(value) is not None
    if name == "src":
        return tag == "img" and _RASTER.fullmatch(value) is not None
    return name in _ANY or name in _TAGS.get(tag, ())


def _short(name: str) -> str:
    return re.sub(r"[^\w:-]", "", name)[:20]


_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.IGNORECASE | re.DOTALL)
_LOADS = re.compile(r"@import|\b(?:image-set|image|src|cross-fade|element|expression)\(|behavior\s*:|-moz-binding")
_URL = re.compile(r"url\(\s*[\"']?")
_LOCAL = re.compile(r"#[\w-]+[\"']?\s*\)")


def check_css(text: str, fragments: bool = False) -> None:
    """Refuse a style that could load something or end the element that it stands in.

    Args:
        text: the style.
        fragments: whether `url(#name)` is legal, as inside of a drawing.

    Raises:
        ValueError: what it has that is not allowed, in comments too: what ends a comment is a matter of opinion.
    """
    if len(text) > MAX_CSS:
        raise ValueError(f"has {len(text):,} characters; legal are {MAX_CSS:,}")
    # Escapes hide words: \75rl( is url( to a browser.
    plain = _ESCAPE.sub(lambda found: found[2] or _letter(found[1]), text).lower()
    if "<" in text or "<" in plain:
        raise ValueError("has '<' in it")
    found = _LOADS.search(plain)
    if found:
        raise ValueError(f"has {found[0]!r} in it, which could load something")
    for place in _URL.finditer(plain):
        rest = plain[place.end() :]
        if not (_RASTER.match(rest) or (fragments and _LOCAL.match(rest))):
            raise ValueError(f"has 'url({_short(rest)}…' in it; legal is url(data:image/png;base64,…)")


def _letter(code: str) -> str:
    number = int(code, 16)
    return chr(number) if 0 < number < 0x110000 else "\ufffd"
