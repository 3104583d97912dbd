"""Optimisers. RMSProp and Adam use TensorFlow's fused kernels.

Keras's optimisers are not used, because its RMSProp cannot start the mean square at 1, as the authors' code of PAAC
does. A slot is named after its variable, e.g. `rmsprop/mean_square/policy/kernel`; checkpoints use these names.

In the equations, `g` is the gradient of a variable `x`, `lr` the learning rate, and `t` = 1, 2, ... counts the updates.
"""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from paac_cli.config.optimizers import AdamConfig, OptimizerConfig, RAdamConfig, RmsPropConfig
from paac_cli.learning.graphs import call_if
from paac_cli.learning.process_group import ProcessGroup


def _slots(variables: Sequence[tf.Variable], name: str, initial: float) -> list[tf.Variable]:
    return [
        tf.Variable(tf.fill(v.shape, initial), trainable=False, name=f"{name}/{v.name.removesuffix(':0')}")
        for v in variables
    ]


class RmsProp:
    """RMSProp (Tieleman and Hinton 2012) with epsilon inside the root, as in TensorFlow 1.

    s <- decay * s + (1 - decay) * g^2
    m <- momentum * m + lr * g / sqrt(s + epsilon)
    x <- x - m
    """

    def __init__(self, config: RmsPropConfig, variables: Sequence[tf.Variable]) -> None:
        self._config = config
        self._variables = variables
        self._mean_squares = _slots(variables, "rmsprop/mean_square", config.initial_mean_square)
        self._momenta = _slots(variables, "rmsprop/momentum", 0.0)
        # With momentum 0, `m` does not depend on its previous value, so checkpoints need not contain it.
        self.slots = [*self._mean_squares, *(self._momenta if config.momentum else ())]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Update the variables in place. gradients: in the order of the variables."""
        slots = zip(self._variables, self._mean_squares, self._momenta, gradients, strict=True)
        for variable, mean_square, momentum, gradient in slots:
            tf.raw_ops.ResourceApplyRMSProp(
                var=variable.handle,
                ms=mean_square.handle,
                mom=momentum.handle,
                lr=learning_rate,
                rho=self._config.decay,
                momentum=self._config.momentum,
                epsilon=self._config.epsilon,
                grad=gradient,
            )


class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, section 2) with epsilon outside the root ("epsilon hat").

    m <- beta_1 * m + (1 - beta_1) * g
    v <- beta_2 * v + (1 - beta_2) * g^2
    x <- x - lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
    """

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

    m <- beta_1 * m + (1 - beta_1) * g
    v <- beta_2 * v + (1 - beta_2) * g^2
    x <- x - lr * m / (1 - beta_1^t) * ( r / (sqrt(v / (1 - beta_2^t)) + epsilon) if rho > 5, else 1 )

    rho = rho_inf - 2 * t * beta_2^t / (1 - beta_2^t),   rho_inf = 2 / (1 - beta_2) - 1
    r   = sqrt( (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho) )

    The threshold of 5 is that of the authors' code; in the paper it is 4.
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
        rho_inf = 2.0 / (1.0 - beta_2) - 1.0
        rho = rho_inf - 2.0 * t * power_2 / (1.0 - power_2)
        squared = (rho - 4.0) * (rho - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho)
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
    """The optimiser that `config` describes, with slots for `variables`."""
    if isinstance(config, RmsPropConfig):
        return RmsProp(config, variables)
    return Adam(config, variables) if isinstance(config, AdamConfig) else RAdam(config, variables)


class CheckedOptimizer:
    """Clips gradients, and applies none from the first loss or gradient norm on that is not finite.

    Weights and slots then keep their last finite values, and every later step returns NaN. So the gradient norm of the
    last minibatch shows whether any minibatch was bad.
    """

    def __init__(
        self, config: OptimizerConfig, weights: Sequence[tf.Variable], max_grad_norm: float, group: ProcessGroup
    ) -> None:
        """max_grad_norm: the largest global norm of the gradients that are applied."""
        self._weights, self._max_grad_norm, self._group = weights, max_grad_norm, group
        self._optimizer = make_optimizer(config, weights)
        self._all_finite = tf.Variable(True, trainable=False, name="all_finite")  # all losses and norms so far
        self.slots = self._optimizer.slots

    def step(
        self,
        tape: tf.GradientTape,
        loss: tf.Tensor,
        learning_rate: tf.Tensor,
        metrics: Mapping[str, tf.Tensor],
        share: tf.Tensor | float = 1.0,
    ) -> dict[str, tf.Tensor]:
        """Update the weights. Returns `metrics`, the learning rate, and the norm of the gradient before clipping.

        The norm is NaN if nothing was updated. The gradient of a weight on which the loss does not depend is 0.

        loss, metrics: [], means over the own rows of the batch. share: [], of the batch that these rows are.
        """
        gradients = tape.gradient(loss, self._weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        loss, *averages = self._group.average([loss, *metrics.values(), *gradients], share)
        values, gradients = averages[: len(metrics)], averages[len(metrics) :]
        gradients, norm = tf.clip_by_global_norm(gradients, self._max_grad_norm)
        all_finite = self._all_finite & tf.math.is_finite(loss) & tf.math.is_finite(norm)
        self._all_finite.assign(all_finite)
        call_if(all_finite, lambda: self._optimizer.apply(gradients, learning_rate))
        return {
            **dict(zip(metrics, values, strict=True)),
            "train/grad_norm": tf.where(all_finite, norm, math.nan),
            "train/learning_rate": learning_rate,
        }
