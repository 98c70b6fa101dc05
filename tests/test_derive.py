"""Series -> Series: the closed arithmetic, reductions over sites and over time, each against a plain twin."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.helpers import panel
from tfhealth.derive import ACROSS, AT_END, LOOKS, REFERENCES, across, compile_expression, look, relative, rolling

A, B, C = "loss.data", "loss.total", "weight.norm"


def computed(text: str, a: float = 2.0, b: float = 3.0, c: float = 5.0) -> float:
    """Return what an expression over A, B and C makes of three numbers."""
    return float(compile_expression(text)({A: np.array(a), B: np.array(b), C: np.array(c)}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (A, 2.0),
        (f"{A} + {B} * {C}", 17.0),
        (f"({A} + {B}) * {C}", 25.0),
        (f"{A} - {B} - {C}", -6.0),
        (f"{A} - ({B} - {C})", 4.0),
        (f"{A} / {B} / {C}", 2 / 15),
        (f"{A} / ({B} / {C})", 10 / 3),
        (f"-{A} + {B}", 1.0),
        (f"--{A}", 2.0),
        (f"{A} * -{B}", -6.0),
        (f"-({A} - {B})", 1.0),
        (f"  1e-3 * {A}\n", 2e-3),
        (f"{A} * 0x10", 32.0),
    ],
)
def test_arithmetic_is_that_of_school(text: str, expected: float):
    """Products before sums, from left to right, parentheses first, a minus before a name or a parenthesis."""
    assert computed(text) == pytest.approx(expected, rel=1e-15)


def test_arithmetic_works_on_whole_arrays_without_a_warning():
    """Division by zero and NaN are values; they neither raise nor warn."""
    expression = compile_expression(f"{A} / {B}")
    values = {A: np.array([[1.0, -1.0, 0.0, np.nan]]), B: np.array([[0.0, 0.0, 0.0, 1.0]])}
    np.testing.assert_array_equal(expression(values), [[np.inf, -np.inf, np.nan, np.nan]])


def test_names_come_once_in_the_order_of_reading():
    """The first name is the one that leads, so its place matters."""
    assert compile_expression(f"{B} / ({A} + {B}) * {C}").names == (B, A, C)


def test_facts_are_named_apart_from_statistics():
    """They are read with three names and need no probe."""
    expression = compile_expression(f"{A} / (fact.fit.epochs * fact.model.parameters)")
    assert (expression.names, expression.facts) == ((A,), ("fit.epochs", "model.parameters"))
    values = {A: np.array([12.0, 24.0]), "fact.fit.epochs": np.array(2), "fact.model.parameters": np.array(3)}
    assert expression(values).tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("fact.fit", "fact.fit"),
        ("loss.data * fact.fit.epochs.real", "fact.fit.epochs.real"),
        ("loss.data * fact().fit.epochs", "fact().fit.epochs"),
        ("loss.data.real", "loss.data.real"),
        ("loss", "loss"),
        ("abs(loss.data)", "abs(loss.data)"),
        ("loss.data()", "loss.data()"),
        ("'loss' + loss.data", "'loss'"),
        ("loss.data ** 2", "loss.data ** 2"),
        ("loss.data // 2", "loss.data // 2"),
        ("loss.data % 2", "loss.data % 2"),
        ("loss.data @ loss.data", "loss.data @ loss.data"),
        ("+loss.data", "+loss.data"),
        ("~loss.data", "~loss.data"),
        ("not loss.data", "not loss.data"),
        ("loss.data < 2", "loss.data < 2"),
        ("loss.data and 2", "loss.data and 2"),
        ("lambda: loss.data", "lambda: loss.data"),
        ("loss.data[0]", "loss.data[0]"),
        ("loss.data if 1 else 2", "loss.data if 1 else 2"),
        ("loss.data * True", "True"),
        ("loss.data * None", "None"),
        ("loss.data * 2j", "2j"),
        ("loss.data * ...", "..."),
        ("[loss.data]", "[loss.data]"),
        ("(loss.data, 1)", "(loss.data, 1)"),
        ("(x := loss.data)", "(x := loss.data)"),
        ("f'{loss.data}'", "f'{loss.data}'"),
        ("[x for x in loss.data]", "[x for x in loss.data]"),
        ("().__class__", "().__class__"),
    ],
)
def test_everything_but_arithmetic_is_refused(text: str, part: str):
    """The error names the part that is not allowed, and what is."""
    with pytest.raises(ValueError) as caught:
        compile_expression(text)
    expected = (
        f"{part!r} is not allowed; legal are kind.statistic, fact.site.attribute, numbers, + - * / and parentheses"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "not an expression"),
        ("loss.data +", "not an expression"),
        ("loss.data; loss.data", "not an expression"),
        ("import os", "not an expression"),
        ("x = loss.data", "not an expression"),
        ("loss.data\0", "not an expression"),
        ("\ud800", "not an expression"),
        ("(" * 220 + "loss.data", "not an expression"),
        ("-" * 200 + "loss.data", "this large is refused; split the rule"),
        ("loss.data" + " + loss.data" * 20, "this large is refused; split the rule"),
        ("loss.data + " + "1" * 400, "at most 300 characters, this one has 412"),
        ("1 + 2", "must name a statistic"),
        ("fact.fit.epochs * 2", "must name a statistic"),
        ("loss.data * 1e999", "a number this large is refused"),
        ("loss.data * 0x" + "f" * 270, "a number this large is refused"),
    ],
)
def test_text_that_is_no_expression_is_refused(text: str, expected: str):
    """Syntax errors, statements, null bytes, too much of anything, or nothing measured at all."""
    with pytest.raises(ValueError, match=expected):
        compile_expression(text)


WORDS = [
    "loss.data",
    "weight.norm",
    "loss",
    ".",
    "+",
    "-",
    "*",
    "/",
    "**",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "1",
    "0.5",
]
WORDS += [
    "1e9",
    "1e999",
    "0x",
    "j",
    " ",
    "\n",
    "\t",
    "\0",
    "#",
    "\\",
    "lambda",
    ":",
    ",",
    "if",
    "else",
    "not",
    "=",
    "é",
    "𝐱",
]


@settings(max_examples=500)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=25).map("".join)))
def test_nothing_but_value_error_ever_comes_out(text: str):
    """Whatever stands in a rule becomes arithmetic or a ValueError, and arithmetic computes."""
    try:
        expression = compile_expression(text)
    except ValueError:
        return
    result = expression({name: np.array([1.0, np.nan]) for name in expression.names})
    assert result.shape == (2,)
    assert all(name.count(".") == 1 for name in expression.names)


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


def sums(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", "*", "/"]), part).map(" ".join),
        part.map(lambda inner: f"({inner})"),
        part.map(lambda inner: f"-({inner})"),
    )


@given(st.recursive(st.sampled_from([A, B, C, "2", "0.5"]), sums, max_leaves=8))
def test_arithmetic_equals_python(text: str):
    """An expression computes what Python computes on plain numbers."""
    if not any(name in text for name in (A, B, C)):
        text += f" + 0 * {A}"
    twin = text.replace(A, "2.0").replace(B, "3.0").replace(C, "5.0")
    try:
        expected = eval(twin)
    except ZeroDivisionError:
        reject()
    assert computed(text) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def plain_across(how: str, column: list[float]) -> float:
    """Reduce one step's values over sites, with Python's own means."""
    if how == "first_over_last":
        return column[0] / column[-1]
    if how == "median":
        return statistics.median(column)
    if how == "sum":
        return math.fsum(column)
    if how == "root_square_sum":
        return math.sqrt(math.fsum(value * value for value in column))
    if how in ("minimum", "maximum"):
        return min(column) if how == "minimum" else max(column)
    if how == "mean":
        return statistics.fmean(column)
    if how == "skew":
        mean, spread = statistics.fmean(column), statistics.pstdev(column)
        return statistics.fmean([((value - mean) / spread) ** 3 for value in column])
    if how == "largest_over_smallest":
        sizes = [abs(value) for value in column]
        return max(sizes) / min(sizes)
    logs = [math.log10(max(value, 1e-30)) for value in column]
    steep = statistics.linear_regression(range(len(column)), logs)[0] * (len(column) - 1)
    if how == "decades":
        return steep
    assert how == "compound_decades"
    steady = statistics.median(after - before for before, after in itertools.pairwise(logs)) * (len(column) - 1)
    return 0.0 if steady * steep <= 0 else math.copysign(min(abs(steady), abs(steep)), steep)


SIGNED = ("skew", "minimum", "maximum", "mean", "median", "sum", "largest_over_smallest")


@pytest.mark.parametrize("how", ACROSS)
@pytest.mark.parametrize("sites", [4, 5, 9])
def test_across_equals_its_twin(how: str, sites: int):
    """Each reduction over sites, step by step, against Python's."""
    random = np.random.default_rng(sites)
    values = np.exp(random.normal(0, 3, (sites, 7))) * (random.choice([-1, 1]) if how in SIGNED else 1)
    reduced = across(panel(values), how)
    assert reduced is not None
    expected = [plain_across(how, column.tolist()) for column in values.T]
    np.testing.assert_allclose(reduced.values, [expected], rtol=1e-10)
    assert [site.name for site in reduced.sites] == [f"a … {chr(ord('a') + sites - 1)}"]
    assert reduced.measured.all()


