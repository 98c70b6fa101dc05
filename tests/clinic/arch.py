"""Programs with a fault in the model itself, in its first weights, or in what was recorded; each beside a sound one."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from sklearn import datasets

from tests.clinic.healthy import (
    DIGITS,
    IMAGES,
    PIXELS,
    Program,
    autoencoder,
    cnn_with_batch_normalization,
    compiled,
    dense_on_pixels,
    relu,
    sequential,
    softmax,
    standard,
    tanh_wine,
)
from tests.clinic.pair import Pair

CANCER, DIABETES = datasets.load_breast_cancer(), datasets.load_diabetes()
HE = "he_normal"


def normal(spread: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=spread)


def digits(*hidden: keras.Layer, x=PIXELS, **settings) -> Program:
    """Return a dense classifier of digits with these hidden layers."""
    return compiled(sequential((64,), *hidden, softmax()), x, DIGITS.target, **settings)


def images(*stack: keras.Layer, x=IMAGES, shape=(8, 8, 1), **settings) -> Program:
    return compiled(sequential(shape, *stack, softmax()), x, DIGITS.target, **settings)


def circles() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.make_circles(1500, noise=0.08, factor=0.5, random_state=0)
    return standard(x), y


# arch.frozen


def every_layer_frozen() -> Program:
    model = sequential((64,), relu(), softmax())
    model.trainable = False
    return compiled(model, PIXELS, DIGITS.target)


def rounded_on_the_way() -> Program:
    inputs = keras.Input((10,))
    hidden = layers.Lambda(lambda x: keras.ops.cast(keras.ops.cast(x, "int32"), "float32"))(relu(32)(inputs))
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    return compiled(model, standard(DIABETES.data), standard(DIABETES.target[:, None]), loss="mse")


def output_alone_trained() -> Program:
    hidden = [relu(trainable=False), relu(trainable=False), relu(trainable=False)]
    return digits(*hidden)


def classes_cut_by_argmax() -> Program:
    inputs = keras.Input((30,))
    best = layers.Lambda(lambda x: keras.ops.cast(keras.ops.argmax(x, axis=-1, keepdims=True), "float32"))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(best(relu(16)(inputs))))
    return compiled(model, standard(CANCER.data), CANCER.target, loss="binary_crossentropy")


def frozen_after_training() -> Program:
    """Two layers learned to tell odd digits, and are reused for all ten."""
    base = keras.Sequential([keras.Input((64,)), relu(64), relu(32), layers.Dense(1, activation="sigmoid")])
    base.compile("adam", "binary_crossentropy")
    base.fit(PIXELS, DIGITS.target % 2, epochs=5, verbose=0)
    for layer in base.layers[:2]:
        layer.trainable = False
    model = keras.Model(base.inputs, softmax()(relu(32)(base.layers[1].output)))
    return compiled(model, PIXELS, DIGITS.target)


def frozen_model_inside() -> Program:
    base = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()])
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, softmax()(relu()(base(inputs, training=False))))
    return compiled(model, IMAGES, DIGITS.target)


# arch.capacity


def activations_forgotten() -> Program:
    x, y = circles()
    model = sequential((2,), layers.Dense(32), layers.Dense(16), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, keras.optimizers.Adam(0.01), "binary_crossentropy")


def activations_remembered() -> Program:
    x, y = circles()
    model = sequential((2,), relu(32), relu(16), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, y, keras.optimizers.Adam(0.01), "binary_crossentropy")


def linear_layers_of_any_width() -> Program:
    return digits(layers.Dense(32), layers.Dense(48))


def bent_layers_of_any_width() -> Program:
    return digits(relu(32), relu(48))


def linear_convolutions() -> Program:
    return images(layers.Conv2D(16, 3), layers.Conv2D(16, 3), layers.Flatten(), layers.Dense(32))


def convolutions_with_layers_between() -> Program:
    blocks = [layers.Conv2D(16, 3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(16, 3), layers.ReLU()]
    return images(*blocks, layers.Flatten(), layers.Dense(32), layers.Activation("relu"))


def linear_regression_in_three_layers() -> Program:
    model = sequential((10,), layers.Dense(64), layers.Dropout(0.1), layers.Dense(32), layers.Dense(1))
    return compiled(model, standard(DIABETES.data), standard(DIABETES.target[:, None]), loss="mse", epochs=20)


def one_hidden_unit() -> Program:
    return digits(relu(), layers.Dense(1, activation="tanh"), epochs=12)


def two_hidden_units() -> Program:
    return digits(relu(), layers.Dense(2, activation="sigmoid"), relu(), epochs=12)


def principal_components() -> Program:
    model = sequential((64,), layers.Dense(8), layers.Dense(64))
    return compiled(model, PIXELS, PIXELS, loss="mse", epochs=10)


# arch.dimensions


def softmax_over_samples() -> Program:
    model = sequential((64,), relu(), layers.Dense(10), layers.Softmax(axis=0))
    return compiled(model, PIXELS, DIGITS.target)


def softmax_over_classes() -> Program:
    model = sequential((64,), relu(), layers.Dense(10), layers.Softmax())
    return compiled(model, PIXELS, DIGITS.target)


def gated(axis: int) -> Program:
    inputs = keras.Input((64,))
    hidden = relu()(inputs)
    model = keras.Model(inputs, softmax()(hidden * keras.ops.softmax(layers.Dense(64)(hidden), axis=axis)))
    return compiled(model, PIXELS, DIGITS.target, keras.optimizers.Adam(5e-3))


def gated_over_samples() -> Program:
    return gated(0)


def gated_over_features() -> Program:
    return gated(-1)


def channels_in_front() -> Program:
    stack = [layers.Conv2D(16, 3, padding="same", activation="relu"), layers.Flatten(), relu()]
    return images(*stack, x=np.moveaxis(IMAGES, -1, 1), shape=(1, 8, 8))


def channels_behind() -> Program:
    return images(layers.Conv2D(16, 3, padding="same", activation="relu"), layers.Flatten(), relu())


def rows_normalized() -> Program:
    return images(layers.Conv2D(16, 3), layers.BatchNormalization(axis=1), layers.ReLU(), layers.Flatten(), epochs=12)


def stretches_normalized_along(axis) -> Program:
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(1200, 24, 1)) + rng.uniform(-1, 1, (1200, 1, 1))).astype("float32")
    rising = x[:, 12:, 0].mean(axis=1) > x[:, :12, 0].mean(axis=1)
    stack = [layers.LayerNormalization(axis=axis), layers.Conv1D(16, 5, activation="relu"), layers.Flatten()]
    model = sequential((24, 1), *stack, layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, rising.astype("float32"), loss="binary_crossentropy")


def single_values_normalized() -> Program:
    return stretches_normalized_along(-1)


def whole_stretches_normalized() -> Program:
    return stretches_normalized_along([1, 2])


# arch.pretrained


def backbone(**settings) -> Program:
    base = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    for name, value in settings.items():
        setattr(base, name, value)
    inputs = keras.Input((8, 8, 1))
    x = layers.Concatenate()([layers.UpSampling2D(4)(inputs)] * 3)
    model = keras.Model(inputs, softmax()(base(layers.Rescaling(2.0, -1.0)(x), training=False)))
    return compiled(model, IMAGES[:600], DIGITS.target[:600], epochs=1)


def frozen_backbone_without_weights() -> Program:
    return backbone(trainable=False)


def thawed_backbone_without_weights() -> Program:
    return backbone()


# arch.dropout-batchnorm, arch.bells-and-whistles, arch.batchnorm-deep


def dropout_first() -> Program:
    return digits(relu(), layers.Dropout(0.3), layers.BatchNormalization(), epochs=12)


def dropout_last() -> Program:
    return digits(layers.Dense(64), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3), epochs=12)


def a_little_of_everything() -> Program:
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 600)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
    return digits(layers.GaussianNoise(0.05), relu(128), layers.Dropout(0.2), optimizer=optimizer, epochs=12)


def stacked(depth: int, between=None, activation="relu", optimizer="adam", **settings) -> Program:
    hidden = []
    for _ in range(depth):
        hidden += [layers.Dense(64, **settings), *([between()] if between else []), layers.Activation(activation)]
    return digits(*hidden, x=standard(DIGITS.data), optimizer=optimizer)


def sixteen_relu_layers() -> Program:
    return stacked(16)


def eighteen_lecun_layers() -> Program:
    return stacked(18, kernel_initializer="lecun_normal", optimizer="rmsprop")


def sixteen_normalized_layers() -> Program:
    return stacked(16, between=layers.BatchNormalization)


def twelve_he_layers() -> Program:
    return stacked(12, kernel_initializer=HE, optimizer=keras.optimizers.Adam(5e-4))


# init.*


def constant_hidden_kernels() -> Program:
    same = {"kernel_initializer": keras.initializers.Constant(0.02)}
    model = sequential((30,), relu(16, **same), relu(8, **same), layers.Dense(1, activation="sigmoid"))
    return compiled(model, standard(CANCER.data), CANCER.target, loss="binary_crossentropy")


def zero_filters() -> Program:
    zero = layers.Conv2D(16, 3, activation="relu", kernel_initializer="zeros")
    return images(layers.Conv2D(8, 3, activation="relu"), zero, layers.Flatten())


def zero_lstm() -> Program:
    x = np.random.default_rng(0).normal(size=(1200, 20, 3)).astype("float32")
    model = sequential((20, 3), layers.LSTM(32, kernel_initializer="zeros"), layers.Dense(1, activation="sigmoid"))
    return compiled(model, x, (x[:, :, 0].sum(axis=1) > 0).astype("float32"), loss="binary_crossentropy")


def zero_residual_branches() -> Program:
    inputs = keras.Input((64,))
    x = relu()(inputs)
    for _ in range(3):
        x = layers.Add()([x, layers.Dense(64, kernel_initializer="zeros")(relu()(x))])
    return compiled(keras.Model(inputs, softmax()(x)), PIXELS, DIGITS.target)


def zero_output() -> Program:
    return compiled(sequential((64,), relu(), softmax(kernel_initializer="zeros")), PIXELS, DIGITS.target)


def shrinking_signal() -> Program:
    return digits(*[relu(kernel_initializer=normal(0.01)) for _ in range(6)], x=standard(DIGITS.data))


def growing_signal() -> Program:
    return digits(*[relu(kernel_initializer=normal(0.6)) for _ in range(6)], x=standard(DIGITS.data))


def shrinking_tanh() -> Program:
    tiny = keras.initializers.RandomUniform(-0.01, 0.01)
    hidden = [layers.Dense(32, activation="tanh", kernel_initializer=tiny.clone()) for _ in range(5)]
    model = sequential((13,), *hidden, softmax(3))
    data = datasets.load_wine()
    return compiled(model, standard(data.data), data.target, epochs=20)


def one_wild_layer() -> Program:
    hidden = [relu(), relu(kernel_initializer=normal(2.0)), relu()]
    return digits(*hidden, x=standard(DIGITS.data))


def one_silent_layer() -> Program:
    hidden = [relu(), relu(kernel_initializer=normal(1e-5)), relu()]
    return digits(*hidden, x=standard(DIGITS.data), optimizer=keras.optimizers.SGD(0.05))


def weights_set_by_hand() -> Program:
    program = digits(relu(128), relu(64), x=standard(DIGITS.data))
    rng = np.random.default_rng(0)
    for layer in program[0].layers[:-1]:
        layer.set_weights([rng.normal(size=one.shape) * (one.ndim > 1) for one in layer.get_weights()])
    return program


def three_sound_layers() -> Program:
    return digits(relu(), relu(kernel_initializer=HE), relu(), x=standard(DIGITS.data))


def weights_of_one_sign() -> Program:
    return digits(relu(kernel_initializer=keras.initializers.RandomUniform(0.0, 0.2)), relu())


def filters_of_one_sign() -> Program:
    positive = keras.initializers.RandomUniform(0.0, 0.3)
    convolution = layers.Conv2D(16, 3, activation="relu", kernel_initializer=positive)
    return images(convolution, layers.Flatten(), relu(32))


def heavy_tailed_weights() -> Program:
    program = digits(relu(128), relu(64))
    rng = np.random.default_rng(1)
    kernel, bias = program[0].layers[1].get_weights()
    program[0].layers[1].set_weights([0.02 * rng.standard_t(1.5, kernel.shape), bias])
    return program


# gold.train-test-mode


def convolutions_that_lag() -> Program:
    blocks = [
        layer
        for filters in (16, 32, 32)
        for layer in (
            layers.Conv2D(filters, 3, padding="same"),
            layers.BatchNormalization(momentum=0.999),
            layers.ReLU(),
        )
    ]
    return images(*blocks, layers.GlobalAveragePooling2D(), optimizer=keras.optimizers.Adam(3e-3), epochs=4)


# track.*


class Untold(layers.Layer):
    """A layer that does not say how wide it is."""

    @property
    def units(self) -> int:
        raise RuntimeError("not known before the data is")

    def call(self, x):
        return x


def layer_that_raises() -> Program:
    return digits(relu(), Untold())


PAIRS = [
    Pair("arch.frozen", every_layer_frozen, dense_on_pixels),
    Pair("arch.frozen", rounded_on_the_way, frozen_after_training),
    Pair("arch.frozen", classes_cut_by_argmax, frozen_model_inside),
    Pair("arch.frozen", output_alone_trained, frozen_after_training),
    Pair("arch.capacity", activations_forgotten, activations_remembered),
    Pair("arch.capacity", linear_layers_of_any_width, bent_layers_of_any_width),
    Pair("arch.capacity", linear_convolutions, convolutions_with_layers_between),
    Pair("arch.capacity", linear_regression_in_three_layers, principal_components),
    Pair("arch.capacity", one_hidden_unit, autoencoder),
    Pair("arch.dimensions", softmax_over_samples, softmax_over_classes),
    Pair("arch.dimensions", gated_over_samples, gated_over_features),
    Pair("arch.dimensions", channels_in_front, channels_behind),
    Pair("arch.dimensions", rows_normalized, cnn_with_batch_normalization, "warn"),
    Pair("arch.dimensions", single_values_normalized, whole_stretches_normalized),
    Pair("arch.pretrained", frozen_backbone_without_weights, frozen_after_training),
    Pair("arch.dropout-batchnorm", dropout_first, dropout_last, "warn"),
    Pair("arch.batchnorm-deep", sixteen_relu_layers, sixteen_normalized_layers),
    Pair("arch.batchnorm-deep", eighteen_lecun_layers, twelve_he_layers),
    Pair("init.symmetry", constant_hidden_kernels, zero_output),
    Pair("init.symmetry", zero_filters, zero_residual_branches),
    Pair("init.symmetry", zero_lstm, dense_on_pixels),
    Pair("init.signal-by-depth", shrinking_signal, twelve_he_layers),
    Pair("init.signal-by-depth", growing_signal, three_sound_layers),
    Pair("init.signal-by-depth", shrinking_tanh, tanh_wine),
    Pair("init.weight-variance", one_wild_layer, three_sound_layers),
    Pair("init.weight-variance", one_silent_layer, three_sound_layers),
    Pair("init.weight-variance", weights_set_by_hand, three_sound_layers),
    Pair("init.distributions", weights_of_one_sign, dense_on_pixels),
    Pair("init.distributions", filters_of_one_sign, channels_behind),
    Pair("init.distributions", heavy_tailed_weights, three_sound_layers, "warn"),
    Pair("gold.train-test-mode", convolutions_that_lag, cnn_with_batch_normalization),
    Pair("track.recorded", layer_that_raises, dense_on_pixels, "warn"),
]
