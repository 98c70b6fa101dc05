"""Layers and models of people's own that Keras does not see into: weights kept from it, modes not handed on."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers, ops

from tests.clinic.healthy import DIGITS, IMAGES, compiled, sequential, softmax, standard
from tests.clinic.pair import Pair, Program


class Projection(layers.Layer):
    """A dense layer whose kernel is a constant, though nobody meant it to be."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.w = tf.random.normal((width, units), stddev=0.2)

    def call(self, x):
        return ops.tanh(ops.matmul(x, self.w))


class TrackedByTensorFlow(Projection):
    """The same with a variable of TensorFlow's, as was the manner in Keras 2."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__(width, units)
        self.w = tf.Variable(self.w)


class Trained(layers.Layer):
    """The same as it should be."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform")

    def call(self, x):
        return ops.tanh(ops.matmul(x, self.w))


def constants_for_kernels() -> Program:
    model = sequential((64,), Projection(64, 24), Projection(24, 16), softmax())
    return compiled(model, standard(DIGITS.data), DIGITS.target)


def variables_of_tensorflow() -> Program:
    model = sequential((64,), TrackedByTensorFlow(64, 24), softmax())
    return compiled(model, standard(DIGITS.data), DIGITS.target)


def kernels_that_are_trained() -> Program:
    return compiled(sequential((64,), Trained(24), Trained(16), softmax()), standard(DIGITS.data), DIGITS.target)


class Blocks(keras.Model):
    """Convolutions and normalizations of which one may be told a mode."""

    def __init__(self, mode: bool | None) -> None:
        super().__init__()
        self.mode = mode
        self.convolutions = [layers.Conv2D(16, 3, use_bias=False) for _ in range(2)]
        self.norms = [layers.BatchNormalization(momentum=0.9) for _ in range(2)]
        self.head = keras.Sequential([layers.Flatten(), softmax()])

    def call(self, x, training=None):
        mode = training if self.mode is None else self.mode
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = ops.relu(norm(convolution(x), training=mode))
        return self.head(x)


def always_in_test_mode() -> Program:
    return compiled(Blocks(mode=False), IMAGES, DIGITS.target, keras.optimizers.SGD(0.05), epochs=4)


def mode_handed_on() -> Program:
    return compiled(Blocks(mode=None), IMAGES, DIGITS.target, keras.optimizers.SGD(0.05), epochs=4)


class WithoutMode(keras.Model):
    """Two layers with a dropout between; Keras cannot tell it that it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.dropout, self.head = layers.Dense(64, "relu"), layers.Dropout(0.3), softmax()

    def call(self, x):
        return self.head(self.dropout(self.hidden(x)))


class WithMode(WithoutMode):
    """The same with an argument for the mode, which Keras hands on by itself."""

    def call(self, x, training=None):
        return super().call(x)


def dropout_never_told() -> Program:
    return compiled(WithoutMode(), standard(DIGITS.data), DIGITS.target)


def dropout_told() -> Program:
    return compiled(WithMode(), standard(DIGITS.data), DIGITS.target)


PAIRS = [
    Pair("arch.frozen", constants_for_kernels, kernels_that_are_trained, "warn"),
    Pair("arch.frozen", variables_of_tensorflow, kernels_that_are_trained),
    Pair("gold.train-test-mode", always_in_test_mode, mode_handed_on),
    Pair("gold.train-test-mode", dropout_never_told, dropout_told, "warn"),
]
