"""Statistics from installed packages: measured like built-in ones, harmless to a training, faults told with a name."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from keras import layers

from tests.helpers import RULE, rule, write_rules
from tests.models import quiet, state, trained
from tests.packages import installing
from tfhealth import HealthCallback, RuleError, evaluate, load_checklist, load_run
from tfhealth.capture.session import HealthWarning
from tfhealth.series import KINDS, Probe
from tfhealth.statistics import STATISTICS, find, plugins, statistic, statistic_names

# What only an epoch's end, an experiment, validation data, a certain layer or a certain loss shows.
NOT_IN_A_STEP = {"log", "experiment", "validation_input", "validation_label", "validation_prediction"}

SOUND = """
from tfhealth.statistics import statistic


@statistic("weight", "update", "activation", "gradient", doc="mean of the third power")
def third_moment(tensor):
    import tensorflow as tf

    return tf.reduce_mean(tensor**3)


@statistic("weight", doc="share of elements below 0.1 in size", unit="share", legal=(0.0, 1.0))
def near_zero(tensor):
    import tensorflow as tf

    return tf.reduce_mean(tf.cast(tf.abs(tensor) < 0.1, tf.float32))


@statistic("weight", doc="number of elements")
def elements(tensor):
    import tensorflow as tf

    return tf.size(tensor)


def power(number):
    @statistic("weight", doc=f"mean of the power {number}")
    def mean_power(tensor):
        import tensorflow as tf

        return tf.reduce_mean(tensor**number)

    return mean_power


second, fourth = power(2), power(4)
"""

BROKEN = """
import tensorflow as tf

from tfhealth.statistics import statistic


@statistic("weight", doc="raises")
def raising(tensor):
    raise LookupError("no such moment")


@statistic("weight", doc="no scalar")
def vector(tensor):
    return 2 * tensor


@statistic("weight", doc="nothing")
def nothing(tensor):
    tf.reduce_sum(tensor)


@statistic("weight", doc="text")
def text(tensor):
    return tf.constant("many")


@statistic("weight", doc="draws random numbers, which would change those that the training draws")
def random(tensor):
    return tf.reduce_sum(tensor) + tf.random.normal(())