@pytest.mark.parametrize(("how", "least"), [(how, one.sites) for how, one in ACROSS.items()])
def test_across_needs_enough_sites(how: str, least: int):
    """One site fewer than a reduction needs, and there is nothing to say."""
    assert across(panel([[1.0]] * least), how) is not None
    assert across(panel([[1.0]] * least).take(range(least - 1)), how) is None


@pytest.mark.parametrize("how", ACROSS)
def test_across_is_measured_where_every_site_is(how: str):
    """One site that is missing at a step makes the whole step not measured; nothing warns, also not about NaN."""
    known = [[True, True, False], [True, False, True], [True, True, True], [True, True, True]]
    reduced = across(panel([[np.nan] * 3] * 4, measured=known), how)
    assert reduced is not None
    assert reduced.measured.tolist() == [[True, False, False]]


def test_site_keeps_its_name_where_there_is_one():
    """A reduction over one site is that site's."""
    reduced = across(panel([[3.0]]), "sum")
    assert reduced is not None
    assert [site.name for site in reduced.sites] == ["a"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([2.0, 2.0, 2.0], 0.0),
        ([0.1, 0.1, 0.1], 0.0),
        ([0.0, 0.0, 0.0], 0.0),
        ([1e-200, 2e-200, 3e-200], 0.0),
        ([1e200, 1e200, 4e200], math.sqrt(0.5)),
        ([1e200, -2e200, 1e200], -math.sqrt(0.5)),
        ([1.0, math.inf, 2.0], math.nan),
    ],
)
def test_skew_of_layers_that_are_alike_or_far_apart(column: list[float], expected: float):
    """Equal layers lean to no side, whatever rounding makes of them; sizes at the ends of the range are no trouble."""
    reduced = across(panel([[value] for value in column]), "skew")
    assert reduced is not None
    np.testing.assert_allclose(reduced.values, [[expected]], atol=1e-12)


