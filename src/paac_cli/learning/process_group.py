"""The processes that train one run together: each plays a share of the environments, and all have the same weights.

What is small is gathered once per rollout: rewards, values and ends of episodes of all environments. From these every
process computes returns, advantages and statistics as a single process would. What is large stays where it is: each
process applies the network only to observations of its own environments, and the gradients are averaged.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from paac_cli.networks.normalizer import Moments, moments_of

#: The element-wise sum of a vector [K] over all processes, the same bits in each. In a graph or outside.
Sum = Callable[[tf.Tensor], tf.Tensor]


class OwnRows(NamedTuple):
    """Which of `B` rows of a rollout belong to environments of this process."""

    local: tf.Tensor  #: [b], their indices among the rows [T * n] of this process; never empty
    share: tf.Tensor | float  #: [], b / B; 0 if this process owns no row, and then these are ignored
    positions: tf.Tensor | None  #: [b], their indices among the `B` rows; None: all of them

    def of(self, array: tf.Tensor) -> tf.Tensor:
        """The own rows of `array` [B, ...]."""
        return array if self.positions is None else tf.gather(array, self.positions)


class ProcessGroup:
    """A group in which this process has the environments `envs` of `num_envs` (N). By default it is alone.

    For a process that is alone, every method returns its arguments or what is computed from them directly.
    """

    def __init__(self, num_envs: int, envs: range | None = None, total: Sum | None = None) -> None:
        """envs, total: only if there are other processes, which have the other environments."""
        assert (envs is None) == (total is None)
        self.num_envs, self.envs = num_envs, range(num_envs) if envs is None else envs
        self._total = total

    def count(self, rows: int) -> int:
        """The number of rows of all processes, where this one has `rows`: one for each environment that acts."""
        return rows if self._total is None else self.num_envs

    def gather(self, arrays: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Each of `arrays` [T, n, ...] for all environments: [T, N, ...]. Without gradients.

        Their numbers must fit float32.
        """
        if self._total is None:
            return list(arrays)
        parts = [self._padded(tf.cast(array, tf.float32), axis=1) for array in arrays]
        summed = self._sum(parts)
        return [tf.cast(whole, array.dtype) for whole, array in zip(summed, arrays, strict=True)]

    def own_envs(self, array: tf.Tensor) -> tf.Tensor:
        """The part [T, n, ...] of `array` [T, N, ...]."""
        return array if self._total is None else array[:, self.envs.start : self.envs.stop]

    def own_rows(self, rows: tf.Tensor, at_least: int = 1) -> OwnRows:
        """Which of `rows` [B], indices into the rows [T * N] of a rollout, are those of this process, in their order.

        at_least: number of placeholder rows if this process owns none.
        """
        if self._total is None:
            return OwnRows(rows, 1.0, None)
        t, env = rows // self.num_envs, rows % self.num_envs
        positions = tf.where((env >= self.envs.start) & (env < self.envs.stop))[:, 0]
        local = tf.gather(t * len(self.envs) + env - self.envs.start, positions)
        share = tf.shape(positions)[0] / tf.shape(rows)[0]
        # Convolutions fail without any row. A share of 0 discards what is computed from these.
        missing = tf.where(tf.shape(positions)[0] == 0, at_least, 0)
        local = tf.concat([local, tf.zeros([missing], local.dtype)], axis=0)
        positions = tf.concat([positions, tf.zeros([missing], positions.dtype)], axis=0)
        return OwnRows(local, share, positions)

    def average(self, means: Sequence[tf.Tensor], share: tf.Tensor | float) -> list[tf.Tensor]:
        """Means over all rows, from the means over the own rows, which are a `share` [] of them. Any shapes."""
        if self._total is None:
            return list(means)
        share = tf.cast(share, tf.float32)
        return self._sum([tf.where(share > 0.0, mean * share, tf.zeros_like(mean)) for mean in means])

    def moments(self, batch: tf.Tensor) -> Moments:
        """Of the rows of all processes. batch: [b, ...] float32, the own rows."""
        if self._total is None:
            return moments_of(batch)
        count, total = self._sum([tf.cast(tf.shape(batch)[0], tf.float32), tf.reduce_sum(batch, axis=0)])
        mean = total / count
        (squares,) = self._sum([tf.reduce_sum(tf.square(batch - mean), axis=0)])
        return Moments(count, mean, squares / count)

    def sample(self, function: Callable[[tf.Tensor], Any], parameters: tf.Tensor) -> Any:
        """`function(parameters)`, in which the noise of a row depends on its index among the rows of all processes.

        parameters: [n, ...], one row for each own environment. function: draws one sample for each row, independent of
        what other rows hold.
        """
        if self._total is None:
            return function(parameters)
        return function(self._padded(parameters, axis=0))[self.envs.start : self.envs.stop]

    def _padded(self, array: tf.Tensor, axis: int) -> tf.Tensor:
        """`array`, along whose `axis` are the own environments, with zeros for all others."""
        paddings = [[0, 0] for _ in array.shape]
        paddings[axis] = [self.envs.start, self.num_envs - self.envs.stop]
        return tf.pad(array, paddings)

    def _sum(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The sums of float32 tensors over all processes, by one exchange of messages."""
        assert self._total is not None
        total = self._total(tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0))
        parts = tf.split(total, [tf.size(tensor) for tensor in tensors])
        return [tf.reshape(part, tf.shape(tensor)) for part, tensor in zip(parts, tensors, strict=True)]
