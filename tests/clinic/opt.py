"""Learning rates, optimizers and schedules that do not suit a program that is sound otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from tests.clinic.healthy import (
    DIGITS,
    PIXELS,
    attention,
    autoencoder,
    binary_cancer,
    cnn_with_dropout,
    compiled,
    dense_on_pixels,
    dense_with_momentum_and_logits,
    eight_layers_he,
    embedded_text,
    four_layers_tanh,
    lstm_on_sums,
    multi_label,
    regression_on_diabetes,
    sequential,
    small_iris,
    softmax_regression,
    two_outputs,
)
from tests.clinic.pair import Pair, Program


def trained_with(program: Callable[[], Program], optimizer: Any, **settings: Any) -> Program:
    """Return a program with another optimizer, and other arguments of `fit`."""
    model, x, y, fit = program()
    model.compile(optimizer, model.loss)
    return model, x, y, {**fit, **settings}


def cnn_at_a_tenth() -> Program:
    return trained_with(cnn_with_dropout, keras.optimizers.Adam(0.1))


def lstm_at_one() -> Program:
    return trained_with(lstm_on_sums, keras.optimizers.Adam(1.0))


def text_at_one() -> Program:
    return trained_with(embedded_text, keras.optimizers.RMSprop(1.0), epochs=6)


def attention_at_a_tenth() -> Program:
    return trained_with(attention, keras.optimizers.Adam(0.1))


def eight_layers_at_a_tenth() -> Program:
    return trained_with(eight_layers_he, keras.optimizers.Adam(0.1))


def autoencoder_at_one() -> Program:
    return trained_with(autoencoder, keras.optimizers.Adam(1.0), epochs=6)


def regression_at_one() -> Program:
    return trained_with(regression_on_diabetes, keras.optimizers.SGD(1.0))


def labels_at_one() -> Program:
    return trained_with(multi_label, keras.optimizers.Adam(1.0))


def iris_at_ten() -> Program:
    return trained_with(small_iris, keras.optimizers.SGD(10.0))


def averaged(momentum: float) -> Program:
    rate = keras.optimizers.Adam(0.003, use_ema=True, ema_momentum=momentum)
    return trained_with(binary_cancer, rate)


def average_of_the_first_weights() -> Program:
    return averaged(0.9999)


def average_of_the_last_weights() -> Program:
    return averaged(0.9)


def cancer_at_a_millionth() -> Program:
    return trained_with(binary_cancer, keras.optimizers.RMSprop(1e-6))


def regression_at_a_millionth() -> Program:
    return trained_with(regression_on_diabetes, keras.optimizers.Adam(1e-6))


def lstm_at_a_hundred_thousandth() -> Program:
    return trained_with(lstm_on_sums, keras.optimizers.Adam(1e-5))


def text_by_slow_descent() -> Program:
    return trained_with(embedded_text, keras.optimizers.SGD(1e-4), epochs=6)


def two_outputs_at_a_millionth() -> Program:
    return trained_with(two_outputs, keras.optimizers.Adam(1e-6))


def cnn_at_a_hundred_thousandth() -> Program:
    return trained_with(cnn_with_dropout, keras.optimizers.Adam(1e-5), epochs=5)


def uphill() -> Program:
    return trained_with(softmax_regression, keras.optimizers.SGD(-0.1))


def momentum_that_never_ends() -> Program:
    return trained_with(dense_with_momentum_and_logits, keras.optimizers.SGD(0.05, momentum=1.0))


def betas_swapped() -> Program:
    return trained_with(dense_on_pixels, keras.optimizers.Adam(1e-3, beta_1=0.999, beta_2=0.9))


def no_epsilon() -> Program:
    return trained_with(embedded_text, keras.optimizers.Adam(1e-3, epsilon=0.0), epochs=3)


def epsilon_of_ten() -> Program:
    return trained_with(four_layers_tanh, keras.optimizers.RMSprop(3e-3, epsilon=10.0))


def epsilon_and_rate_of_a_paper() -> Program:
    return trained_with(four_layers_tanh, keras.optimizers.Adam(0.05, epsilon=0.1), epochs=12)


def clipped_at_every_step() -> Program:
    return trained_with(dense_with_momentum_and_logits, keras.optimizers.SGD(0.3, momentum=0.9, global_clipnorm=1e-4))


def clipped_now_and_then() -> Program:
    return trained_with(dense_with_momentum_and_logits, keras.optimizers.SGD(0.3, momentum=0.9, global_clipnorm=1.0))


def gone_after_one_epoch() -> Program:
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=5, decay_rate=0.5)
    return trained_with(dense_on_pixels, keras.optimizers.Adam(rate))


def tenth_every_epoch() -> Program:
    falling = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.1)
    return trained_with(dense_on_pixels, keras.optimizers.Adam(1e-3), callbacks=[falling], epochs=10)


def cosine_for_half_an_epoch() -> Program:
    rate = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=20)
    return trained_with(four_layers_tanh, keras.optimizers.SGD(rate))


def cosine_to_the_end() -> Program:
    rate = keras.optimizers.schedules.CosineDecay(0.0, decay_steps=350, warmup_target=3e-3, warmup_steps=30)
    return trained_with(dense_on_pixels, keras.optimizers.Adam(rate))


def rate_reduced_on_plateaus() -> Program:
    plateau = keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.3)
    return trained_with(binary_cancer, keras.optimizers.Adam(0.01), callbacks=[plateau], epochs=30)


def nesterov() -> Program:
    return trained_with(eight_layers_he, keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True))


def convex_at_one() -> Program:
    return trained_with(softmax_regression, keras.optimizers.SGD(1.0))


def tuned_further() -> Program:
    """Return a model that was trained before, with a rate for fine-tuning."""
    hidden = layers.Dense(64, activation="relu")
    model = sequential((64,), hidden, layers.Dense(10, activation="softmax"))
    first = compiled(model, PIXELS, DIGITS.target)
    model.fit(PIXELS, DIGITS.target, epochs=12, verbose=0)
    return trained_with(lambda: first, keras.optimizers.Adam(1e-5), epochs=4)


PAIRS = [
    Pair("opt.learning-rate", cnn_at_a_tenth, cnn_with_dropout),
    Pair("opt.learning-rate", lstm_at_one, lstm_on_sums),
    Pair("opt.learning-rate", text_at_one, embedded_text),
    Pair("opt.learning-rate", attention_at_a_tenth, attention),
    Pair("opt.learning-rate", eight_layers_at_a_tenth, nesterov),
    Pair("opt.learning-rate", autoencoder_at_one, autoencoder),
    Pair("opt.learning-rate", regression_at_one, regression_on_diabetes),
    Pair("opt.learning-rate", labels_at_one, multi_label),
    Pair("opt.learning-rate", iris_at_ten, small_iris),
    Pair("opt.learning-rate", cancer_at_a_millionth, binary_cancer),
    Pair("opt.learning-rate", regression_at_a_millionth, regression_on_diabetes),
    Pair("opt.learning-rate", lstm_at_a_hundred_thousandth, lstm_on_sums),
    Pair("opt.learning-rate", text_by_slow_descent, embedded_text),
    Pair("opt.learning-rate", two_outputs_at_a_millionth, two_outputs),
    Pair("opt.learning-rate", cnn_at_a_hundred_thousandth, tuned_further),
    Pair("opt.optimizer", average_of_the_first_weights, average_of_the_last_weights),
    Pair("opt.learning-rate", uphill, convex_at_one),
    Pair("opt.optimizer", momentum_that_never_ends, dense_with_momentum_and_logits),
    Pair("opt.optimizer", betas_swapped, dense_on_pixels, "warn"),
    Pair("opt.optimizer", no_epsilon, embedded_text),
    Pair("opt.optimizer", epsilon_of_ten, epsilon_and_rate_of_a_paper),
    Pair("opt.optimizer", clipped_at_every_step, clipped_now_and_then),
    Pair("opt.schedule", gone_after_one_epoch, cosine_to_the_end),
    Pair("opt.schedule", tenth_every_epoch, rate_reduced_on_plateaus),
    Pair("opt.schedule", cosine_for_half_an_epoch, four_layers_tanh),
]
