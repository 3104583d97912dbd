"""Matrix products and convolutions that acting has computed, for the update to use again.

An on-policy update with a single pass differentiates at the same weights that chose the actions, so its forward
pass repeats the one of acting. Reusing the products saves about a quarter of the arithmetic of both.

    with collecting_products() as products:     # in `act`
        network(obs)
    with reusing_products(products):            # in the update, for the same observations and weights
        network(obs)                            # multiplies nothing; the gradients are those of the full computation
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

_collected: list[tf.Tensor] | None = None
_reused: Iterator[tf.Tensor] | None = None


@contextlib.contextmanager
def collecting_products() -> Iterator[list[tf.Tensor]]:
    """Gives a list, and appends to it the output of every `cached_product` inside, in order."""
    global _collected
    before, _collected = _collected, []
    try:
        yield _collected
    finally:
        _collected = before


@contextlib.contextmanager
def reusing_products(products: Iterable[tf.Tensor]) -> Iterator[None]:
    """Every `cached_product` inside returns the next of `products`. There must be exactly one for each."""
    global _reused
    before, _reused = _reused, iter(products)
    try:
        yield
        assert next(_reused, None) is None, "more products were collected than reused"
    finally:
        _reused = before


def cached_product(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """`function(*inputs)`, computed or reused.

    `function` is linear in each of its inputs, so its gradient does not need its output.
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
                computed = function(*inputs)  # no gradient needs its value, so TensorFlow prunes it from the graph
            return tape.gradient(computed, inputs, upstream)

        return tf.identity(product), gradient

    return reused(*inputs)
