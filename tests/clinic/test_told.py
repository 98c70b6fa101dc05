"""Programs of whose data the callback is told: what only arrays, which reach the model as they are, give away."""

import numpy as np
import pytest

from tests.clinic.healthy import compiled, relu, sequential, softmax
from tests.models import quiet
from tfhealth import HealthCallback


def blobs(seed: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points around five centers, float32[samples, 8], and which one each belongs to."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, samples)
    return (2 * np.eye(5, 8)[y] + rng.normal(0, 0.5, (samples, 8))).astype("float32"), y


@pytest.mark.parametrize(("wrong", "expected"), [(0.4, "warn"), (0.0, "pass")])
def test_labels_of_arrays_that_validation_contradicts_are_wrong(tmp_path, wrong, expected):
    """Without dropout and augmentation a model is no worse at what it was trained on."""
    x, y = blobs(0, 1200)
    rng = np.random.default_rng(2)
    y = np.where(rng.random(len(y)) < wrong, rng.integers(0, 5, len(y)), y)
    model, _, _, _ = compiled(sequential((8,), relu(16), softmax(5)), x, y)
    callback = HealthCallback(**quiet(tmp_path), data=(x, y))
    model.fit(x, y, validation_data=blobs(1, 400), epochs=12, verbose=0, callbacks=[callback])
    found = {row.id: row.verdict for row in callback.result.checklist}
    assert (found["data.label-noise"], found["data.augmentation"]) == (expected, "pass")