@statistic("weight", doc="an op that fails while the step runs")
def failing(tensor):
    return tf.gather(tf.range(3.0), 100 + tf.cast(0 * tf.reduce_sum(tensor), tf.int32))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install packages: a module with this source, and the entry points {statistic: what stands after `module:`}."""
    with installing(tmp_path, monkeypatch, plugins.GROUP, plugins.load) as installed:
        yield lambda source, names, package="acme-stats": installed(source, names, package)


def rules_on(folder, *measures):
    """Write a rule for each `kind.statistic`, ACT901 and on."""
    files = {}
    for number, measure in enumerate(measures):
        name = f"{'ABC'[number // 99]}CT{901 + number % 99}"
        text = RULE.replace("ACT901", name)
        files[f"{name}-x.yaml"] = text.replace("{site: activation, statistic: std}", f"{{expr: {measure}}}")
    return write_rules(folder / "rules", files)


def watching(folder, *measures):
    """Return a callback that probes every step for a rule on each of these measures."""
    return HealthCallback(**quiet(folder / "runs", every=1, rules=rules_on(folder, *measures)))


def test_a_statistic_of_a_package_is_what_numpy_makes_of_the_same_tensor(install, tmp_path):
    """Of weights, updates and activations of one step, against a twin; whole numbers become floats."""
    install(SOUND, {"third_moment": "third_moment", "small": "near_zero", "elements": "elements"})
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(3).normal(1.0, 2.0, (32, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(6, "tanh", name="hidden"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel, bias = (np.asarray(one).copy() for one in model.layers[0].weights)
    moments = [f"{kind}.third_moment" for kind in ("weight", "update", "activation")]
    callback = watching(tmp_path, *moments, "weight.small", "weight.elements")
    model.fit(x, x[:, :1], batch_size=32, verbose=0, callbacks=[callback])
    run = load_run(callback.run_dir)

    def seen(kind, name, statistic):
        (site,) = [one for one in run.sites if one.kind == kind and one.name.endswith(name)]
        return run.series(Probe(site, statistic)).values[0]

    update = np.asarray(model.layers[0].kernel) - kernel
    hidden = np.tanh(x @ kernel + bias)
    assert seen("weight", "hidden/kernel", "third_moment") == pytest.approx(np.mean(kernel**3), rel=1e-4)
    assert seen("update", "hidden/kernel", "third_moment") == pytest.approx(np.mean(update**3), rel=1e-3)
    assert seen("activation", "hidden", "third_moment") == pytest.approx(np.mean(hidden**3), rel=1e-3)
    assert seen("weight", "hidden/kernel", "small") == pytest.approx(np.mean(np.abs(kernel) < 0.1))
    assert seen("weight", "hidden/kernel", "elements") == 24
    assert [note.subject for note in run.notes] == ["loss.chance"]


def test_statistics_that_one_function_made_are_told_apart(install, tmp_path):
    """They have the same name in their module, and are measured at the same sites."""
    install(SOUND, {"second": "second", "fourth": "fourth"})
    callback = watching(tmp_path, "weight.second", "weight.fourth", "weight.rms")
    trained("dense", [callback], epochs=1)
    run = load_run(callback.run_dir)
    second, fourth, rms = (run.panel("weight", name).values for name in ("second", "fourth", "rms"))
    np.testing.assert_allclose(second, rms**2, rtol=1e-4)
    assert (fourth[::2] > second[::2] ** 2).all()  # of kernels; biases begin at 0


@pytest.mark.parametrize("settings", [{}, {"steps_per_execution": 2}, {"run_eagerly": True}], ids=str)
def test_training_is_bit_identical_with_a_statistic_of_a_package(install, tmp_path, settings):
    """Weights, optimizer and random state are those of a training without us, and the rule is judged."""
    install(SOUND, {"third_moment": "third_moment"})
    plain, _ = trained("dense", [], **settings)
    callback = watching(tmp_path, "activation.third_moment")
    watched, _ = trained("dense", [callback], **settings)
    np.testing.assert_equal(list(state(watched).values()), list(state(plain).values()))
    assert len(load_run(callback.run_dir).panel("activation", "third_moment").steps) == 10
    assert {one.rule: one.verdict for one in callback.result.rules}["ACT901"] in ("pass", "warn")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raising", "LookupError: no such moment"),
        ("vector", "must return a scalar tensor; this one returned one of shape (12, 24) and dtype float32"),
        ("nothing", "must return a scalar tensor; this one returned NoneType"),
        ("text", "must return a scalar tensor; this one returned one of shape () and dtype string"),
        ("random", "must have no effect beside its value; this one runs RandomStandardNormal"),
    ],
)
def test_a_broken_statistic_is_not_measured_and_training_is_the_same(install, tmp_path, name, why):
    """One warning, the reason in the verdict, every other rule judged, and not a bit of the training changed."""
    install(BROKEN, {name: name}, f"acme-{name}")
    plain, _ = trained("dense", [])
    callback = watching(tmp_path, f"weight.{name}", "weight.norm")
    with pytest.warns(HealthWarning) as caught:
        watched, _ = trained("dense", [callback])
    assert len([one for one in caught if one.category is HealthWarning]) == 1
    np.testing.assert_equal(list(state(watched).values()), list(state(plain).values()))
    verdicts = {one.rule: (one.verdict, one.reason) for one in callback.result.rules}
    assert verdicts["ACT901"][0] == "not_measured"
    assert why in verdicts["ACT901"][1]
    assert verdicts["ACT902"][0] in ("pass", "warn")


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_a_statistic_that_fails_while_the_step_runs_does_not_end_the_training(install, tmp_path):
    """It is known by the name of its op; the cause is told, and training goes on without probes."""
    install(BROKEN, {"failing": "failing"}, "acme-failing")
    callback = watching(tmp_path, "weight.failing", "weight.norm")
    with pytest.warns(HealthWarning, match=r"100 is not in \[0, 3\)"):
        _, history = trained("dense", [callback])
    assert len(history["val_loss"]) == 2  # of the epoch that lost a batch Keras may have no loss
    assert {one.verdict for one in callback.result.rules} == {"not_measured"}


def test_under_exact_not_even_such_a_failure_changes_the_training(install, tmp_path):
    """The statistics are taken in a pass of their own, before the user's step has its batch."""
    install(BROKEN, {"failing": "failing"}, "acme-failing")
    plain, _ = trained("dense", [])
    rules = rules_on(tmp_path, "weight.failing")
    with pytest.warns(HealthWarning, match=r"100 is not in \[0, 3\)"):
        watched, _ = trained("dense", [HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules, exact=True))])
    np.testing.assert_equal(list(state(watched).values()), list(state(plain).values()))


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("import nowhere_at_all", "moment", "cannot be imported from acme_bad:f: ModuleNotFoundError: No module"),
        ("raise SystemExit(3)", "moment", "cannot be imported from acme_bad:f: SystemExit: 3"),
        ("f = len", "moment", "acme_bad:f is of type builtin_function_or_method, not made by tfhealth.statistics"),
        ("from tfhealth.statistics import STATISTICS\nf = STATISTICS[0]", "moment", "not made by tfhealth.statistics"),
        ("f: int", "moment", "cannot be imported from acme_bad:f: AttributeError"),
        (
            "from tfhealth.statistics import statistic\nf = statistic('weights', doc='x')(abs)",
            "moment",
            "kind of site 'weights' has no tensor; legal: input, label,",
        ),
        (
            "from tfhealth.statistics import statistic\n@statistic('weight', 'input', doc='x')\ndef f(t): pass",
            "minimum",
            "has the name of a built-in one at input sites; it needs its own",
        ),
        ("", "Moment", "a name is at most 60 small letters, digits and _, a letter first"),
    ],
)
def test_a_statistic_that_cannot_be_used_is_a_fault_of_its_package(install, tmp_path, source, name, expected):
    """The error stands at the rule that names it, with line and column, and says which package is to blame."""
    install(source, {name: "f"}, "acme-bad")
    with pytest.raises(RuleError) as caught:
        load_checklist(rules_on(tmp_path, f"weight.{name}"))
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.path) == ("rules/ACT901-x.yaml", 4, "measure.expr")
    assert f"statistic {name!r} of the package acme-bad 1.2" in fault.what
    assert expected in fault.what


