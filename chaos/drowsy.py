"""An environment that dozes off: `chaos.drowsy:DrowsyCartPole-v0` is CartPole, now and then late."""

import random
import time
from typing import Any

import gymnasium

_DOZES = 0.02  # share of the steps
_LONGEST = 0.02  # seconds

_clock = random.SystemRandom()  # follows from no seed


class _Drowsy(gymnasium.Wrapper):
    def step(self, action: Any) -> Any:
        if _clock.random() < _DOZES:
            time.sleep(_clock.uniform(0.0, _LONGEST))
        return super().step(action)


def make(**kwargs: Any) -> gymnasium.Env[Any, Any]:
    """CartPole with random sleeps in its steps."""
    return _Drowsy(gymnasium.make("CartPole-v1", **kwargs))


gymnasium.register("DrowsyCartPole-v0", entry_point=make, disable_env_checker=True, order_enforce=False)
