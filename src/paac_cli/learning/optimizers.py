"""Optimisers on TensorFlow's fused kernels.

Keras's optimisers are not used because its RMSProp cannot start the mean square at 1, as the PAAC paper does.
A slot is named after its variable: `rmsprop/mean_square/policy/kernel`.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from paac_cli.config.optimizers import AdamConfig, OptimizerConfig, RAdamConfig, RmsPropConfig


def _slots(variables: Sequence[tf.Variable], name: str, initial: float) -> list[tf.Variable]:
    return [
        tf.Variable(tf.fill(v.shape, initial), trainable=False, name=f"{name}/{v.name.removesuffix(':0')}")
        for v in variables
    ]


class RmsProp:
    """RMSProp as in TensorFlow 1 (Tieleman and Hinton 2012).

    s <- decay * s + (1 - decay) * g^2;  m <- momentum * m + lr * g / sqrt(s + epsilon);  x <- x - m
    """

    def __init__(self, config: RmsPropConfig, variables: Sequence[tf.Variable]) -> None:
        self._config = config
        self._variables = variables
        self._mean_squares = _slots(variables, "rmsprop/mean_square", config.initial_mean_square)
        self._moments = _slots(variables, "rmsprop/momentum", 0.0)
        # Without momentum the kernel overwrites the moments before it reads them, so they are no state to save.
        self.slots = [*self._mean_squares, *(self._moments if config.momentum else ())]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Update the variables in place. gradients: in the order of the variables."""
        slots = zip(self._variables, self._mean_squares, self._moments, gradients, strict=True)
        for variable, mean_square, moment, gradient in slots:
            tf.raw_ops.ResourceApplyRMSProp(
                var=variable.handle,
                ms=mean_square.handle,
                mom=moment.handle,
                lr=learning_rate,
                rho=self._config.decay,
                momentum=self._config.momentum,
                epsilon=self._config.epsilon,
                grad=gradient,
            )


class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980), epsilon outside the root ("epsilon hat")."""

    def __init__(self, config: AdamConfig, variables: Sequence[tf.Variable]) -> None:
        self._config = config
        self._variables = variables
        self._means = _slots(variables, "adam/mean", 0.0)
        self._mean_squares = _slots(variables, "adam/mean_square", 0.0)
        self._power_1 = tf.Variable(config.beta_1, trainable=False, name="adam/beta_1_power")
        self._power_2 = tf.Variable(config.beta_2, trainable=False, name="adam/beta_2_power")
        self.slots = [*self._means, *self._mean_squares, self._power_1, self._power_2]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Update the variables in place. gradients: in the order of the variables."""
        for variable, mean, mean_square, gradient in zip(
            self._variables, self._means, self._mean_squares, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=mean_square.handle,
                beta1_power=self._power_1,
                beta2_power=self._power_2,
                lr=learning_rate,
                beta1=self._config.beta_1,
                beta2=self._config.beta_2,
                epsilon=self._config.epsilon,
                grad=gradient,
            )
        self._power_1.assign(self._power_1 * self._config.beta_1)
        self._power_2.assign(self._power_2 * self._config.beta_2)


class RAdam:
    """Rectified Adam (Liu et al. 2020, arXiv 1908.03265, algorithm 2).

    The step is divided by the root of the mean square, times a rectification term, once the estimate of the mean
    square rests on enough gradients (rho > 5 as in the authors' code; 4 in the paper). Before, it is `lr * mean`.
    """

    def __init__(self, config: RAdamConfig, variables: Sequence[tf.Variable]) -> None:
        self._config = config
        self._variables = variables
        self._means = _slots(variables, "radam/mean", 0.0)
        self._mean_squares = _slots(variables, "radam/mean_square", 0.0)
        self._updates = tf.Variable(0, trainable=False, dtype=tf.int64, name="radam/updates")
        self.slots = [*self._means, *self._mean_squares, self._updates]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Update the variables in place. gradients: in the order of the variables."""
        beta_1, beta_2, epsilon = self._config.beta_1, self._config.beta_2, self._config.epsilon
        t = tf.cast(self._updates.assign_add(1), tf.float64)
        power_1, power_2 = beta_1**t, beta_2**t
        limit = 2.0 / (1.0 - beta_2) - 1.0
        rho = limit - 2.0 * t * power_2 / (1.0 - power_2)
        squared = (rho - 4.0) * (rho - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * rho)
        is_rectified = rho > 5.0
        rectification = tf.cast(tf.sqrt(tf.where(is_rectified, squared, 1.0)), tf.float32)
        unbias_1, unbias_2 = (tf.cast(1.0 / (1.0 - power), tf.float32) for power in (power_1, power_2))
        slots = zip(self._variables, self._means, self._mean_squares, gradients, strict=True)
        for variable, mean, mean_square, gradient in slots:
            mean.assign(beta_1 * mean + (1.0 - beta_1) * gradient)
            mean_square.assign(beta_2 * mean_square + (1.0 - beta_2) * tf.square(gradient))
            root = tf.sqrt(mean_square * unbias_2) + epsilon
            variable.assign_sub(
                learning_rate * mean * unbias_1 * tf.where(is_rectified, rectification / root, tf.ones_like(root))
            )


Optimizer = RmsProp | Adam | RAdam


def make_optimizer(config: OptimizerConfig, variables: Sequence[tf.Variable]) -> Optimizer:
    """The optimiser that `config` names, with slots for `variables`."""
    if isinstance(config, RmsPropConfig):
        return RmsProp(config, variables)
    return Adam(config, variables) if isinstance(config, AdamConfig) else RAdam(config, variables)


class CheckedOptimizer:
    """An optimiser that clips gradients and stops for good at the first loss or gradient that is not finite.

    Weights and slots keep their last finite values. A bad minibatch shows in the gradient norm of every later one,
    so it is enough to look at the last.
    """

    def __init__(self, config: OptimizerConfig, weights: Sequence[tf.Variable], max_grad_norm: float) -> None:
        """max_grad_norm: the largest global norm of the gradients that are applied."""
        self._weights, self._max_grad_norm = weights, max_grad_norm
        self._optimizer = make_optimizer(config, weights)
        self._all_finite = tf.Variable(True, trainable=False, name="all_finite")  # of all steps so far
        self.slots = self._optimizer.slots

    def step(self, tape: tf.GradientTape, loss: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
        """Update the weights. Returns the norm [] of the gradient of `loss` [] before clipping; NaN if not applied."""
        gradients, norm = clipped_gradients(tape, loss, self._weights, self._max_grad_norm)
        all_finite = self._all_finite & tf.math.is_finite(loss) & tf.math.is_finite(norm)
        self._all_finite.assign(all_finite)
        tf.cond(all_finite, lambda: self._optimizer.apply(gradients, learning_rate), lambda: None)
        return tf.where(all_finite, norm, math.nan)


def clipped_gradients(
    tape: tf.GradientTape, loss: tf.Tensor, weights: Sequence[tf.Variable], max_norm: float
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of `loss` [] clipped to the global norm `max_norm`, and that norm [] before.

    The gradient of a weight that the loss does not depend on is 0.
    """
    gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    clipped, norm = tf.clip_by_global_norm(gradients, max_norm)
    return clipped, norm
