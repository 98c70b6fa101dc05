"""Globs on names of sites: segments, `**`, everything below a layer, further outputs and calls."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhealth.rules.patterns import matches

NAMES = ["dense", "dense_1", "encoder/dense", "encoder/block/dense/kernel", "dense:1", "dense#2", "encoder/dense:1#2"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("dense", ["dense", "dense:1", "dense#2"]),
        ("dense*", ["dense", "dense_1", "dense:1", "dense#2"]),
        ("dense_?", ["dense_1"]),
        ("dense_[12]", ["dense_1"]),
        ("dense_[!1]", []),
        ("Dense", []),
        ("encoder", ["encoder/dense", "encoder/block/dense/kernel", "encoder/dense:1#2"]),
        ("encoder/", ["encoder/dense", "encoder/block/dense/kernel", "encoder/dense:1#2"]),
        ("encoder/*", ["encoder/dense", "encoder/block/dense/kernel", "encoder/dense:1#2"]),
        ("encoder/**", ["encoder/dense", "encoder/block/dense/kernel", "encoder/dense:1#2"]),
        ("encoder/dense", ["encoder/dense", "encoder/dense:1#2"]),
        ("encoder/dense:1", ["encoder/dense:1#2"]),
        ("encoder/dense:1#2", ["encoder/dense:1#2"]),
        ("encoder/dense#2", []),
        ("dense#2", ["dense#2"]),
        ("**/dense", [name for name in NAMES if "dense" in name and "_1" not in name]),
        ("**/kernel", ["encoder/block/dense/kernel"]),
        ("encoder/**/kernel", ["encoder/block/dense/kernel"]),
        ("encoder/**/dense/kernel", ["encoder/block/dense/kernel"]),
        ("encoder/*/kernel", []),
        ("encod**", ["encoder/dense", "encoder/block/dense/kernel", "encoder/dense:1#2"]),
        ("**", NAMES),
        ("*", NAMES),
        ("**/**", NAMES),
        ("dens", []),
        ("dense_1[", []),
        ("d.nse", []),
    ],
)  # fmt: skip
def test_pattern_matches_these_names_and_no_others(pattern: str, expected: list[str]):
    """Case counts, a segment is matched whole, and a layer takes along what is below it."""
    assert [name for name in NAMES if matches(pattern, name)] == expected


def slowly(pattern: str, name: str) -> bool:
    """Return what `matches` does, by trying every way to cut the name."""
    *parents, last = name.split("/")
    ends = {last, re.sub(r"#\d+$", "", last), re.sub(r"(:\d+)?(#\d+)?$", "", last)}
    wholes = {"/".join([*parents, end]) for end in ends}
    wholes |= {"/".join(parents[:count]) for count in range(1, len(parents) + 1)}
    return any(_whole(pattern.split("/"), one.split("/")) for one in wholes)


def _whole(wanted: list[str], segments: list[str]) -> bool:
    if not wanted:
        return not segments
    first, *rest = wanted
    if first == "**":
        return any(_whole(rest, segments[count:]) for count in range(len(segments) + 1))
    return bool(segments) and fnmatchcase(segments[0], first) and _whole(rest, segments[1:])


PARTS = st.sampled_from(["a", "b", "ab", "*", "a*", "?", "[ab]", "**", "a:1", "a#2", "[", "[!a]", "[b-a]", "[[a]"])


@settings(max_examples=500)
@given(st.lists(PARTS, min_size=1, max_size=5), st.lists(PARTS, min_size=1, max_size=5))
def test_matching_agrees_with_a_slow_twin(pattern: list[str], name: list[str]):
    """Every pattern is legal, and none warns: an open bracket is a letter, an empty range matches nothing."""
    assert matches("/".join(pattern), "/".join(name)) == slowly("/".join(pattern), "/".join(name))


def test_hostile_pattern_ends():
    """Stars upon stars on a long name take no exponential time."""
    assert not matches("/".join(["**", "*a*a*a*a*a*a*b"] * 100), "/".join(["a" * 200] * 100))
    assert not matches("*a" * 200 + "b", "a" * 400)
