"""What is paid once: the time of a trace, and the peak of memory of a process that trains.

`python benchmarks/once.py MODEL MODE` trains in one of MODES and prints two peaks in bytes: at the end of the training,
and after the report.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODES = ("plain", "default", "every step")


def traces(name, rounds):
    """Return CPU seconds that fits pay once, three a round: without us; what the probed step adds to it; and what it
    adds where every step is probed, and steps that take everything are compiled apart.

    Each is that of a model which has just been compiled: tracing, compiling and one step. The probed step comes first,
    as in a fit, and Keras's own is traced after it.
    """
    import tensorflow as tf
    from models import compiled, data

    from tfhealth.capture.probes import Probes
    from tfhealth.capture.step import ProbedStep
    from tfhealth.plan import Plan
    from tfhealth.rules import load_checklist

    plan, found = Plan.of(load_checklist(None)), []

    def took(separate=None):
        model, batch = compiled(name)
        batches = iter(tf.data.Dataset.from_tensor_slices(data(model, batch)).batch(batch).repeat())
        began = time.process_time()
        if separate is not None:
            told = (lambda *_: None,) * 3
            step = ProbedStep(model, Probes(model, model.distribute_strategy, plan, 0, *told, separate=separate))
            for number in (0, 20, 21) if separate else (0,):  # of which the last takes less
                step.run(batches, number)
        model.make_train_function(force=True)
        model.train_function(batches)
        return time.process_time() - began

    for _ in range(rounds + 1):
        plain = took()
        found.append((plain, took(separate=False) - plain, took(separate=True) - plain))
    return found[1:]  # the first one starts TensorFlow up


def peaks(name, mode, rounds):
    """Return medians of the two peaks of memory, bytes, each of a process of its own."""
    command = [sys.executable, __file__, name, mode]
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*(map(int, one.split()[-2:]) for one in printed), strict=True)]


def _peak():
    """Return the most memory that this process had resident; `getrusage` would begin with what its parent had."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def _train(name, mode):
    from models import compiled, data

    model, batch = compiled(name)
    callbacks = []
    if mode != "plain":
        from tfhealth import HealthCallback

        every = 1 if mode == "every step" else "auto"
        callbacks = [HealthCallback(every=every, out=Path(tempfile.mkdtemp()), formats="json,html", verbose=0)]
    x, y = data(model, 64 * batch)
    model.fit(x, y, batch_size=batch, epochs=4, verbose=0)
    model.fit(x, y, batch_size=batch, epochs=4, verbose=0, callbacks=[*callbacks, _last()])


def _last():
    import keras

    def on_epoch_end(epoch, logs):
        if epoch == 3:
            print(_peak())

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)


if __name__ == "__main__":
    _train(*sys.argv[1:3])
    print(_peak())
