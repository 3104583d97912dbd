"""An environment in a process of its own that is played from here and gives its frames."""

from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig
from paac_cli.envs.env import Action
from paac_cli.envs.make import make_env
from paac_cli.envs.rendering import FrameMerger
from paac_cli.errors import WorkerError
from paac_cli.sampling.child_process import ChildFailedError, ChildProcess
from paac_cli.sampling.isolated import receive, send_result


class LiveStep(NamedTuple):
    """The outcome of a reset or a step."""

    obs: NDArray  #: [*obs_shape]
    frames: list[NDArray[np.uint8]]  #: rendered meanwhile and merged, each [height, width, 3] RGB
    score: float  #: raw return of the game so far
    episode_ended: bool = False  #: terminated or truncated
    game_over: bool = False


class LiveGame:
    """One environment that is rendered. A context manager, which ends its process."""

    def __init__(self, config: EnvConfig, timeout: float, group: int) -> None:
        """timeout: seconds that a step may take. group: number of rendered frames that are merged to one."""
        self._config, self._timeout = config, timeout
        self._child = ChildProcess(_serve, config, group, name="watched game", env_config=config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()

    def reset(self, seed: np.random.SeedSequence) -> LiveStep:
        """Start a game. Raises WorkerError, and VideoError if the environment renders no RGB images."""
        return self._ask(seed)

    def step(self, action: Action) -> LiveStep:
        """Play `action`. Raises as `reset`."""
        return self._ask(np.asarray(action))

    def _ask(self, request: np.random.SeedSequence | NDArray) -> LiveStep:
        try:
            self._child.connection.send(request)
            step: LiveStep = receive(self._child, self._timeout)
        except ChildFailedError as error:
            raise WorkerError(f"the environment {self._config.id} {error}") from None
        except OSError:
            raise WorkerError(f"the environment {self._config.id} {self._child.death_error()}") from None
        return step


def _serve(connection: Connection, config: EnvConfig, group: int) -> None:
    """Main function of the process: answers each seed with a reset, and each action with a step."""
    frames = FrameMerger(group)
    env: Any = None
    obs = np.empty(0)

    def answer(request: np.random.SeedSequence | NDArray) -> LiveStep:
        nonlocal env, obs
        if env is None:
            env = make_env(config, frames.add)
            obs = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
        if isinstance(request, np.random.SeedSequence):
            env.new_game(request, obs)
            return LiveStep(obs, frames.take(), env.score)
        outcome = env.step(request[()], obs)
        ended = outcome.terminated or outcome.truncated
        return LiveStep(obs, frames.take(is_last=outcome.game_over), env.score, ended, outcome.game_over)

    try:
        while True:
            request = connection.recv()
            if not send_result(connection, partial(answer, request)):
                return
    except (EOFError, OSError):  # the other process has ended
        return
