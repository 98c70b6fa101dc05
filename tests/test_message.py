"""Message templates: names and formats, nothing that reaches into objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhealth.rules.message import NAMES, render, unknown_names

FACTS = {"site": "dense/kernel", "value": 0.01234, "step": 40, "low": 0.5, "high": 2.0, "count": 3, "units": None}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("At {site}: {value:.2g}.", "At dense/kernel: 0.012."),
        ("{value:.0%} of {count}", "1% of 3"),
        ("{low:g} to {high:g}", "0.5 to 2"),
        ("{step:,} {step:>6}|", "40     40|"),
        ("{units} {units:.2g} {classes}", "unknown unknown unknown"),
        ("{site:.2g}", "dense/kernel"),
        ("{{literal}} {site}", "{literal} dense/kernel"),
        ("no name at all", "no name at all"),
    ],
)
def test_names_are_filled_in_with_their_format(template: str, expected: str):
    """Numbers take the format, words ignore it, what is not known reads `unknown`."""
    assert render(template, FACTS) == expected


@pytest.mark.parametrize("value", ["relu", True, 3, 0.5, None, float("nan"), float("inf")])
def test_every_kind_of_attribute_can_be_shown(value: Any):
    """A value may be a word, a flag or a number, and the same template shows each."""
    assert render("{value}", {"value": value}) == ("unknown" if value is None else str(value))
    assert "{" not in render("{value:.3g}", {"value": value})


LEGAL = ", ".join(NAMES)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{sit}", f"{{sit}} is unknown; legal: {LEGAL}; did you mean 'site'?"),
        ("{zzz}", f"{{zzz}} is unknown; legal: {LEGAL}"),
        ("{site.__class__}", f"{{site.__class__}} is unknown; legal: {LEGAL}"),
        ("{site[0]}", f"{{site[0]}} is unknown; legal: {LEGAL}; did you mean 'site'?"),
        ("{0}", f"{{0}} is unknown; legal: {LEGAL}"),
        ("{}", f"{{}} is unknown; legal: {LEGAL}"),
        ("{ site }", f"{{ site }} is unknown; legal: {LEGAL}; did you mean 'site'?"),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(template: str, expected: str):
    """Attributes, indices and positions are names that do not exist."""
    assert unknown_names(template) == [expected]
    with pytest.raises(ValueError, match="is unknown; legal: "):
        render(template, FACTS)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{site!r}", "conversion !r is not allowed"),
        ("{value!s:.3}", "conversion !s is not allowed"),
        ("{value:>9999999999}", "format '>9999999999' is too wide"),
        ("{step:d}{value:d}", "Unknown format code 'd' for object of type 'float'"),
        ("{value:9999999}", "format '9999999' is too wide"),
        ("{value:.9999f}", "format '.9999f' is too wide"),
        ("{layer:>100}", "format '>100' is too wide"),
        ("{step:c}", "format 'c' makes letters of numbers"),
    ],
)
def test_format_that_cannot_be_meant_is_refused(template: str, expected: str):
    """No conversions, no width or precision that fills the memory, also for a word or what is not known."""
    with pytest.raises(ValueError) as caught:
        render(template, FACTS)
    assert expected in str(caught.value)


def test_format_that_names_something_is_refused():
    """A width that is taken from the facts could be any."""
    assert unknown_names("{value:{step}}") == ["a format may not name anything, {value:{step}} does"]
    assert unknown_names("{value:>{nothing}.2f}") == ["a format may not name anything, {value:>{nothing}.2f} does"]


@pytest.mark.parametrize("template", ["{site", "site}", "{site:{", "{site!}"])
def test_template_with_a_loose_brace_is_refused(template: str):
    """The sentence says how to write a literal brace."""
    (sentence,) = unknown_names(template)
    assert sentence.startswith("not a template: ")
    assert sentence.endswith("; write a literal brace twice")


PIECES = ["{", "}", "{{", "}}", "site", "value", ":", ".2g", "!r", "[0]", ".real", "9", "{step}", " ", "%", ">", "é"]


@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_nothing_but_value_error_ever_comes_out(template: str):
    """Any text renders to something of about its own length, or is refused; what names wrongly never renders."""
    wrong = unknown_names(template)
    try:
        text = render(template, FACTS)
    except ValueError:
        return
    assert [one for one in wrong if "may not name" not in one] == []
    assert len(text) <= 100 * len(template)
