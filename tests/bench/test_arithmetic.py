"""Floating-point operations, counted by hand."""

import tensorflow as tf

from paac_cli.bench.arithmetic import flop_so_far, matrix_flop_per_second
from paac_cli.learning.graphs import GraphFunction


def test_products_and_convolutions_are_counted_with_their_gradients_in_every_call():
    kernel, weights = tf.Variable(tf.ones((3, 3, 2, 4))), tf.Variable(tf.ones((36, 5)))
    forward = 2 * (3 * 3 * 2) * (7 * 3 * 3 * 4) + 2 * 36 * (7 * 5)  # 7 images of 5x5 pixels

    def loss(images: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.conv2d(images, kernel, strides=1, padding="VALID")
        return tf.reduce_sum(tf.matmul(tf.reshape(hidden, [7, 36]), weights))

    def gradient(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            result = loss(images)
        return tape.gradient(result, [images, kernel, weights])

    functions = [GraphFunction(loss), GraphFunction(gradient)]
    for _ in range(3):
        functions[0](tf.ones((7, 5, 5, 2)))
    assert flop_so_far(functions) == 3 * forward
    functions[1](tf.ones((7, 5, 5, 2)))
    # Two gradients of each product. The product itself is not executed for them, because its value is not needed.
    backward = 2 * 2 * (3 * 3 * 2) * (7 * 3 * 3 * 4) + 2 * 2 * 36 * (7 * 5)
    needed_again = 2 * (3 * 3 * 2) * (7 * 3 * 3 * 4)  # the hidden images, for the gradient of `weights`
    assert flop_so_far(functions) == 3 * forward + backward + needed_again


def test_the_speed_of_a_matrix_product_is_plausible():
    assert 1e8 < matrix_flop_per_second(tf.float32) < 1e15
