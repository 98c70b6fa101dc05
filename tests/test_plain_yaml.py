"""What words of a rule file mean: YAML 1.2's core schema, as another reader and JSON have it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tfhealth import resources
from tfhealth.rules import plain_yaml
from tfhealth.rules.plain_yaml import NotPlainError, document
from tfhealth.rules.source import plain

FILES = sorted(resources.rules_dir().rglob("*.yaml"))
WORDS: list[tuple[str, Any]] = [
    *(("", None), ("~", None), ("null", None), ("nil", "nil")),
    *(("true", True), ("FALSE", False), ("off", "off"), ("yes", "yes"), ("No", "No")),
    *(("12", 12), ("-7", -7), ("+3", 3), ("010", 10), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("1:30", "1:30")),
    *(("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-2.5E+2", -250.0), ("1e", "1e"), (".", ".")),
    *((".inf", float("inf")), ("-.INF", float("-inf")), ("inf", "inf"), ("-.nan", "-.nan")),
    *(("2026-02-30", "2026-02-30"), ("'12'", "12"), ('"true"', "true"), ("=", "=")),
]


@pytest.mark.parametrize(("word", "meaning"), WORDS, ids=[word or "nothing" for word, _ in WORDS])
def test_word_means_what_the_core_schema_says(word: str, meaning: Any):
    """Quoted words are text; what only YAML 1.1 knew is text too."""
    found = document(f"a: {word}\n")[0]["a"]
    assert (found, type(found)) == (meaning, type(meaning))


def test_not_a_number_is_read():
    """It is equal to nothing, itself included."""
    found = document("a: .nan")[0]["a"]
    assert math.isnan(found)


def test_built_in_rules_read_as_another_reader_of_yaml_1_2_reads_them():
    """Every file comes to the same data."""
    other = YAML(typ="safe", pure=True)
    differ = [path.name for path in FILES if document(text := path.read_text("utf-8"))[0] != plain(other.load(text))]
    assert (differ, len(FILES) > 200) == ([], True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda below: st.lists(below) | st.dictionaries(st.text("abc<~0 é\"'", max_size=8), below),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_what_it_says(data: Any):
    """JSON is plain YAML, but for a key that would merge."""
    text = json.dumps(data, ensure_ascii=False)
    if '"<<":' in text:
        with pytest.raises(NotPlainError, match="merge keys"):
            document(text)
    else:
        assert document(text)[0] == data


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch):
    """Builds of PyYAML that lack it read with Python, places included."""
    text = FILES[0].read_text("utf-8")
    by_libyaml = document(text)
    monkeypatch.setattr(plain_yaml, "_LOADER", yaml.SafeLoader)
    assert document(text) == by_libyaml