def test_one_name_in_two_packages_is_refused(install, tmp_path):
    """Neither is taken by accident; the error names both."""
    install(SOUND, {"near_zero": "near_zero"}, "acme-stats")
    install(SOUND, {"near_zero": "near_zero"}, "other-stats")
    with pytest.raises(RuleError, match=r"is offered by \S+ 1\.2 and \S+ 1\.2; uninstall all but one") as caught:
        load_checklist(rules_on(tmp_path, "weight.near_zero"))
    assert all(name in str(caught.value) for name in ("acme-stats", "other-stats"))


def test_a_list_of_entry_points_that_is_none_is_told(install):
    """A damaged package is an error in words, not a traceback."""
    install(SOUND, {"near_zero": "near_zero\nrubbish"})
    with pytest.raises(ValueError, match="entry points of the installed packages cannot be read: TypeError"):
        find("weight", "near_zero")


def test_nothing_is_imported_before_a_rule_names_it(install, tmp_path):
    """Errors list what packages offer without loading it, and hint at it."""
    module = install("raise AssertionError('imported')", {"near_zero": "near_zero"})
    assert "near_zero" in statistic_names("weight")
    assert "near_zero" not in statistic_names("fact")
    load_checklist(rules_on(tmp_path, "weight.std"))
    with pytest.raises(RuleError, match=r"legal: mean, .*, near_zero; did you mean 'near_zero'\?"):
        load_checklist(rules_on(tmp_path, "weight.nearzero"))
    assert module not in sys.modules


