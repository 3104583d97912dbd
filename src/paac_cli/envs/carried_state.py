"""Environments that are known to carry state from one game to the next in the same object."""

from typing import Any

import gymnasium

#: Classes whose `reset` keeps the Box2D world of the game before: the order of its contacts depends on that game. They
#: and classes derived from them get a new environment for every game, unless `env.fresh_per_episode` is false.
_CARRY_STATE = frozenset({"gymnasium.envs.box2d.bipedal_walker.BipedalWalker"})


def is_known_to_carry_state(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether games of `env` are known to depend on the games before them."""
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(env.unwrapped).__mro__}
    return not names.isdisjoint(_CARRY_STATE)
