"""Agents without processes: a world in which every value is known, and what tests do with an agent in it."""

import numpy as np

from paac_cli.config.load import load_config
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

SPEC = EnvSpec((1,), np.dtype(np.float32), discrete_action(("left", "right")), 30.0)

#: Every algorithm, with what makes it learn a corridor in seconds.
ALGORITHMS = {
    "paac": {"vf_coef": 0.5},
    "ppo": {"num_epochs": 2, "num_minibatches": 2, "vf_coef": 0.5},
    "nstep_q": {"num_epochs": 2, "num_minibatches": 2, "epsilon_anneal_steps": 1000},
    "dqn": {
        "learning_starts": 100,
        "batch_size": 16,
        "steps_per_update": 4,
        "buffer_size": 1000,
        "target_update_steps": 80,
        "epsilon_anneal_steps": 1000,
    },
}


def make_config(name, num_envs=4, seed=1, network=None, **algorithm):
    return load_config(
        {
            "seed": seed,
            "env": {"id": "CartPole-v1"},
            "sampling": {"num_envs": num_envs},
            "algorithm": {"name": name, "learning_rate": 0.01, **algorithm},
            "network": {"torso": "mlp", "hidden_sizes": [16], **(network or {})},
            "training": {"total_steps": 1000},
        },
        "test",
    )


class Corridor:
    """Always looks the same, and pays 1 for every step, whatever is done.

    An episode takes `length` steps and then is cut off or truly ends. The value of a corridor that is
    only ever cut off is that of an endless one.
    """

    def __init__(self, num_envs, num_steps, *, length=5, truncates=True):
        self._length, self._truncates, self._num_steps = length, truncates, num_steps
        self._rollout = Rollout(
            np.ones((num_steps + 1, num_envs, 1), np.float32),
            np.ones((num_steps, num_envs), np.float32),
            np.zeros((num_steps, num_envs), np.bool_),
            np.zeros((num_steps, num_envs), np.bool_),
        )
        self._age = np.arange(num_envs) % length  # ends fall on every place of a rollout, and on its edge
        self._slot = 0

    def step(self):
        self._slot = self._slot % self._num_steps + 1
        self._age += 1
        ended = self._age == self._length
        self._age[ended] = 0
        row = self._slot - 1
        self._rollout.terminated[row] = ended & (not self._truncates)
        self._rollout.truncated[row] = ended & self._truncates
        return self.timestep()

    def timestep(self):
        row = self._slot - 1
        return TimeStep(
            obs=self._rollout.obs[self._slot],
            reward=self._rollout.reward[row],
            terminated=self._rollout.terminated[row],
            truncated=self._rollout.truncated[row],
            final_obs=np.ones_like(self._rollout.obs[0]),
            episodes=np.empty(0, EPISODE_DTYPE),
            slot=self._slot,
            rollout=self._rollout,
        )


def corridor_for(config, **options):
    """A corridor with as many environments and steps as `config` has."""
    return Corridor(config.sampling.num_envs, config.algorithm.rollout_length, **options)


def run(agent, corridor, steps):
    """Act and learn in so many steps of all environments; the metrics of each update, as numbers."""
    step, metrics = corridor.timestep(), []
    for _ in range(steps):
        agent.act(step)
        step = corridor.step()
        found = agent.learn(step)
        if found is not None:
            metrics.append({name: float(value) for name, value in found.items()})
    return metrics


def state_of(agent):
    return {name: array.copy() for part in (agent.policy, agent.learner) for name, array in part.to_arrays().items()}


def set_state(agent, state):
    ours = agent.policy.to_arrays().keys()
    agent.policy.assign({name: array for name, array in state.items() if name in ours})
    agent.learner.assign({name: array for name, array in state.items() if name not in ours})
