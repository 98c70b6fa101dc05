"""Validation batches are seen as training's are, in rows of their own, and nothing is changed by it."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.asking import EVERYTHING, asking, values
from tests.models import trained
from tests.test_bit_identical import differences
from tfhealth import load_run
from tfhealth.series import Probe
from tfhealth.statistics.builtin.inputs import MEMORY

ABOUT_VALIDATION = [one for one in EVERYTHING if one.startswith("validation_")]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def classifier(classes=5):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(classes, activation="softmax", name="only")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def validated(folder, model, training, validation, *measures, epochs=1, batch_size=16, **settings):
    """Fit in the order of the data, with every training step probed; return the run."""
    callback = asking(folder, *(measures or EVERYTHING), **settings)
    model.fit(
        *training,
        validation_data=validation,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[callback],
    )
    return load_run(callback.run_dir)


def only(run, kind, statistic):
    return values(run, f"validation_{kind}", "", statistic)


def test_a_pass_over_the_validation_data_is_one_row(tmp_path):
    """Sums of its batches add up: statistics are those of all the validation data, as of the steps before it."""
    x, y = noise(48, 4, seed=1) + np.float32(20), np.arange(48) ** 2 % 5
    model = classifier()
    run = validated(tmp_path, model, (noise(64, 4), np.arange(64) % 5), (x, y), epochs=2)
    assert only(run, "input", "mean") == pytest.approx([x.mean()] * 2, rel=1e-5)
    assert only(run, "input", "std") == pytest.approx([x.astype(np.float64).std()] * 2, rel=1e-4)
    assert only(run, "input", "maximum") == pytest.approx([x.max()] * 2)
    assert only(run, "label", "mean") == pytest.approx([y.mean()] * 2)
    out = model.predict(x, verbose=0)
    assert only(run, "prediction", "correct_share")[1] == pytest.approx(np.mean(out.argmax(1) == y))
    assert only(run, "prediction", "entropy")[1] == pytest.approx(np.mean(-np.sum(out * np.log(out), axis=1)), rel=1e-4)
    (site,) = [one for one in run.sites if one.kind == "validation_input"]
    assert run.panel("validation_input", "mean").steps.tolist() == [4, 8]
    assert run.sites[site]["consumer"] == "Dense"


def test_classes_of_a_pass_are_counted_from_its_beginning(tmp_path):
    """Shares of classes are those of one pass, and differ from training's as their counts do."""
    labels, y = np.repeat([0, 1, 2, 3], 16), np.array([0] * 24 + [1] * 12 + [4] * 12)
    run = validated(tmp_path, classifier(), (noise(64, 4), labels), (noise(48, 4), y), epochs=2)
    assert only(run, "label", "majority_share") == pytest.approx([0.5, 0.5])
    share = np.array([24, 12, 12]) / 48
    assert only(run, "label", "class_entropy") == pytest.approx([-np.sum(share * np.log(share))] * 2, rel=1e-5)
    assert only(run, "label", "missing_classes").tolist() == [2, 2]
    assert only(run, "label", "new_classes").tolist() == [1, 1]
    assert only(run, "label", "missing_share") == pytest.approx([32 / 64] * 2)  # classes 2 and 3
    assert only(run, "label", "new_share") == pytest.approx([12 / 48] * 2)  # class 4
    assert only(run, "label", "classes_seen").tolist() == [3, 3]
    assert only(run, "input", "samples").tolist() == [48, 48]
    training, validation = np.array([16, 16, 16, 16, 0]), np.array([24, 12, 0, 0, 12])
    ratio = np.sqrt(64 / 48)
    shift = np.sum((validation * ratio - training / ratio) ** 2 / (validation + training)) / 4
    assert only(run, "label", "class_shift")[0] == pytest.approx(shift, rel=1e-4)


def test_training_samples_in_the_validation_data_are_found(tmp_path):
    """By their hashes, as far as training probes saw them; training finds its own again in the second epoch."""
    x = noise(64, 4)
    leaked = np.concatenate([x[10:22], noise(36, 4, seed=1)])
    run = validated(tmp_path, classifier(), (x, np.arange(64) % 5), (leaked, np.arange(48) % 5), epochs=2)
    assert only(run, "input", "seen_fraction") == pytest.approx([12 / 48] * 2)
    assert values(run, "input", "only", "seen_fraction")[1:] == pytest.approx([0] * 3 + [1] * 4)
    assert np.isnan(values(run, "input", "only", "seen_fraction")[0])


@pytest.mark.parametrize(("moved", "expected"), [(0, 1.0), (1, 0.0)])
def test_samples_of_several_inputs_are_equal_in_all_of_them(moved, expected, tmp_path):
    """People and things that training saw, each with others, make samples that it did not see."""
    people, things, y = noise(48, 4), noise(48, 3, seed=1), np.arange(48) % 5
    inputs = [keras.Input((4,)), keras.Input((3,))]
    joined = keras.layers.Concatenate()([keras.layers.Dense(2)(one) for one in inputs])
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(joined))
    model.compile("sgd", "sparse_categorical_crossentropy")
    names = ("input.seen_fraction", "validation_input.seen_fraction")
    run = validated(tmp_path, model, ([people, things], y), ([people, np.roll(things, moved, 0)], y), *names)
    seen = [run.series(Probe(one, "seen_fraction")) for one in run.sites if one.kind == "validation_input"]
    assert [one.values.tolist() for one in seen] == [[expected]] * 2


