"""A size of inputs -> small images of ten classes that any sound network tells apart; nothing is downloaded."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["standard_images"]

_LARGE = 20  # pixels a side from which on Keras's own images are taken, where they are on disk
_COLORS = 3


def standard_images(shape: tuple[int, ...], seed: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name of a data set, images [n, side, side, channels] and their classes, int[n] from 0 to 9.

    The one that is most like the inputs first, then one that is easier.

    Args:
        shape: height, width and channels for which they are meant.
        seed: of those that are generated.
    """
    large = shape[0] >= _LARGE
    if large and shape[-1] == _COLORS and (found := _cifar()) is not None:
        yield "CIFAR-10, which Keras has on disk,", *found
    if large and _on_disk("mnist.npz").is_file():
        yield "MNIST, which Keras has on disk,", *_mnist()
    else:
        yield _small(seed)


def _on_disk(name: str) -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / name


def _mnist() -> tuple[Any, Any]:
    with np.load(_on_disk("mnist.npz")) as found:
        return found["x_test"][..., None], found["y_test"]


def _cifar() -> tuple[Any, Any] | None:
    """Return the test images of CIFAR-10 from where one Keras or another has unpacked them."""
    for folder in (
        "cifar-10-batches-py-target/cifar-10-batches-py",
        "cifar-10-batches-py",
        "cifar-10-batches-py-target",
    ):
        path = _on_disk(folder) / "test_batch"
        if path.is_file():
            with path.open("rb") as file:
                found = pickle.load(file, encoding="bytes")  # noqa: S301 - as Keras reads its own download
            images = np.asarray(found[b"data"]).reshape(-1, _COLORS, 32, 32).transpose(0, 2, 3, 1)
            return images, np.asarray(found[b"labels"])
    return None


def _small(seed: int) -> tuple[str, Any, Any]:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        generator = np.random.default_rng(seed)
        shapes, labels = generator.random((10, 8, 8)) > 0.6, generator.integers(0, 10, 1797)
        images = shapes[labels] + generator.normal(0, 0.3, (1797, 8, 8))
        return "generated shapes, since scikit-learn is not installed,", images[..., None], labels
    found = load_digits()
    return "scikit-learn's digits", found.images[..., None], found.target