@pytest.mark.parametrize("how", [how for how in ACROSS if how != "median"])
def test_nan_at_one_site_is_nan_in_the_reduction(how: str):
    """Nothing is said of layers of which one is not known; the median leaves it out."""
    column = panel([[1.0], [2.0], [3.0], [math.nan]])
    assert math.isnan(across(column, how).values[0, 0])
    assert across(column, "median").values.tolist() == [[2.0]]


def test_growth_of_a_signal_that_is_gone_is_a_number():
    """Zeros count as far below anything that is left, so a slope exists."""
    reduced = across(panel([[0.0], [1e-3], [1e-2], [1.0]]), "decades")
    assert reduced is not None
    assert reduced.values[0, 0] > 20


def plain_reference(how: str, values: list[float], known: list[bool]) -> float:
    """Return what a series is divided by, with Python's own means."""
    measured = [value for value, there in zip(values, known, strict=True) if there]
    if how == "first":
        return measured[0]
    if how in ("lowest", "highest"):
        finite = [value for value in measured if not math.isnan(value)]
        return {"lowest": min, "highest": max}[how](finite, default=math.nan)
    start = [value for value in measured[:5] if not math.isnan(value)]
    return statistics.median(start) if start else math.nan


@pytest.mark.parametrize("how", REFERENCES)
@given(
    rows=st.lists(
        st.lists(st.tuples(st.floats(0.5, 9) | st.just(math.nan), st.booleans()), min_size=9, max_size=9),
        min_size=1,
        max_size=3,
    )
)
def test_relative_equals_its_twin(how: str, rows: list[list[tuple[float, bool]]]):
    """Each series over its own reference; NaN at the start does not hide a reference behind it."""
    rows = [[(value, there or place == 8) for place, (value, there) in enumerate(row)] for row in rows]
    values, known = [[v for v, _ in row] for row in rows], [[k for _, k in row] for row in rows]
    found = relative(panel(values, measured=known), how)
    for row, there, result in zip(values, known, found.values, strict=True):
        reference = plain_reference(how, row, there)
        expected = [value / reference for value, one in zip(row, there, strict=True) if one]
        np.testing.assert_allclose(result[there], expected)


