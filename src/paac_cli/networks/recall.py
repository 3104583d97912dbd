"""What acting has computed, kept so that the update need not compute it again.

An on-policy update differentiates at the very weights that chose the actions, so the forward pass over its
rollout is the one that acting has made already: about a quarter of the arithmetic of both.

    with remembering() as outputs:      # while acting
        network(obs)
    with recalling(outputs):            # in the update, on the same observations and weights
        network(obs)                    # nothing is multiplied; gradients are those of the real thing
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

_noted: list[tf.Tensor] | None = None
_known: Iterator[tf.Tensor] | None = None


@contextlib.contextmanager
def remembering() -> Iterator[list[tf.Tensor]]:
    """Fills the list it gives with the output of every `product` inside, in their order."""
    global _noted
    before, _noted = _noted, []
    try:
        yield _noted
    finally:
        _noted = before


@contextlib.contextmanager
def recalling(outputs: Iterable[tf.Tensor]) -> Iterator[None]:
    """Every `product` inside is the next of `outputs`, which must be all of them."""
    global _known
    before, _known = _known, iter(outputs)
    try:
        yield
        assert next(_known, None) is None, "more was remembered than recalled"
    finally:
        _known = before


def product(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """`function(*inputs)`, which is linear in each of them, so that its gradient does not need its output."""
    if _known is not None:
        output = next(_known, None)
        assert output is not None, "less was remembered than recalled"
        return _recalled(function, output, inputs)
    output = function(*inputs)
    if _noted is not None:
        _noted.append(output)
    return output


def _recalled(function: Callable[..., tf.Tensor], output: tf.Tensor, inputs: tuple[tf.Tensor, ...]) -> tf.Tensor:
    @tf.custom_gradient
    def known(*inputs: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                computed = function(*inputs)  # no gradient asks for its value, so the graph leaves it out
            return tape.gradient(computed, inputs, upstream)

        return tf.identity(output), gradient

    return known(*inputs)
