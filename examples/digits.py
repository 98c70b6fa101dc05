"""A small CNN on scikit-learn's handwritten digits (1,797 images of 8 × 8 pixels): healthy, or sick in two ways.

    python examples/digits.py            # healthy
    python examples/digits.py --sick     # raw pixels, and a learning rate a hundred times too high

The script knows nothing of tfhealth: `tfhealth run examples/digits.py --sick` diagnoses it.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def load(raw: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training and validation images, float32 [n, 8, 8, 1], with their labels, int64 [n]."""
    digits = load_digits()
    images = digits.images[..., None].astype("float32")
    if raw:
        images *= 255 / 16  # what an image file holds: 0 to 255
    else:
        images = images / 16 - 0.3  # the mean of the pixels is 0.3
    return train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)


def build() -> keras.Model:
    """Return a CNN with two convolutions."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def main() -> None:
    """Train, and print the accuracy on held-out images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sick", action="store_true", help="raw pixels and a learning rate of 0.1")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(7)
    x, x_held_out, y, y_held_out = load(raw=arguments.sick)
    model = build()
    model.compile(
        optimizer=keras.optimizers.Adam(0.1 if arguments.sick else 0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=32, epochs=arguments.epochs, validation_data=(x_held_out, y_held_out), verbose=2)
    _, accuracy = model.evaluate(x_held_out, y_held_out, verbose=0)
    print(f"accuracy on {len(y_held_out)} images that were held out: {accuracy:.3f}")


if __name__ == "__main__":
    main()
