"""What a preflight costs: seconds per experiment on a small CNN, those of a quick one and all together.

    python benchmarks/preflight.py [EXPERIMENT ...]

The model has two convolutions with batch normalization, dropout and a dense layer, for images of 16 x 16 pixels and
ten classes that can be told apart; 512 samples of them, and 128 for validation. Each experiment runs as in
`tfhealth.preflight`, one after another; the time is what the run records as `seconds`. The first ones pay for what
TensorFlow loads when it is first used.
"""

import argparse
import tempfile

import keras
import numpy as np
from keras import layers

import tfhealth
from tfhealth.experiments import find

_CLASSES = 10
_BUDGET = 3600.0


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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = tfhealth.preflight(
            model(),
            *data(512, 0),
            experiments=arguments.experiments or "full",
            validation_data=data(128, 1),
            out=folder,
            formats="json",
            budget=_BUDGET,
            verbose=0,
        )
        run = tfhealth.load_run(result.run.path)
    told = {site.name: attributes for site, attributes in run.sites.items() if site.kind == "experiment"}
    notes = {note.subject: note.why for note in run.notes if note.why.startswith("not measured")}
    total = {True: 0.0, False: 0.0}
    for name, attributes in told.items():
        quick = find(name).quick
        total[quick] += attributes["seconds"]
        what = attributes["inapplicable"] or notes.get(f"experiment {name}", "")
        print(f"{name:<24} {'quick' if quick else 'full':<6} {attributes['seconds']:7.1f} s  {what[:60]}".rstrip())
    print(f"{'quick':<31} {total[True]:7.1f} s\n{'full':<31} {sum(total.values()):7.1f} s")


if __name__ == "__main__":
    main()
