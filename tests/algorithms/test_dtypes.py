"""Observations of unusual dtypes reach the network: TensorFlow lacks many operations for some of them."""

import numpy as np
import pytest

from corridor import SPEC, Corridor, make_config, run
from paac_cli.algorithms.agent import make_agent


class TypedCorridor(Corridor):
    def __init__(self, dtype, num_envs, num_steps):
        super().__init__(num_envs, num_steps)
        self._rollout = self._rollout._replace(obs=self._rollout.obs.astype(dtype))


@pytest.mark.parametrize("dtype", ["int8", "uint16", "uint64", "bool", "float16"])
def test_an_agent_learns_from_observations_of_any_dtype(dtype):
    config = make_config("paac", num_steps=3, gamma=0.0)
    agent = make_agent(config, SPEC._replace(obs_dtype=np.dtype(dtype)))
    metrics = run(agent, TypedCorridor(dtype, 4, 3), 60)
    assert metrics[-1]["train/value_loss"] < metrics[0]["train/value_loss"]
    action, *_ = agent.predict(np.ones((2, 1), dtype), seed=0, step=0, greedy=True)
    assert action.shape == (2,)
