"""What a preflight costs: seconds per experiment on a small CNN, those of a quick one and all together.

    python benchmarks/preflight.py [EXPERIMENT ...]

The model has two convolutions with batch normalization, dropout and a dense layer, for images of 16 x 16 pixels and
ten classes that can be told apart; 512 samples of them, and 128 for validation. Each experiment runs as in
`tfhealth.preflight`, one after another. CPU seconds are those of all threads, which a busy machine does not change
much; the others are those of the clock. The first ones pay for what TensorFlow loads when it is first used.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

import tfhealth
from tfhealth.capture.ahead import Ahead
from tfhealth.experiments import find
from tfhealth.preflight.laboratory import Laboratory
from tfhealth.preflight.source import gathered
from tfhealth.recorder import Recorder

_CLASSES = 10
_BUDGET = 3600.0
_SEED = 1234


def model():
    """Return a compiled CNN of some 10,000 parameters, with weight decay, dropout and batch normalization."""
    keras.utils.set_random_seed(1)
    decay = keras.regularizers.L2(1e-4)
    stack = [
        keras.Input((16, 16, 1)),
        layers.Conv2D(16, 3, activation="relu", kernel_regularizer=decay),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu", kernel_regularizer=decay),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.2),
        layers.Dense(_CLASSES, activation="softmax"),
    ]
    network = keras.Sequential(stack)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def data(count, seed):
    """Return images of one bright bar a class in noise, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, _CLASSES, count)
    images = rng.normal(0, 0.3, (count, 16, 16, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[label + 3] += 1.0
    return images, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="names; all that rules read by default")
    names = parser.parse_args().experiments or Ahead("full", _BUDGET, False).chosen(tfhealth.load_checklist())
    total = {True: np.zeros(2), False: np.zeros(2)}
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "run")
        samples, validation = gathered(*data(512, 0)), gathered(*data(128, 1))
        laboratory = Laboratory(model(), samples, validation, recorder, _BUDGET, _SEED)
        for name in names:
            began = np.array([time.process_time(), time.monotonic()])
            laboratory.run([name], verbose=0)
            took = np.array([time.process_time(), time.monotonic()]) - began
            total[find(name).quick] += took
            print(_line(name, "quick" if find(name).quick else "full", took), flush=True)
        notes = recorder.snapshot().notes
        recorder.close()
    print(_line("quick", "", total[True]), _line("full", "", total[True] + total[False]), sep="\n")
    print(*(f"{note.subject}: {note.why[:100]}" for note in notes if note.why.startswith("not measured")), sep="\n")


def _line(name, kind, took):
    return f"{name:<24} {kind:<6} {took[0]:7.1f} s of CPU {took[1]:7.1f} s"


if __name__ == "__main__":
    main()
