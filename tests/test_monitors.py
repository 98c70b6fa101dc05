"""What is known of the other callbacks of a fit: what they wait for, and whether that is the better value."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.callbacks import EarlyStopping, History, ModelCheckpoint, ReduceLROnPlateau

from tests.models import quiet
from tfhealth import HealthCallback, evaluate, load_checklist, load_run
from tfhealth.series import Site

STOPPED = "EarlyStopping(monitor='val_accuracy', mode='min')"


def trained(folder, others: list | None, epochs: int = 8):
    """Return the run of a classifier that learns, fitted with other callbacks that are known, or None are."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    x = (2 * np.eye(3, 4)[y] + rng.normal(0, 0.5, (600, 4))).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    callback = HealthCallback(**quiet(folder))
    callback.others = others
    model.fit(x, y, validation_split=0.5, epochs=epochs, verbose=0, callbacks=[*(others or []), callback])
    assert callback.run_dir is not None
    return load_run(callback.run_dir)


def verdicts(run) -> dict[str, str]:
    return {one.rule: one.verdict for one in evaluate(load_checklist(), run).rules if "LOSS060" < one.rule < "LOSS064"}


@pytest.mark.filterwarnings("ignore:.*not available", "ignore:__array__ implementation")
def test_callbacks_that_wait_for_the_worse_are_named(tmp_path):
    """With whether they acted on it; what Keras chooses, and a checkpoint that keeps all, wait for nothing wrong."""
    others = [
        EarlyStopping("val_accuracy", mode="min", patience=3),
        EarlyStopping("val_accuracy", patience=3),
        EarlyStopping("val_acc", mode="max"),
        ReduceLROnPlateau("val_loss", mode="max", patience=2),
        EarlyStopping("loss", mode="max", patience=50),
        ModelCheckpoint(tmp_path / "a.keras", "accuracy", mode="min", save_best_only=True),
        ModelCheckpoint(tmp_path / "b.keras", "accuracy", mode="min"),
        History(),
    ]
    run = trained(tmp_path / "runs", others)
    assert dict(run.sites[Site("fact", "callbacks")]) == {
        "given": "EarlyStopping, EarlyStopping, EarlyStopping, ReduceLROnPlateau, EarlyStopping, ModelCheckpoint, "
        "ModelCheckpoint, History",
        "acted_opposed": f"{STOPPED}, ReduceLROnPlateau(monitor='val_loss', mode='max'), "
        "ModelCheckpoint(monitor='accuracy', mode='min')",
        "opposed": "EarlyStopping(monitor='loss', mode='max')",
        "waiting_in_vain": "EarlyStopping(monitor='val_acc', mode='max')",
    }
    assert verdicts(run) == {"LOSS061": "fail", "LOSS062": "warn", "LOSS063": "warn"}


def test_callbacks_that_are_not_known_are_not_judged(tmp_path):
    """A callback does not see the others of its fit; of none at all there is nothing to say."""
    assert verdicts(trained(tmp_path, None, 1)) == dict.fromkeys(("LOSS061", "LOSS062", "LOSS063"), "not_applicable")
    assert verdicts(trained(tmp_path, [], 1)) == dict.fromkeys(("LOSS061", "LOSS062", "LOSS063"), "pass")
