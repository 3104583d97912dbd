"""A small config, and a pool and a player whose every step and duration is known."""

import time
from typing import NamedTuple

import numpy as np
import pytest

from paac_cli.config.load import load_config
from toy_envs import Counting, config_of, spec_of

SPEC = spec_of(Counting)
T, N = 3, 4
CONFIG = load_config(
    {
        "env": config_of(Counting, length=10).model_dump(),
        "sampling": {"num_envs": N, "num_workers": 2},
        "algorithm": {"name": "paac", "num_steps": T},
        "network": {"torso": "mlp"},
        "training": {"total_steps": 1},
    },
    "test",
)


def fail_on_event(event):
    """The log of a pool in which nothing should go wrong."""
    pytest.fail(f"unexpected event: {event}")


class ToyStep(NamedTuple):
    slot: int
    reward: np.ndarray
    envs: slice = slice(None)


class SlotPool:
    """A pool whose steps hold only their slot and zero rewards. Its workers are busy for 0.25 and 0.75 s per step."""

    def __init__(self):
        self.busy = np.zeros(2)
        self.latest = ToyStep(0, np.zeros(N))

    def reset(self):
        return self.latest

    def step(self, actions):
        self.latest = ToyStep(self.latest.slot % T + 1, np.zeros(N))
        self.busy += [0.25, 0.75]
        return self.latest


class SlowStarter:
    """A player that updates at the end of every rollout; the first two updates are slow, as with tracing."""

    def __init__(self):
        self.acted, self.learned, self.updates = [], [], 0

    def act(self, step):
        self.acted.append(step.slot)
        return np.zeros(N)

    def learn(self, step):
        self.learned.append(step.slot)
        if step.slot < T:
            return None
        self.updates += 1
        time.sleep(0.2 if self.updates <= 2 else 0.001)
        return {}
