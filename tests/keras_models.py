"""Keras models that a user may write as torsos, and functions that do not build a torso."""

import keras
import tensorflow as tf


def name_of(function):
    """The `module:function` that selects this function as a torso."""
    return f"{function.__module__}:{function.__name__}"


def dense(obs_shape):
    """Has every kind of layer with state."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(obs_shape),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(8, activation="tanh"),
        ]
    )


def feature_maps(obs_shape):
    """A functional model whose output is not flattened."""
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.layers.Conv2D(5, 3, activation="relu")(inputs))


class Subclassed(keras.Model):
    """Built at its first call; also draws from Keras's global generator."""

    def __init__(self, obs_shape):
        super().__init__()
        self.flat = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(7)
        self.offset = self.add_weight(shape=(7,), initializer=lambda shape, dtype: keras.random.normal(shape))

    def call(self, inputs):
        return self.hidden(self.flat(inputs)) + self.offset


def identity(obs_shape):
    return keras.Sequential([keras.Input(obs_shape), keras.layers.Flatten()])


def frozen(obs_shape):
    model = dense(obs_shape)
    model.layers[1].trainable = False
    return model


not_callable = 3


def nothing(obs_shape):
    pass


def only_a_layer(obs_shape):
    return keras.layers.Dense(3)


def two_outputs(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, [inputs, inputs])


def one_number(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.ops.mean(inputs, axis=tuple(range(1, 1 + len(obs_shape)))))


def one_batch(obs_shape):
    inputs = keras.Input(obs_shape)
    return keras.Model(inputs, keras.ops.sum(inputs, axis=0, keepdims=True))


def another_shape(obs_shape):
    return keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten()])


def failing(obs_shape):
    raise RuntimeError("no such thing")


class PlainVariable(keras.Model):
    """Keras does not track a `tf.Variable`."""

    def __init__(self, obs_shape):
        super().__init__()
        self.kernel = tf.Variable(tf.ones([obs_shape[0], 4]), name="my_kernel")

    def call(self, inputs):
        return inputs @ self.kernel


def captured_layer(obs_shape):
    hidden = keras.layers.Dense(4, name="captured")
    return keras.Sequential([keras.Input(obs_shape), keras.layers.Lambda(lambda inputs: hidden(inputs))])
