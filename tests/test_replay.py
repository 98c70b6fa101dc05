"""`tfhealth replay`: the kept step, run once more, shows the operation in which NaN or Inf began."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import tfhealth
from tests.models import quiet
from tfhealth import HealthCallback, UsageError, watch
from tfhealth.cli import main


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def functional(size: int, body, loss="mse", optimizer="sgd") -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((size,))
    model = keras.Model(inputs, body(inputs), name="net")
    model.compile(optimizer, loss)
    return model


def kept_in(folder, model, x, y):
    """Train until the first NaN; return the run directory."""
    callback = HealthCallback(**quiet(folder, catch_nonfinite=True))
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[callback])
    return callback.run_dir


def distance(x):
    return ops.sqrt(ops.sum(ops.square(layers.Dense(4, use_bias=False, name="emb")(x)), -1, keepdims=True))


def masked_logarithm(x):
    hidden = layers.Dense(3, "relu", name="h")(x)
    return ops.where(hidden > 0, ops.log(hidden), ops.zeros_like(hidden))


ILL = {
    "root": (distance, {13: 0.0}, "sgd", "backward", "SqrtGrad", "The derivative of a square root at 0"),
    "logarithm": (lambda x: ops.log(layers.Dense(3, "relu")(x)), {}, "sgd", "forward", "Log", "A logarithm of 0"),
    "mask": (masked_logarithm, {}, "sgd", "backward", "Reciprocal", "The derivative of a logarithm"),
    "exponential": (
        lambda x: layers.Dense(1)(ops.exp(layers.Dense(1, use_bias=False, kernel_initializer="ones")(x))),
        {5: 50.0},
        "sgd",
        "forward",
        "Exp",
        "exp of 200 overflows",
    ),
    "rate": (
        lambda x: layers.Dense(1, name="o")(layers.Dense(8, name="h")(x)),
        {},
        keras.optimizers.SGD(50.0),
        "forward",
        "MatMul",
        "Overflow: values up to",
    ),
    "batch": (layers.Dense(1), {9: np.nan}, "sgd", "batch", "Placeholder", "The batch itself holds NaN or Inf"),
    "constant": (
        lambda x: layers.Dense(1)(x) + ops.convert_to_tensor(np.float32(np.inf)),
        {},
        "sgd",
        "forward",
        "Const",
        "A constant in the code",
    ),
}


@pytest.mark.parametrize("name", ILL)
def test_where_it_began_is_found(name, tmp_path):
    """The operation, the part of the step and the likely cause, from nothing but the run directory."""
    body, rows, optimizer, part, kind, why = ILL[name]
    x = numbers(32, 4)
    for row, value in rows.items():
        x[row] = value
    model = functional(4, body, optimizer=optimizer)
    found = tfhealth.replay(kept_in(tmp_path, model, x, np.ones((32, *model.output_shape[1:]))))
    began = found.began
    assert (began.part, began.operation.type, began.operation.made) == (part, kind, True)
    assert found.cause.startswith(why)
    assert [row.operation.place for row in found.rows] == sorted(row.operation.place for row in found.rows)


def test_an_update_that_divides_by_zero_is_found(tmp_path):
    """Adam without an epsilon makes 0/0 of a gradient that is 0."""
    x = numbers(32, 4)
    x[:, 0] = 0
    model = functional(4, layers.Dense(1), optimizer=keras.optimizers.Adam(epsilon=0.0))
    found = tfhealth.replay(kept_in(tmp_path, model, x, x[:, 1:2]))
    assert (found.began.part, found.began.operation.type) == ("update", "RealDiv")
    assert found.cause == "A division by 0, perhaps 0/0: add a small number to the divisor."


def test_the_inside_of_a_recurrent_layer_is_shown(tmp_path):
    """Its time steps are unrolled, so the operation is inside of the layer and not the loop as a whole."""

    def body(x):
        states = layers.SimpleRNN(2, activation=keras.activations.exponential, name="rnn")(layers.Reshape((4, 1))(x))
        return layers.Dense(1)(states)

    x = numbers(16, 4)
    x[11] = 300.0
    model = functional(4, body)
    model.layers[2].set_weights([np.ones((1, 2)), np.zeros((2, 2)), np.zeros(2)])
    found = tfhealth.replay(kept_in(tmp_path, model, x, x[:, :1]))
    assert (found.step, found.began.operation.type, "rnn" in found.began.operation.name) == (1, "Exp", True)


@keras.saving.register_keras_serializable("ours")
class Quotient(layers.Layer):
    def call(self, x):
        return x / ops.sum(ops.relu(x), -1, keepdims=True)


def test_a_model_with_parts_of_ones_own_is_asked_for(tmp_path, capsys):
    """Nothing that is not Keras's is loaded, though it is registered; the message says how to give the model."""
    model = functional(2, lambda x: layers.Dense(1)(Quotient()(x)))
    x = -np.abs(numbers(16, 2))
    run = kept_in(tmp_path, model, x, x[:, :1])
    assert main(["replay", str(run)]) == 2
    assert capsys.readouterr().err == (
        "tfhealth: The model has parts that are not Keras's own, and are not loaded: Quotient. Give the model: "
        "`tfhealth replay RUN --model FILE.py:FUNCTION`, or `tfhealth.replay(run, model)`.\n"
    )
    found = tfhealth.replay(run, model)
    assert (found.began.operation.type, found.cause) == (
        "RealDiv",
        "A division by 0: add a small number to the divisor.",
    )