def test_what_overflowed_is_no_highest_value():
    """A series that ends in Inf is set against the highest value that it reached before."""
    found = relative(panel([[1.0, 4.0, math.inf]]), "highest")
    np.testing.assert_array_equal(found.values, [[0.25, 1.0, np.inf]])


def test_relative_to_zero_is_not_finite_and_does_not_warn():
    """A loss that starts at zero cannot be compared with its start."""
    found = relative(panel([[0.0, 0.0, 1.0]]), "first")
    np.testing.assert_array_equal(found.values, [[np.nan, np.nan, np.inf]])


def test_relative_without_any_step_is_empty():
    """Parts of an expression that were never measured together leave nothing to divide."""
    assert relative(panel([[], []]), "first").values.shape == (2, 0)


def plain_look(how: str, row: list[float]) -> float:
    """Reduce finite values to one number, with Python's own means."""
    simple = {
        "first": lambda: row[0],
        "mean": lambda: math.fsum(row) / len(row),
        "median": lambda: statistics.median(row),
        "minimum": lambda: min(row),
        "maximum": lambda: max(row),
        "last": lambda: statistics.median(row[-min(20, max(3, len(row) // 10)) :]),
    }
    if how in simple:
        return simple[how]()
    if how == "swing":
        steps = [abs(b - a) for a, b in itertools.pairwise(row)]
        return statistics.median(steps) / max(abs(statistics.median(row)), 1e-12) if steps else math.nan
    if how.startswith("late_"):
        return plain_look(how.removeprefix("late_"), row[len(row) // 2 :])
    size = min(50, max(len(row) // 4, min(5, len(row) // 2)))
    head, tail = row[:size], row[len(row) - size :]
    if how == "change":
        if not head:
            return math.nan
        start = statistics.median(head[:6])
        return (statistics.median(tail) - start) / max(abs(start), 1e-12)
    if size < 3:
        return math.nan
    noise = statistics.median([abs(b - a) for a, b in itertools.pairwise(row)]) / (math.sqrt(2) * 0.6745)
    error, start, end = noise * math.sqrt(2 / size), statistics.fmean(head), statistics.fmean(tail)
    if how == "uncertainty":
        return error / max(abs(start), 1e-12)
    if how == "trend":
        return (end - start) / max(error, 1e-9 * max(abs(start), 1e-12))
    lowest = min(statistics.fmean(row[place : place + size]) for place in range(len(row) - size + 1))
    end = min(end, row[-1])
    if how == "rebound":
        return (end - lowest) / max(abs(lowest), 1e-12)
    assert how == "rebound_trend"
    return (end - lowest) / max(error, 1e-9 * max(abs(lowest), 1e-12))


@pytest.mark.parametrize("how", [how for how in LOOKS if how != "each"])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 6, 9, 10, 11, 19, 40, 41, 230, 1000])
def test_look_equals_its_twin(how: str, length: int):
    """Each way to look at a series, over short ones and long ones."""
    row = np.random.default_rng(length).normal(3, 1, length) + np.linspace(0, 2, length)
    found = look(row[None], np.ones((1, length), bool), how)
    np.testing.assert_allclose(found, [plain_look(how, row.tolist())], rtol=1e-9)


@pytest.mark.parametrize("how", [how for how in LOOKS if how != "each"])
@given(
    values=st.lists(
        st.tuples(st.one_of(NUMBERS, st.sampled_from([math.nan, math.inf, -math.inf])), st.booleans()), max_size=40
    )
)
def test_look_sees_finite_values_that_are_judged(how: str, values: list[tuple[float, bool]]):
    """NaN, Inf and what is not judged are as if they were not there; where nothing is left the answer is NaN."""
    kept = [value for value, judged in values if judged and math.isfinite(value)]
    row, judged = np.array([[value for value, _ in values]]), np.array([[one for _, one in values]], bool)
    found = look(row.reshape(1, -1), judged.reshape(1, -1), how)
    expected = plain_look(how, kept) if kept else math.nan
    np.testing.assert_allclose(found, [expected], rtol=1e-6, atol=1e-6)


def test_look_at_values_too_large_to_add_up_does_not_warn():
    """A mean that overflows is Inf."""
    assert look(np.array([[1e308, 1e308]]), np.ones((1, 2), bool), "mean").tolist() == [np.inf]


def test_noise_without_a_trend_has_none():
    """White noise stays within a few standard errors, a slow drift in the same noise does not."""
    noise = np.random.default_rng(3).normal(0, 1, 400)
    whole = np.ones((2, 400), bool)
    still, rising = look(np.array([noise, noise + np.linspace(0, 3, 400)]), whole, "trend")
    assert abs(still) < 3 < 5 < rising


def test_looks_at_the_end_are_looks():
    """What counts as of the last step is named in the list of looks."""
    assert set(AT_END) <= set(LOOKS)


def plain_rolling(
    how: str, steps: list[int], row: list[float], judged: list[bool], probes: int | None, span: float | None
) -> list[float]:
    """Look at the window behind each value, by walking over the values one by one."""
    own = [(step, value) for step, value, one in zip(steps, row, judged, strict=True) if one and math.isfinite(value)]
    found = []
    for now, one in zip(steps, judged, strict=True):
        behind = [(step, value) for step, value in own if step <= now]
        if probes is not None:
            window, full = behind[-probes:], len(behind) >= probes
        else:
            window = [(step, value) for step, value in behind if step > now - span]
            first = own[1][0] - own[0][0] if len(own) > 1 else 1
            full = bool(behind) and now - own[0][0] + first >= span
        found.append(plain_look(how, [value for _, value in window]) if one and full and window else math.nan)
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(1, 9),
        *[st.tuples(st.one_of(st.integers(-5, 5).map(float), st.just(math.nan), st.just(math.inf)), st.booleans())] * 2,
    ),
    max_size=25,
)


@pytest.mark.parametrize("how", [how for how in LOOKS if how != "each"])
@given(rows=ROWS, size=st.integers(1, 12), counted=st.booleans())
def test_rolling_look_equals_its_twin(how: str, rows: list[tuple[int, tuple, tuple]], size: int, counted: bool):
    """In probes and in steps, at uneven steps, with NaN and with values that do not count: as the slow way finds."""
    steps = np.cumsum([gap for gap, _, _ in rows], dtype=np.int64)
    values = np.array([[row[site][0] for row in rows] for site in (1, 2)], np.float64).reshape(2, -1)
    judged = np.array([[row[site][1] for row in rows] for site in (1, 2)], bool).reshape(2, -1)
    probes, span = (size, None) if counted else (None, float(size))
    found = rolling(values, judged, steps, how, probes, span)
    for row, one, result in zip(values, judged, found, strict=True):
        expected = plain_rolling(how, steps.tolist(), row.tolist(), one.tolist(), probes, span)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


def test_rolling_look_at_more_than_fits_at_once(monkeypatch):
    """Windows are looked at in blocks; where one ends makes no difference."""
    row = np.random.default_rng(1).normal(size=(3, 200))
    whole = np.ones(row.shape, bool)
    expected = rolling(row, whole, np.arange(200), "median", 7, None)
    monkeypatch.setattr("tfhealth.derive.looks._CELLS", 50)
    np.testing.assert_array_equal(rolling(row, whole, np.arange(200), "median", 7, None), expected)
    assert np.isnan(expected).sum() == 3 * 6
