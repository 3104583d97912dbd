"""Advantages of a rollout, and what is computed from them.

Legend: `T` steps, `N` environments; time-major.
"""

from typing import NamedTuple

import tensorflow as tf

from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.reward_normalizer import RewardNormalizer
from paac_cli.learning.rollout_memory import RolloutBatch


class Estimates(NamedTuple):
    """Of all `N` environments, also of those of other processes."""

    advantage: tf.Tensor  #: [T, N] or [T * N] float32
    value: tf.Tensor  #: [T, N] or [T * N] float32, with which the advantage was estimated


class AdvantageEstimator:
    """Estimates the advantages of a rollout from its rewards, which it normalises first if so configured.

    Call it once for each rollout, because it updates the statistics of the rewards.
    """

    def __init__(self, group: ProcessGroup, *, gamma: float, gae_lambda: float, normalize_reward: bool) -> None:
        self._group, self._gamma, self._gae_lambda = group, gamma, gae_lambda
        self._rewards = RewardNormalizer(group.num_envs, gamma, enabled=normalize_reward)
        self.variables = self._rewards.variables  #: the statistics of the rewards

    def __call__(self, rollout: RolloutBatch, value: tf.Tensor, bootstrap: tf.Tensor) -> Estimates:
        """value: V(s_t) of the own environments, [T, n] or [T * n] float32, held constant; bootstrap: [n], V(s_T)."""
        value = tf.reshape(value, rollout.reward.shape)
        reward, terminated, truncated, final_value, value, bootstrap = self._group.gather(
            [rollout.reward, rollout.terminated, rollout.truncated, rollout.final_value, value, bootstrap[tf.newaxis]]
        )
        advantage = advantages(
            reward=self._rewards(reward, terminated | truncated),
            value=value,
            bootstrap=bootstrap[0],
            final_value=final_value,
            terminated=terminated,
            truncated=truncated,
            gamma=self._gamma,
            gae_lambda=self._gae_lambda,
        )
        return Estimates(advantage, value)


def advantages(
    *,
    reward: tf.Tensor,
    value: tf.Tensor,
    bootstrap: tf.Tensor,
    final_value: tf.Tensor,
    terminated: tf.Tensor,
    truncated: tf.Tensor,
    gamma: float,
    gae_lambda: float,
) -> tf.Tensor:
    """Generalised advantage estimates [T, N] (Schulman et al. 2016, arXiv 1506.02438, eq. 16).

        delta_t = r_t + gamma * v_next(t) - V(s_t)
        A_t     = delta_t + gamma * lambda * A_{t+1}      (A_{t+1} = 0 where the episode ended with step t)

        v_next(t) = 0                if the episode terminated with step t
                    V(final obs)     if it was truncated with step t
                    V(s_{t+1})       otherwise

    With lambda = 1, `A_t` is the n-step return minus `V(s_t)`.

    reward:                [T, N] float32, r_t.
    value:                 [T, N] float32, V(s_t).
    bootstrap:             [N] float32, V(s_T).
    final_value:           [T, N] float32, V(final obs); used only where `truncated`.
    terminated, truncated: [T, N] bool, never both.
    """
    next_value = tf.concat([value[1:], bootstrap[tf.newaxis]], axis=0)
    next_value = tf.where(truncated, final_value, next_value)
    next_value = tf.where(terminated, 0.0, next_value)
    delta = reward + gamma * next_value - value
    trace = gamma * gae_lambda * tf.cast(~(terminated | truncated), tf.float32)

    advantage, reversed_result = tf.zeros_like(bootstrap), []
    for t in reversed(range(reward.shape[0])):
        advantage = delta[t] + trace[t] * advantage
        reversed_result.append(advantage)
    return tf.stack(reversed_result[::-1])


def normalized(advantage: tf.Tensor) -> tf.Tensor:
    """Advantages [B], shifted and scaled to mean 0 and standard deviation 1; all 0 if they are equal."""
    scaled = (advantage - tf.reduce_mean(advantage)) / (tf.math.reduce_std(advantage) + 1e-8)
    # The rounding error of the mean of equal values, divided by their deviation, would be noise of order 1.
    spread = tf.reduce_max(advantage) - tf.reduce_min(advantage)
    return tf.where(spread == 0.0, 0.0, scaled)


def explained_variance(advantage: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """`1 - Var(returns - values) / Var(returns)` [] float32.

    1 = the values predict the returns exactly, 0 = no better than a constant, negative = worse.

    advantage: [B], returns minus values; target: [B], returns.
    """
    return 1.0 - tf.math.reduce_variance(advantage) / (tf.math.reduce_variance(target) + 1e-8)
