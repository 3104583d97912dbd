"""A check whether a game of an environment is a function of its seed and its actions, as replaying it needs."""

import contextlib
import hashlib
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.envs.gym import GymEnv
from paac_cli.envs.placeholders import fill_placeholders
from paac_cli.errors import EnvOutputError
from paac_cli.seeding import episode_seed
from paac_cli.spec import Determinism
from paac_cli.text import counted, describe_error

_STEPS = 200  # of each game that is played
_SECONDS_PER_GAME = 0.5  # after which the first game is not played on
_SECONDS = 5.0  # after which the check gives up
_OTHER_GAMES = 3  # after each of which the first one is repeated


def check_determinism(config: EnvConfig) -> Determinism:
    """Whether games of the environment `config.id`, which is not Atari, are functions of their seeds and actions.

    Plays a game, other games, and the same game again: in the same environment, and in a new one.
    What is played depends on the environment alone, and not on the seed of a run. It is at most 200 steps of a game:
    what happens later or seldom is not found. Of an environment that is known to carry state, nothing is played.
    """
    try:
        with contextlib.closing(_Trials(config)) as trials:
            return Determinism("carries state") if trials.is_known_to_carry_state else _check(trials)
    except _CheckTimeoutError:
        return Determinism("unknown", f"a check takes longer than {_SECONDS:g} s")
    except EnvOutputError:  # the run will report it
        return Determinism("unknown")
    except Exception as error:  # third-party code may raise anything; if it is serious, the run will report it
        return Determinism("unknown", f"the check failed with {describe_error(error)}")


class _CheckTimeoutError(Exception):
    """The environment is too slow to be checked."""


class _StepResult(NamedTuple):
    """What a game shows after a reset or a step."""

    observation: bytes  #: a digest
    reward: float
    end: tuple[bool, bool]  #: terminated, truncated


class _Trials:
    """Plays games of one environment after another."""

    def __init__(self, config: EnvConfig) -> None:
        self._config = fill_placeholders(config.model_copy(update={"fresh_per_episode": "auto"}))
        self._env = GymEnv(self._config)
        self.is_known_to_carry_state = self._env.is_fresh_per_episode
        self._max_steps = _STEPS
        self.is_slow = False  #: whether the first game was not played on for lack of time
        self._start = time.monotonic()

    def play(self, seed: int, actions: int) -> list[_StepResult]:
        """Play the game with this seed until it is over, or some steps. actions: seed of the random actions."""
        begin, spec = time.monotonic(), self._env.spec
        rng, obs = np.random.default_rng(actions), np.empty(spec.obs_shape, spec.obs_dtype)
        self._env.new_game(episode_seed(0, seed, 0), obs)
        self._require_time()
        outcomes = [_StepResult(_digest(obs), 0.0, (False, False))]
        for _ in range(self._max_steps):
            outcome = self._env.step(spec.draw_actions(rng, obs), obs)
            outcomes.append(_StepResult(_digest(obs), outcome.reward, (outcome.terminated, outcome.truncated)))
            if outcome.game_over or self._require_time() - begin > _SECONDS_PER_GAME:
                break
        return outcomes

    def play_first(self) -> list[_StepResult]:
        """As `play`. No later game is played longer."""
        outcomes = self.play(0, actions=0)
        steps = len(outcomes) - 1
        self.is_slow = steps < self._max_steps and not any(outcomes[-1].end)
        self._max_steps = max(steps, 1)
        return outcomes

    def renew(self) -> None:
        """Continue with a new environment."""
        self._env.close()
        self._env = GymEnv(self._config)

    def close(self) -> None:
        """Close the environment. What that raises does not matter here: the run reports it."""
        with contextlib.suppress(Exception, SystemExit):
            self._env.close()

    def _require_time(self) -> float:
        """The time. Raises _CheckTimeoutError if the check takes too long."""
        now = time.monotonic()
        if now - self._start > _SECONDS:
            raise _CheckTimeoutError
        return now


def _check(trials: _Trials) -> Determinism:
    first = trials.play_first()
    after_others = ""
    for other in range(1, 1 + _OTHER_GAMES):  # what is carried over may depend on how many games there were
        trials.play(other, actions=other)
        after_others = after_others or _difference(first, trials.play(0, actions=0))
    trials.renew()
    in_new_env = _difference(first, trials.play(0, actions=0))
    if in_new_env:
        return Determinism("random", in_new_env)
    if not after_others:
        return Determinism(
            "exact", f"only {counted(len(first) - 1, 'step')} of a game, because it is slow" * trials.is_slow
        )
    trials.renew()
    with_other_seed = _difference(first, trials.play(1, actions=0))
    return Determinism("carries state" if with_other_seed else "ignores its seed", after_others)


def _difference(one: list[_StepResult], other: list[_StepResult]) -> str:
    """The first difference of two games; empty if there is none. One of them may have been played longer."""
    for step, (before, after) in enumerate(zip(one, other, strict=False)):
        for name in _StepResult._fields:
            if getattr(before, name) != getattr(after, name):
                return f"the {name} {f'of step {step}' if step else 'at reset'}"
    return ""


def _digest(obs: NDArray) -> bytes:
    return hashlib.blake2b(obs.tobytes(), digest_size=16).digest()
