"""What on-policy algorithms do with a rollout, whatever they learn from it."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from paac_cli.learning.aliases import TensorAliases
from paac_cli.timestep import TimeStep

OBSERVED_EVERY = (
    8  #: of the screens that are seen one in so many goes into running statistics: neighbours are much alike
)


class FinalValues:
    """What the last observations of cut-off episodes were worth, which no later step shows."""

    def __init__(self, num_steps: int, num_envs: int, value: Callable[[tf.Tensor], tf.Tensor]) -> None:
        """value: observations [N, ...] -> [N]."""
        self.values = np.zeros((num_steps, num_envs), np.float32)  #: [T, N]; counts only where `truncated`
        self._value = tf.function(value)
        self._tensor = TensorAliases()

    def note(self, step: TimeStep) -> None:
        """To be called at every step: `final_obs` is overwritten at the next. Waits for the device if there is one."""
        if step.truncated.any():
            self.values[step.slot - 1] = self._value(self._tensor(step.final_obs)).numpy()


class Acted:
    """What acting computed at the steps of a rollout, for the update: tensors, which stay on the device."""

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self._of: dict[tuple[int, int], Sequence[tf.Tensor]] = {}  # (t, first environment) -> each [N, ...]

    def note(self, step: TimeStep, tensors: Sequence[tf.Tensor]) -> None:
        """What was computed for `step`, of all environments or of some."""
        self._of[step.slot % self._num_steps, step.envs.start or 0] = tensors

    def merged(self) -> list[tf.Tensor]:
        """Each of the tensors over the whole rollout, [T * N, ...]."""
        in_order = [self._of.pop(place) for place in sorted(self._of)]  # or they would be there twice during the update
        return [tf.concat(parts, axis=0) for parts in zip(*in_order, strict=True)]


def merged(array: tf.Tensor) -> tf.Tensor:
    """[T, N, ...] -> [T * N, ...]"""
    return tf.reshape(array, [-1, *array.shape[2:]])
