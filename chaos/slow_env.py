"""CartPole with random pauses: `chaos.slow_env:SlowCartPole-v0`."""

import random
import time
from typing import Any

import gymnasium

_PAUSE_PROBABILITY = 0.02  # per step
_LONGEST_PAUSE = 0.02  # seconds

_generator = random.SystemRandom()  # independent of every seed


class _RandomPauses(gymnasium.Wrapper):
    def step(self, action: Any) -> Any:
        if _generator.random() < _PAUSE_PROBABILITY:
            time.sleep(_generator.uniform(0.0, _LONGEST_PAUSE))
        return super().step(action)


def make(**kwargs: Any) -> gymnasium.Env[Any, Any]:
    """CartPole whose steps sometimes take longer; its observations and rewards are unchanged."""
    return _RandomPauses(gymnasium.make("CartPole-v1", **kwargs))


gymnasium.register("SlowCartPole-v0", entry_point=make, disable_env_checker=True, order_enforce=False)
