"""Rewards in units of the standard deviation of the discounted return."""

import tensorflow as tf

from paac_cli.networks.normalizer import RunningMoments

_CLIP = 10.0  # as in VecNormalize; the first reward after many zeros could be hundreds of standard deviations


class RewardNormalizer(tf.Module):
    """Divides rewards by the running standard deviation of the discounted return `R_t = gamma * R_{t-1} + r_t`.

    As in Engstrom et al. 2020 (arXiv 2005.12729, section 3) and the VecNormalize of OpenAI baselines, `R` starts
    at 0 in every episode. Gymnasium's NormalizeReward resets it one step earlier, and not at all on truncation.
    """

    def __init__(self, num_envs: int, gamma: float, *, enabled: bool = True) -> None:
        """enabled: if false, rewards are returned unchanged and there are no variables."""
        super().__init__()
        self._gamma, self._enabled = gamma, enabled
        if not enabled:
            return
        self._return = tf.Variable(tf.zeros(num_envs), trainable=False, name="reward_normalizer/return")
        self._moments = RunningMoments((), "reward_normalizer")

    def __call__(self, reward: tf.Tensor, ended: tf.Tensor) -> tf.Tensor:
        """Normalised rewards [T, N] of a rollout, after updating the statistics with its returns.

        reward: [T, N] float32. ended: [T, N] bool, the episode ended with this step.
        """
        self.observe(reward, ended)
        return self.normalize(reward)

    def observe(self, reward: tf.Tensor, ended: tf.Tensor) -> None:
        """Update the statistics with a rollout. Arguments: as of `__call__`."""
        if not self._enabled:
            return
        running, returns = self._return, []
        for t in range(reward.shape[0]):
            running = self._gamma * running + reward[t]
            returns.append(running)
            running = tf.where(ended[t], 0.0, running)
        self._return.assign(running)
        self._moments.update(tf.concat(returns, axis=0))

    def normalize(self, reward: tf.Tensor) -> tf.Tensor:
        """`reward`, of any shape, in units of the standard deviation that was observed so far."""
        return tf.clip_by_value(reward / self._moments.deviation, -_CLIP, _CLIP) if self._enabled else reward