def test_nothing_is_found_where_training_remembers_nothing(tmp_path):
    """Without a rule that makes training remember, there is no share of nothing."""
    x = noise(64, 4)
    names = ("validation_input.seen_fraction", "validation_label.class_shift", "validation_label.new_classes")
    run = validated(tmp_path, classifier(), (x, np.arange(64) % 5), (x, np.arange(64) % 5), *names)
    assert np.isnan(only(run, "input", "seen_fraction")).all()
    assert np.isnan(only(run, "label", "class_shift")).all()
    assert np.isnan(only(run, "label", "new_classes")).all()


def test_few_samples_are_taken_for_others(tmp_path):
    """With the memory full, hardly any new sample is found in it."""
    x = noise(MEMORY + 512, 4)
    new = noise(4096, 4, seed=1)
    names = ("input.seen_fraction", "validation_input.seen_fraction")
    run = validated(tmp_path, classifier(), (x, np.zeros(len(x))), (new, np.zeros(len(new))), *names, batch_size=512)
    assert 0 <= only(run, "input", "seen_fraction")[0] < 0.008
    assert values(run, "input", "only", "seen_fraction")[-1] < 0.01


def test_without_a_rule_that_asks_evaluation_is_left_alone(tmp_path, monkeypatch):
    """Where no rule reads anything of validation batches, no second test function is made."""
    model = classifier()
    made = []
    monkeypatch.setattr(type(model), "make_test_function", _counted(type(model).make_test_function, made))
    x, y = noise(64, 4), np.arange(64) % 5
    model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[asking(tmp_path, "input.mean")])
    assert made == [False]


def _counted(original, made):
    def make_test_function(model, force=False):
        made.append(force)
        return original(model, force=force)

    return make_test_function


def test_long_validation_is_probed_at_ever_fewer_batches(tmp_path):
    """Of 250 batches, whose labels are their numbers, the first twelve and then some; in a second pass fewer still."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, numbers = noise(1000, 4), np.repeat(np.arange(250), 4)[:, None].astype("float32")
    names = ("validation_label.mean", "validation_label.maximum")
    run = validated(tmp_path, model, (x[:8], x[:8, :1]), (x, numbers), *names, epochs=2, batch_size=4)
    probed = [*range(12), 13, 15, 17, 19, 21, 24, 27, 30, 33, 37, 41, 46, 51, 57, 63, 70, 77, 85, 94, 104, 115, 127]
    probed += [140, 154, 170, 188, 207, 228]
    assert only(run, "label", "mean") == pytest.approx([np.mean(probed), np.mean([0, *2 ** np.arange(8)])])
    assert only(run, "label", "maximum").tolist() == [228, 128]


@pytest.mark.parametrize("kind", ["cnn", "lstm", "subclassed", "residual cnn", "transformer"])
@pytest.mark.parametrize("executions", [1, 8])
def test_probed_evaluation_is_bit_identical(kind, executions, tmp_path):
    """Training and validation logs are equal, bit by bit, with validation batches probed."""
    callback = asking(tmp_path, *ABOUT_VALIDATION)
    plain = trained(kind, [], steps_per_execution=executions)
    assert differences(plain, trained(kind, [callback], steps_per_execution=executions)) == []
    assert {"val_loss", "val_accuracy"} <= set(plain[1])
    assert load_run(callback.run_dir).panel("validation_prediction", "entropy").values.shape == (1, 2)


@pytest.mark.parametrize("settings", [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 8}])
def test_exact_evaluation_is_bit_identical(settings, tmp_path):
    """With exact=True validation batches, too, are measured in a pass of their own."""
    callback = asking(tmp_path, *ABOUT_VALIDATION, exact=True)
    plain = trained("cnn", [], **settings)
    assert differences(plain, trained("cnn", [callback], **settings)) == []
    assert load_run(callback.run_dir).panel("validation_input", "mean").values.shape == (1, 2)


def test_nothing_is_left_on_a_model_whose_evaluation_was_probed(tmp_path):
    """The model has its own test step and test function again, and evaluates as before."""
    model = classifier()
    x, y = noise(64, 4), np.arange(64) % 5
    run = validated(tmp_path, model, (x, y), (x, y))
    assert len(only(run, "input", "mean")) == 1
    assert "test_step" not in vars(model)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0, batch_size=64), rel=1e-6)


class Odd(keras.Model):
    """A model whose test step fails."""

    def __init__(self):
        super().__init__()
        self.only = layers.Dense(1)

    def call(self, x):
        return self.only(x)

    def test_step(self, data):
        raise RuntimeError("this test step is broken")


def test_an_evaluation_that_fails_fails_as_it_would(tmp_path):
    """The user's own error comes through, and the run says that it was no end."""
    model = Odd()
    model.compile("sgd", "mse")
    callback = asking(tmp_path, *ABOUT_VALIDATION)
    x = noise(32, 4)
    with pytest.raises(RuntimeError, match="this test step is broken"):
        model.fit(x, x[:, :1], validation_data=(x, x[:, :1]), verbose=0, callbacks=[callback])
    assert "test_step" not in vars(model)
