import numpy as np
import tensorflow as tf

from paac_cli.learning.rollout_memory import Acted
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep


def step(slot, envs=slice(None)):
    empty = np.zeros(0)
    rollout = Rollout(empty, empty, empty, empty)
    return TimeStep(empty, empty, empty, empty, empty, np.zeros(0, EPISODE_DTYPE), slot, rollout, envs)


def test_what_acting_computed_comes_back_in_the_order_of_the_rollout():
    whole, halves = Acted(3), Acted(3)
    for beginning in (100, 200):  # the second rollout takes the place of the first; its slot 0 is called 3
        for t in range(3):
            slot = 3 if t == 0 and beginning == 200 else t
            value = tf.range(4.0) + 10.0 * t + beginning
            whole.note(step(slot), [value, -value])
            halves.note(step(slot, slice(0, 2)), [value[:2], -value[:2]])
            halves.note(step(slot, slice(2, 4)), [value[2:], -value[2:]])
    expected = [200 + 10 * t + n for t in range(3) for n in range(4)]
    for acted in (whole, halves):
        one, other = acted.merged()
        assert one.numpy().tolist() == expected
        assert (-other).numpy().tolist() == expected
