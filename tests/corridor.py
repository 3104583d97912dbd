"""A toy environment in which every value is known in closed form, and helpers that run an agent in it.

No processes and no shared memory: arrays stand in for the pool.
"""

import numpy as np

from paac_cli.config.load import load_config
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

SPEC = EnvSpec((1,), np.dtype(np.float32), discrete_action(("left", "right")), 30.0)

#: Every built-in algorithm, with settings that make it learn the corridor in seconds; some also with a recurrent cell.
ALGORITHMS = {
    "paac": {"vf_coef": 0.5},
    "ppo": {"num_epochs": 2, "num_minibatches": 2, "vf_coef": 0.5},
    "nstep_q": {"num_epochs": 2, "num_minibatches": 2, "epsilon_anneal_steps": 1000},
    "paac+gru": {"vf_coef": 0.5},
    "ppo+lstm": {"num_epochs": 2, "num_minibatches": 2, "vf_coef": 0.5},
    "nstep_q+gru": {"num_epochs": 2, "num_minibatches": 2, "epsilon_anneal_steps": 1000},
    "dqn": {
        "learning_starts": 100,
        "batch_size": 16,
        "steps_per_update": 4,
        "buffer_size": 1000,
        "target_update_steps": 80,
        "epsilon_anneal_steps": 1000,
    },
    "sac": {
        "learning_starts": 100,
        "batch_size": 16,
        "utd_ratio": 0.25,
        "buffer_size": 1000,
        "tau": 0.05,
        "ent_coef": 1e-4,  # the value of the entropy is not part of the closed form
    },
}
FROM_REPLAY = ("dqn", "sac")  #: those that learn from a replay buffer; their rollouts have one step


def make_config(name, num_envs=4, seed=1, network=None, **algorithm):
    """name: of an algorithm, or "algorithm+cell"."""
    name, _, cell = name.partition("+")
    if cell:
        network = {"recurrent": {"cell": cell, "size": 8}, **(network or {})}
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
    """Every observation is 1 and every reward is 1, for any action.

    Every episode has `length` steps and then is truncated, or terminates. If episodes are only ever truncated, the
    value is that of an endless corridor: 1 / (1 - gamma).
    """

    def __init__(self, num_envs, num_steps, *, length=5, truncates=True):
        self._length, self._truncates, self._num_steps = length, truncates, num_steps
        self._rollout = Rollout(
            np.ones((num_steps + 1, num_envs, 1), np.float32),
            np.ones((num_steps, num_envs), np.float32),
            np.zeros((num_steps, num_envs), np.bool_),
            np.zeros((num_steps, num_envs), np.bool_),
        )
        self._age = np.arange(num_envs) % length  # differs, so that episodes end with every slot of a rollout
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
    """A corridor with the number of environments and the rollout length of `config`."""
    return Corridor(config.sampling.num_envs, config.algorithm.rollout_length, **options)


def run(agent, corridor, steps):
    """Act and learn for `steps` steps of all environments. Returns the metrics of each update as floats."""
    step, all_metrics = corridor.timestep(), []
    for _ in range(steps):
        agent.act(step)
        step = corridor.step()
        metrics = agent.learn(step)
        if metrics is not None:
            all_metrics.append({name: float(value) for name, value in metrics.items()})
    return all_metrics


def state_of(agent):
    """Copies of all arrays that a checkpoint of `agent` would hold, policy and learner together."""
    return {name: array.copy() for part in (agent.policy, agent.learner) for name, array in part.to_arrays().items()}


def set_state(agent, state):
    """Assign what `state_of` returned."""
    in_policy = agent.policy.to_arrays().keys()
    agent.policy.assign({name: array for name, array in state.items() if name in in_policy})
    agent.learner.assign({name: array for name, array in state.items() if name not in in_policy})