def test_a_statistic_exists_at_its_own_kinds_only(install):
    """At any other kind the error says where it does exist."""
    install(SOUND, {"near_zero": "near_zero"})
    assert find("weight", "near_zero").legal == (0.0, 1.0)
    with pytest.raises(ValueError, match="'near_zero' does not exist at gradient sites, only at: weight"):
        find("gradient", "near_zero")


def test_a_recorded_run_is_judged_without_tensorflow(install, tmp_path):
    """The package is imported for the rule's sake, and brings no TensorFlow with it."""
    module = install(SOUND, {"near_zero": "near_zero"})
    rules = rules_on(tmp_path, "weight.near_zero")
    callback = HealthCallback(**quiet(tmp_path / "runs", every=1, rules=rules))
    trained("dense", [callback])
    code = f"""
        import sys
        from tfhealth import evaluate, load_checklist, load_run
        result = evaluate(load_checklist({str(rules)!r}), load_run({str(callback.run_dir)!r}))
        print([one.verdict for one in result.rules], {module!r} in sys.modules, "tensorflow" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    expected = [one.verdict for one in evaluate(load_checklist(rules), load_run(callback.run_dir)).rules]
    assert "not_measured" not in expected
    assert done.stdout == f"{expected} True False\n"


@pytest.mark.parametrize(
    ("kinds", "settings", "expected"),
    [
        ((), {}, "kind of site '' has no tensor; legal: input"),
        (("log",), {}, "kind of site 'log' has no tensor"),
        (("wieght",), {}, "did you mean 'weight'"),
        (("weight",), {"combine": "median"}, "combine must be one of sum, mean, min, max, received 'median'"),
        (("weight",), {"legal": (1, 0)}, r"legal is \(low, high\) with low below high, received \(1, 0\)"),
        (("weight",), {"doc": " "}, "doc is the formula in one line; it is empty"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(kinds, settings, expected):
    """At import of the package's module, where its author sees it."""
    with pytest.raises(ValueError, match=expected):
        statistic(*kinds, **{"doc": "a formula", **settings})


def test_every_builtin_value_of_a_training_is_legal(tmp_path):
    """The range that each built-in statistic states holds every value that a real training yields."""
    pairs = {(kind, one.name) for one in STATISTICS for kind in one.kinds if kind not in NOT_IN_A_STEP}
    callback = watching(tmp_path, *(f"{kind}.{name}" for kind, name in sorted(pairs)))
    trained("dense", [callback])
    run = load_run(callback.run_dir)
    seen = {(probe.site.kind, probe.statistic) for table in run.tables for probe in table.probes}
    assert {kind for kind, _ in seen} == {kind for kind, _ in pairs}
    assert {name for _, name in seen} > {"norm", "std", "total", "nonfinite", "classes_present", "top_class_share"}
    for kind, name in seen:
        low, high = find(kind, name).legal
        values = run.panel(kind, name).values
        finite = values[np.isfinite(values)]
        assert ((finite >= low) & (finite <= high)).all(), (kind, name)


def test_every_builtin_statistic_states_its_range():
    """A range is a lower and a higher number, and a share is between 0 and 1."""
    assert [one.name for one in STATISTICS if one.legal is None or not one.legal[0] < one.legal[1]] == []
    assert {one.legal for one in STATISTICS if one.unit == "share"} == {(0.0, 1.0)}
    assert {kind for one in STATISTICS for kind in one.kinds} == set(KINDS) - {"experiment", "fact", "layer"}


def test_a_rule_on_a_statistic_of_a_package_has_its_examples_judged(install):
    """It is a rule like any other."""
    install(SOUND, {"near_zero": "near_zero"})
    made = rule(measure={"site": "weight", "statistic": "near_zero"})
    assert made.needs == (("weight", "near_zero"),)
