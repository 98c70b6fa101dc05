"""Time of steps, waiting for data, cost of probes and memory: recorded in every run, and never made up."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import rule
from tests.models import quiet
from tests.test_guest import marks
from tfhealth import HealthCallback, load_run, watch
from tfhealth.capture.fetches import Fetches
from tfhealth.capture.memory import memory
from tfhealth.decide import decide
from tfhealth.series import Probe, Site

STEP, PROCESS = Site("time", "step"), Site("memory", "process")
X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
PAUSE = 0.1
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")


def slowly(x, y):
    """Return a batch after a while, as a disk would."""

    def wait(value):
        time.sleep(PAUSE)
        return value

    late = tf.numpy_function(wait, [x], tf.float32)
    late.set_shape(x.shape)
    return late, y


def dataset(slow):
    batches = tf.data.Dataset.from_tensor_slices((X, X[:, :1])).batch(8)
    return batches.map(slowly) if slow else batches


def trained(folder, slow, epochs=2, exact=False, every=1, **settings):
    """Return the run of a fit whose data are slow to come, or not."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **settings)
    callback = HealthCallback(**quiet(folder, every=every, exact=exact))
    model.fit(dataset(slow), epochs=epochs, verbose=0, callbacks=[callback])
    assert marks(model) == []
    return load_run(callback.run_dir)


def series(run, statistic, site=STEP):
    found = run.series(Probe(site, statistic))
    return [] if found is None else found.values.tolist()


@pytest.mark.parametrize("settings", [{}, {"steps_per_execution": 4}])
def test_what_waits_for_its_data_is_told_from_what_does_not(settings, tmp_path):
    """A data set that sleeps makes steps wait, within the compiled function, and shares stay shares."""
    slow, fast = (trained(tmp_path, slow, **settings) for slow in (True, False))
    # Keras has one batch ready ahead of time, so a step waits for what is left of the pause.
    assert max(series(slow, "data_seconds")) > PAUSE / 4
    for run in (slow, fast):
        assert len(series(run, "data_seconds")) == len(series(run, "data_share"))
        assert all(0 <= share <= 1 for share in series(run, "data_share"))


def test_batches_taken_ahead_count_as_well(tmp_path):
    """With exact=True the batches are taken before the step, and the time that it takes is known."""
    run = trained(tmp_path, True, exact=True, every=3)
    assert len(series(run, "data_share")) >= 1
    assert all(0 < share <= 1 for share in series(run, "data_share"))


def test_an_epoch_has_a_row_and_ascending_steps(tmp_path):
    """At least one row an epoch, at the step that began last, with positive times and a peak above what is in use."""
    run = trained(tmp_path, False, epochs=3, every=5)
    steps = run.series(Probe(STEP, "seconds")).steps
    assert set(steps.tolist()) >= {5, 11, 17}
    assert steps.tolist() == sorted(set(steps.tolist()))
    assert all(value > 0 for value in series(run, "seconds"))
    assert all(0 <= value <= 1 for value in series(run, "probe_share"))
    current, peak = series(run, "current", PROCESS), series(run, "peak", PROCESS)
    assert len(current) == len(peak) == len(steps)
    assert all(1e7 < now <= most for now, most in zip(current, peak, strict=True))


def test_rows_of_the_host_are_no_probed_steps(tmp_path):
    """What the end of an epoch adds is at steps that need not be probed, and does not count among them."""
    run = trained(tmp_path, False, every=4)
    assert run.steps.tolist() == [0, 4, 8]
    assert max(run.series(Probe(STEP, "seconds")).steps) == 11


def test_what_is_not_known_has_no_values(tmp_path):
    """With every step probed there is none to compare with: the cost of probing is not measured, and a rule says so."""
    run = trained(tmp_path, False)
    assert series(run, "probe_share") == []
    limit = rule(measure={"expr": "time.probe_share"}, condition={"error": {"above": 0.5}})
    assert decide(limit, run).verdict == "not_measured"


def test_a_rule_can_read_time_and_memory(tmp_path):
    """Limits on a share and on bytes, as on any statistic."""
    run = trained(tmp_path, True)
    for measure, above in (("time.seconds", 0.0), ("memory.peak", 1e6)):
        limit = rule(measure={"expr": measure}, condition={"error": {"above": above}})
        assert decide(limit, run).verdict == "fail"


def test_a_hand_written_step_is_given_its_batch(tmp_path):
    """Its time is known; what the loop does between two steps is its own, so waiting is not measured."""
    model, optimizer = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), keras.optimizers.SGD()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    with watch(model, optimizer, **quiet(tmp_path)) as watching:
        own = watching.step(step)
        for _ in range(8):
            own(X, X[:, :1])
        watching.epoch_end({})
    run = load_run(watching.run_dir)
    assert len(series(run, "seconds")) == 1
    assert series(run, "data_share") == []


def test_iterators_are_as_they_were(tmp_path):
    """What is patched on iterators while a step runs is put back, also where the step raises."""
    iterator = iter(dataset(False))
    before = [getattr(type(iterator), name) for name in ("get_next", "get_next_as_optional")]
    fetches = Fetches()
    with fetches.inside(iterator):
        assert type(iterator).get_next is not before[0]
        assert len(iterator.get_next()) == 2
    with pytest.raises(KeyError), fetches.inside(iterator):
        raise KeyError
    assert [getattr(type(iterator), name) for name in ("get_next", "get_next_as_optional")] == before
    assert set(fetches.drain(0.0)) == {"data_seconds", "data_share"}
    assert fetches.drain(0.0) == {}


def test_memory_is_that_of_this_process():
    """Touching 64 MB shows in what is resident."""
    before = memory()[PROCESS]["current"]
    block = np.ones(8 << 20)
    assert memory()[PROCESS]["current"] - before > 0.9 * block.nbytes
