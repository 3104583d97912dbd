"""A checkpoint whose environment has changed since is called that."""

import numpy as np
import pytest

from minimal_config import load
from paac_cli.algorithms.agent import make_agent
from paac_cli.errors import CheckpointError
from paac_cli.spec import ActionSpec, EnvSpec, discrete_action

DISCRETE, CONTINUOUS = discrete_action(("a", "b")), ActionSpec((2,), ())


def spec(obs_shape, action):
    return EnvSpec(obs_shape, np.dtype(np.float32), action, 30.0)


@pytest.mark.parametrize("algorithm", ["paac", "ppo", "nstep_q", "dqn"])
@pytest.mark.parametrize(
    ("torso", "before", "after"),
    [
        ("mlp", (4,), (5,)),
        ("mlp", (2, 3), (3, 3)),
        ("nature", (84, 84, 4), (84, 84, 3)),
        ("nature", (84, 84, 4), (96, 84, 4)),
    ],
)
def test_other_observations_are_named(algorithm, torso, before, after):
    config = load(algorithm={"name": algorithm}, network={"torso": torso}, sampling__num_envs=8)
    policy = make_agent(config, spec(before, DISCRETE)).policy.to_arrays()
    make_agent(config, spec(before, DISCRETE), policy)
    with pytest.raises(CheckpointError) as caught:
        make_agent(config, spec(after, DISCRETE), policy)
    assert str(caught.value).startswith("the environment's observations have another shape than when the checkpoint")


@pytest.mark.parametrize("algorithm", ["paac", "ppo", "nstep_q", "dqn"])
def test_other_actions_are_named(algorithm):
    config = load(algorithm={"name": algorithm}, sampling__num_envs=8)
    policy = make_agent(config, spec((4,), DISCRETE)).policy.to_arrays()
    with pytest.raises(CheckpointError, match="the environment has other actions than when the checkpoint was saved"):
        make_agent(config, spec((4,), discrete_action(("a", "b", "c"))), policy)


def test_other_continuous_actions_are_named():
    policy = make_agent(load(), spec((4,), CONTINUOUS)).policy.to_arrays()
    with pytest.raises(CheckpointError, match="the environment has other actions than when the checkpoint was saved"):
        make_agent(load(), spec((4,), ActionSpec((3,), ())), policy)


@pytest.mark.parametrize("sizes", [[64, 32], [32, 64], [64], [64, 64, 64]])
def test_another_network_is_not_called_another_environment(sizes):
    policy = make_agent(load(), spec((4,), DISCRETE)).policy.to_arrays()
    with pytest.raises(CheckpointError, match=r"^the checkpoint does not fit its config: "):
        agent = make_agent(load(network={"torso": "mlp", "hidden_sizes": sizes}), spec((4,), DISCRETE), policy)
        agent.policy.assign(policy)
