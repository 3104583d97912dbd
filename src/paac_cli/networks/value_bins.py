"""Values as categorical distributions over bins, learned by cross-entropy with HL-Gauss targets.

Farebrother et al. 2024, arXiv 2403.03950, section 3.1: a target is spread over the bins as a Gaussian around it would
be, and the value is the mean of the predicted distribution.
"""

import math

import tensorflow as tf

from paac_cli.config.algorithms import HlGaussConfig


class ValueBins:
    """`K` bins of equal width between `v_min` and `v_max`."""

    def __init__(self, config: HlGaussConfig) -> None:
        self.num_bins, self._low, self._high = config.num_bins, config.v_min, config.v_max
        width = (self._high - self._low) / self.num_bins
        self._edges = tf.linspace(self._low, self._high, self.num_bins + 1)
        self._centers = (self._edges[:-1] + self._edges[1:]) / 2.0
        self._scale = math.sqrt(2.0) * config.sigma_ratio * width

    def mean(self, logits: tf.Tensor) -> tf.Tensor:
        """The values [...] of the distributions with these logits [..., K]."""
        return tf.linalg.matvec(tf.nn.softmax(logits), self._centers)

    def probabilities(self, value: tf.Tensor) -> tf.Tensor:
        """HL-Gauss: the mass [B, K] in each bin of a Gaussian around `value` [B], cut at the ends of the range.

        A value outside of the range counts as its nearest end.
        """
        inside = tf.clip_by_value(value, self._low, self._high)
        cumulative = tf.math.erf((self._edges - inside[:, None]) / self._scale)  # twice the distribution function, -1
        total = cumulative[:, -1:] - cumulative[:, :1]
        return (cumulative[:, 1:] - cumulative[:, :-1]) / total

    def is_outside(self, value: tf.Tensor) -> tf.Tensor:
        """Which of `value` [B] are outside of the range, [B] bool."""
        return (value < self._low) | (value > self._high)
