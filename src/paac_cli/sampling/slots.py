"""The slots of a rollout in shared memory.

A rollout of `T` steps has `T + 1` slots. Slot `t` holds the outcome of action `t - 1` and the observation to which
action `t` responds. Slot `T` of one rollout is slot 0 of the next: in the first step of a rollout the workers copy the
observation from slot `T` to slot 0.
"""

from paac_cli.sampling.layout import ENDED
from paac_cli.sampling.shared_block import SharedBlock
from paac_cli.timestep import Rollout, TimeStep


class Slots:
    """Which slot is current. The learner advances it when all workers have finished a step."""

    def __init__(self, rollout_length: int) -> None:
        self._rollout_length = rollout_length
        self.reset()

    def reset(self) -> None:
        """The latest observation is in slot 0, and no rollout has begun."""
        self._first = self._steps = 0
        self.in_rollout = False  #: whether a rollout has begun and is incomplete

    def begin_rollout(self) -> None:
        """The next step is the first of a rollout."""
        self._first, self._steps, self.in_rollout = self.current, 0, True

    def advance(self) -> None:
        """A step of the rollout is finished."""
        self._steps += 1
        self.in_rollout = self._steps < self._rollout_length

    @property
    def current(self) -> int:
        """The slot of the latest finished step: 1..T in a rollout, 0 or T before its first step."""
        return self._steps or self._first

    @property
    def with_latest_obs(self) -> tuple[int, ...]:
        """Slots of which at least one holds the latest observation, even if workers have begun the next step."""
        # With T = 1 the next step copies slot 1 to slot 0 and then overwrites slot 1.
        return (self.current,) if self._rollout_length > 1 else (0, 1)

    @property
    def with_first_obs(self) -> int | None:
        """The slot that now holds the observation at the start of the rollout; None if it may be overwritten."""
        if self._steps:
            return 0
        return self._first if self._rollout_length > 1 else None


def rollout_views(block: SharedBlock) -> Rollout:
    """The rollout of all environments in `block`."""
    return Rollout(block["obs"], block["reward"][1:], block["terminated"][1:], block["truncated"][1:])


class StepViews:
    """Makes the `TimeStep` of some environments from views of shared memory."""

    def __init__(self, block: SharedBlock, envs: range) -> None:
        self._rows = rows = slice(envs.start, envs.stop)
        self._obs, self._reward, self._terminated, self._truncated = (
            block[name][:, rows] for name in ("obs", "reward", "terminated", "truncated")
        )
        self._final_obs, self._episodes, self._ended = (
            block[name][rows] for name in ("final_obs", "episodes", "ended")
        )
        self._rollout = rollout_views(block)

    def time_step(self, slot: int) -> TimeStep:
        """The latest step, which is in `slot`. Only `episodes` is a copy."""
        return TimeStep(
            obs=self._obs[slot],
            reward=self._reward[slot],
            terminated=self._terminated[slot],
            truncated=self._truncated[slot],
            final_obs=self._final_obs,
            episodes=self._episodes[self._ended == ENDED],
            slot=slot,
            rollout=self._rollout,
            envs=self._rows,
        )
