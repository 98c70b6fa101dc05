"""Autoencoders of short series with a code between two networks: what the code costs, and what is left of it."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tests.clinic.healthy import compiled, relu, sequential
from tests.clinic.pair import Pair, Program


def waves() -> np.ndarray:
    """Return waves of many frequencies, phases and heights, float32[1500, 32]."""
    rng = np.random.default_rng(33)
    frequency, phase = rng.uniform(0.1, 0.6, (1500, 1)), rng.uniform(0, 6.3, (1500, 1))
    return (rng.uniform(0.5, 1.5, (1500, 1)) * np.sin(frequency * np.arange(32) + phase)).astype("float32")


class Drawn(layers.Layer):
    """Draws a code from a normal distribution and adds its divergence from the standard one to the loss.

    Args:
        cost: what the divergence, summed over the batch, is multiplied by.
    """

    def __init__(self, cost: float):
        super().__init__()
        self.cost, self.seeds = cost, keras.random.SeedGenerator(0)

    def call(self, mean, log_variance):
        divergence = keras.ops.exp(log_variance) + mean**2 - 1 - log_variance
        self.add_loss(self.cost * 0.5 * keras.ops.sum(divergence))
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


def variational(cost: float) -> Program:
    series = keras.Input((32,))
    hidden = relu(32)(series)
    code = Drawn(cost)(layers.Dense(6)(hidden), layers.Dense(6)(hidden))
    model = keras.Model(series, layers.Dense(32)(relu(32)(code)))
    return compiled(model, waves(), waves(), keras.optimizers.Adam(0.005), "mse", epochs=20)


def divergence_summed_over_the_batch() -> Program:
    return variational(1.0)


def divergence_on_the_scale_of_the_error() -> Program:
    return variational(1 / (32 * 32 * 10))


def noisy_code(noise: float) -> Program:
    code = [layers.Dense(6, activation="tanh"), layers.Rescaling(0.05 / noise), layers.GaussianNoise(0.05)]
    stack = [relu(32), *code, layers.Rescaling(noise / 0.05), relu(32), layers.Dense(32)]
    return compiled(sequential((32,), *stack), waves(), waves(), keras.optimizers.Adam(0.005), "mse", epochs=20)


def code_drowned_in_noise() -> Program:
    return noisy_code(30.0)


def code_with_a_little_noise() -> Program:
    return noisy_code(0.05)


PAIRS = [
    Pair("loss.parts-balanced", divergence_summed_over_the_batch, divergence_on_the_scale_of_the_error),
    Pair("arch.baseline", code_drowned_in_noise, code_with_a_little_noise),
]
