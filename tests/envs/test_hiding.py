"""The wrapper that removes elements of observations."""

import gymnasium
import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.hiding import HideElements
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed


def config(*indices, env_id="CartPole-v1"):
    return EnvConfig(id=env_id, wrappers=[{"name": "HideElements", "kwargs": {"indices": list(indices)}}])


def test_the_other_elements_are_left_in_their_order():
    whole, hidden = make_env(EnvConfig(id="CartPole-v1")), make_env(config(3, 1))
    first, second = np.empty(4, np.float32), np.empty(2, np.float32)
    for env, out in ((whole, first), (hidden, second)):
        env.new_game(episode_seed(1, 0, 0), out)
        env.step(np.int32(1), out)
    np.testing.assert_array_equal(second, first[[0, 2]])
    assert describe_env(config(3, 1)).obs_shape == (2,)


def test_the_space_has_the_bounds_of_what_is_left():
    inner = gymnasium.make("CartPole-v1")
    space = HideElements(inner, [1, 3]).observation_space
    np.testing.assert_array_equal(space.high, inner.observation_space.high[[0, 2]])


@pytest.mark.parametrize(
    ("wrapped", "text"),
    [
        (config(4), r"indices must be integers from 0 to 3, not \[4\]"),
        (config(-1), "indices must be integers from 0 to 3"),
        (config(True), "indices must be integers from 0 to 3"),
        (config(0, env_id="FrozenLake-v1"), r"it needs vector observations, not Discrete\(16\)"),
    ],
)
def test_what_cannot_be_removed_is_refused(wrapped, text):
    with pytest.raises(EnvironmentSpecError, match=rf"env\.wrappers\[0\] = 'HideElements' cannot be applied.*{text}"):
        describe_env(wrapped)