def test_the_model_that_is_given_is_as_before(tmp_path):
    """Weights, optimizer and seeds; only the replay itself has those of the kept step."""
    model = functional(4, lambda x: ops.log(layers.Dropout(0.5)(layers.Dense(3, "relu")(x))))
    run = kept_in(tmp_path, model, numbers(16, 4), np.zeros((16, 3)))
    before = [np.asarray(one) for one in (*model.variables, *model.optimizer.variables)]
    tfhealth.replay(run, model)
    after = [np.asarray(one) for one in (*model.variables, *model.optimizer.variables)]
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: functional(4, lambda x: layers.Dense(1)(layers.Dense(2)(x))), "The model has 6 variables"),
        (lambda: functional(3, layers.Dense(1)), "This is not the model that was trained: it has .*kernel"),
        (lambda: keras.Sequential([keras.Input((4,))]), "must be a compiled keras.Model"),
    ],
    ids=["more", "shape", "not compiled"],
)
def test_another_model_is_refused(model, message, tmp_path):
    """Variables of other number or shape are not those that were kept."""
    x = numbers(16, 4)
    x[3] = np.inf
    run = kept_in(tmp_path, functional(4, layers.Dense(1)), x, x[:, :1])
    with pytest.raises(UsageError, match=message):
        tfhealth.replay(run, model())


def test_the_command_shows_a_table(tmp_path, capsys):
    """`tfhealth replay RUN`, and `--model` for a function in a file."""
    x = numbers(16, 4)
    x[11] = 0
    run = kept_in(tmp_path, functional(4, distance), x, np.ones((16, 1)))
    assert main(["replay", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Step 1: NaN or Inf began in the backward pass, in SqrtGrad: gradient_tape/net_1/SqrtGrad"
    assert lines[1] == "The derivative of a square root at 0: add a small number under the root."
    assert "→ began  backward" in lines[4]
    (tmp_path / "own.py").write_text(
        "import keras\nfrom keras import layers, ops\n\n\ndef build():\n    inputs = keras.Input((4,))\n"
        "    hidden = layers.Dense(4, use_bias=False)(inputs)\n"
        "    model = keras.Model(inputs, ops.sqrt(ops.sum(ops.square(hidden), -1, keepdims=True)))\n"
        "    model.compile('sgd', 'mse')\n    return model\n\n\ndef other():\n    return 3\n"
    )
    assert main(["replay", str(run), "--model", f"{tmp_path}/own.py:build"]) == 0
    assert "in SqrtGrad" in capsys.readouterr().out
    wrong = {"own.py": "is not FILE.py:FUNCTION", "none.py:build": "no such file", "own.py:built": "has no function"}
    for told, message in {**wrong, "own.py:other": "returned a int"}.items():
        assert main(["replay", str(run), "--model", f"{tmp_path}/{told}"]) == 2
        assert message in capsys.readouterr().err


def test_a_step_that_shows_nothing_is_incomplete(tmp_path, capsys):
    """A batch that is sound by now, as one on which only another machine overflows, is said to be so: exit code 3."""
    x = numbers(16, 4)
    x[3] = np.inf
    run = kept_in(tmp_path, functional(4, layers.Dense(1)), x, x[:, :1])
    np.savez(run / "nonfinite" / "batch.npz", a0=np.ones((8, 4), "float32"), a1=np.ones((8, 1), "float32"))
    assert main(["replay", str(run)]) == 3
    assert capsys.readouterr().out.startswith("Step 0, replayed, showed no NaN or Inf.")


def test_a_description_that_holds_code_is_refused(tmp_path):
    """A run directory may come from anybody: lambdas and functions of other packages are not even looked for."""
    x = numbers(16, 4)
    x[3] = np.inf
    run = kept_in(tmp_path, functional(4, layers.Dense(1)), x, x[:, :1])
    path = run / "nonfinite" / "model.json"
    good = json.loads(path.read_text("utf-8"))
    for part in (
        {"class_name": "__lambda__", "config": {"value": "4wEA"}},
        {"class_name": "function", "config": "system", "module": "os", "registered_name": "function"},
        {"class_name": "Popen", "config": {"args": "id"}, "module": "subprocess", "registered_name": "Popen"},
    ):
        path.write_text(json.dumps({**good, "compile_config": {"loss": part}}), "utf-8")
        with pytest.raises(UsageError, match="parts that are not Keras's own"):
            tfhealth.replay(run)
    path.write_text("[" * 100_000, "utf-8")
    with pytest.raises(tfhealth.RunError, match="damaged or not ours"):
        tfhealth.replay(run)


def test_a_step_written_by_hand_is_replayed(tmp_path):
    """With the model, the optimizer and the step that the loop had."""
    model, optimizer = functional(4, distance), keras.optimizers.SGD(0.1)

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((y - model(x, training=True)) ** 2)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    x = numbers(24, 4)
    x[17] = 0
    with watch(model, optimizer, **quiet(tmp_path, catch_nonfinite=True)) as watched:
        step = watched.step(train_step)
        for at in (0, 8, 16):
            step(tf.constant(x[at : at + 8]), y=tf.ones((8, 1)))
    with pytest.raises(UsageError, match="replayed with its step"):
        tfhealth.replay(watched.run_dir)
    found = tfhealth.replay(watched.run_dir, model, optimizer, step=train_step)
    assert (found.step, found.began.part, found.began.operation.type) == (2, "backward", "SqrtGrad")
