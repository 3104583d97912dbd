"""Keeps the matrix products and convolutions that were computed when acting, so that the update can reuse them.

An on-policy update with one pass over its rollout differentiates at the weights that chose the actions, so its forward
pass is that of acting. Reusing the products saves about a quarter of the arithmetic of acting and updating.

    with collecting_products() as products:     # in `act`
        network(obs)
    with reusing_products(products):            # in the update, with the same observations and weights
        network(obs)                            # computes no product; the gradients are those of the full computation
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

_collected: list[tf.Tensor] | None = None
_reused: Iterator[tf.Tensor] | None = None


@contextlib.contextmanager
def collecting_products() -> Iterator[list[tf.Tensor]]:
    """Yields a list to which every `cached_product` in the block appends its output."""
    global _collected
    before, _collected = _collected, []
    try:
        yield _collected
    finally:
        _collected = before


@contextlib.contextmanager
def reusing_products(products: Iterable[tf.Tensor]) -> Iterator[None]:
    """Every `cached_product` in the block returns the next of `products`, which must be exactly as many."""
    global _reused
    before, _reused = _reused, iter(products)
    try:
        yield
        assert next(_reused, None) is None, "more products were collected than reused"
    finally:
        _reused = before


def cached_product(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """`function(*inputs)`, either computed or taken from the products to reuse.

    The gradient of `function` must not need its output, so that reusing the output saves its computation. This is true
    of matrix products, convolutions and biases.
    """
    if _reused is not None:
        product = next(_reused, None)
        assert product is not None, "fewer products were collected than reused"
        return _with_gradient_of(function, product, inputs)
    product = function(*inputs)
    if _collected is not None:
        _collected.append(product)
    return product


def _with_gradient_of(
    function: Callable[..., tf.Tensor], product: tf.Tensor, inputs: tuple[tf.Tensor, ...]
) -> tf.Tensor:
    """The value `product`, with the gradient of `function(*inputs)`."""

    @tf.custom_gradient
    def reused(*inputs: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                computed = function(*inputs)  # only its gradient is used, so TensorFlow prunes this computation
            return tape.gradient(computed, inputs, upstream)

        return tf.identity(product), gradient

    return reused(*inputs)
