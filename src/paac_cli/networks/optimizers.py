"""Optimisers, on TensorFlow's own fused kernels.

Keras's RMSProp cannot start its mean square at 1, as the paper's does. A slot is named after its
variable: `rmsprop/mean_square/policy/kernel`.
"""

from collections.abc import Sequence

import tensorflow as tf

from paac_cli.config.algorithms import AdamConfig, OptimizerConfig, RmsPropConfig


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
        # Without momentum the kernel writes it before it reads it: no state to be saved.
        self.slots = [*self._mean_squares, *(self._moments if config.momentum else ())]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Change the variables in place. gradients: in the order of the variables."""
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
        """Change the variables in place. gradients: in the order of the variables."""
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


Optimizer = RmsProp | Adam


def make_optimizer(config: OptimizerConfig, variables: Sequence[tf.Variable]) -> Optimizer:
    """The optimiser that `config` names, with slots for `variables`."""
    return RmsProp(config, variables) if isinstance(config, RmsPropConfig) else Adam(config, variables)


def linear_schedule(initial: float, anneal_steps: int, steps: tf.Tensor) -> tf.Tensor:
    """`initial`, falling linearly to 0 over `anneal_steps` (0: constant). steps: [] int64. Returns [] float32."""
    if anneal_steps == 0:
        return tf.constant(initial, tf.float32)
    left = 1.0 - tf.cast(steps, tf.float64) / anneal_steps
    return tf.cast(initial * tf.maximum(left, 0.0), tf.float32)
