"""Distributions over actions [B, ...], given the parameters [B, P] of a policy. One class per kind of action space.

`sample` is a pure function of the parameters and `seed` [2] int64. The noise of a row depends on the seed, the row's
index and `B`, but not on the parameters of other rows.
"""

import math
from typing import Protocol

import tensorflow as tf

from paac_cli.spec import ActionSpec


class Distribution(Protocol):
    """A distribution over actions for each row of `parameters` [B, P] float32."""

    num_parameters: int  #: P

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draw actions [B, ...]."""

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """The most probable actions [B, ...]."""

    def log_prob(self, parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """Log-probability [B], or log-density, of `actions` [B, ...]."""

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """Entropy [B] in nats."""


class Categorical:
    """One choice among `A` actions: parameters are logits [B, A]; actions [B] int32."""

    def __init__(self, num_choices: int) -> None:
        self.num_parameters = num_choices

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mode(parameters + _gumbel(tf.shape(parameters), seed))

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.argmax(parameters, axis=-1, output_type=tf.int32)

    def log_prob(self, parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=parameters)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        log_p = tf.nn.log_softmax(parameters)
        return -tf.reduce_sum(tf.exp(log_p) * log_p, axis=-1)


class MultiCategorical:
    """`D` independent choices: parameters are the logits of all choices, concatenated; actions [B, D] int32."""

    def __init__(self, num_choices: tuple[int, ...]) -> None:
        self.num_parameters = sum(num_choices)
        self._choices = [Categorical(number) for number in num_choices]

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.mode(parameters + _gumbel(tf.shape(parameters), seed))

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.stack([choice.mode(logits) for choice, logits in self._split(parameters)], axis=1)

    def log_prob(self, parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        choices = enumerate(self._split(parameters))
        return tf.add_n([choice.log_prob(logits, actions[:, d]) for d, (choice, logits) in choices])

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.add_n([choice.entropy(logits) for choice, logits in self._split(parameters)])

    def _split(self, parameters: tf.Tensor) -> list[tuple[Categorical, tf.Tensor]]:
        logits = tf.split(parameters, [choice.num_parameters for choice in self._choices], axis=1)
        return list(zip(self._choices, logits, strict=True))


class DiagonalGaussian:
    """Continuous actions: parameters are `D` means, then `D` log standard deviations; actions [B, D] float32."""

    def __init__(self, size: int) -> None:
        self.num_parameters = 2 * size

    def sample(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        mean, log_std = tf.split(parameters, 2, axis=1)
        return mean + tf.exp(log_std) * tf.random.stateless_normal(tf.shape(mean), seed, alg="philox")

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.split(parameters, 2, axis=1)[0]

    def log_prob(self, parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        mean, log_std = tf.split(parameters, 2, axis=1)
        standardized = (actions - mean) * tf.exp(-log_std)
        return -tf.reduce_sum(0.5 * tf.square(standardized) + log_std + 0.5 * math.log(2 * math.pi), axis=1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        _, log_std = tf.split(parameters, 2, axis=1)
        return tf.reduce_sum(log_std + 0.5 * math.log(2 * math.pi * math.e), axis=1)


def distribution_over(action: ActionSpec) -> Distribution:
    """The distribution for this action space."""
    if not action.choices:
        return DiagonalGaussian(action.shape[0])
    return Categorical(action.choices[0]) if action.shape == () else MultiCategorical(action.choices)


def _gumbel(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Gumbel noise [*shape]: `argmax(logits + noise)` is a sample from `softmax(logits)` (Gumbel-max trick)."""
    uniform = tf.random.stateless_uniform(shape, seed, minval=1e-20, maxval=1.0, dtype=tf.float32, alg="philox")
    return -tf.math.log(-tf.math.log(uniform))
