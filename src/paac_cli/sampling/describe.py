"""What is known of an environment before a run: it is made, and played, in a process of its own."""

from collections.abc import Iterator

from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.make import describe_env, make_gym_env
from paac_cli.envs.speed import try_steps
from paac_cli.errors import EnvironmentSpecError, PaacError, VideoError, WorkerError
from paac_cli.sampling.child_process import ChildFailedError
from paac_cli.sampling.isolated import isolated
from paac_cli.spec import Determinism, EnvSpec

_CLOSE_TIMEOUT = 5.0  # seconds for an environment that has hardly played, and so has nothing to save
_STEPS_TIMEOUT = 10.0  # seconds to try how long a step takes


def describe(config: EnvConfig, sampling: SamplingConfig) -> EnvSpec:
    """The spec of the environment `config.id`. Raises EnvironmentSpecError, also if making it crashes or hangs.

    The environment is closed, or its process killed, before the function returns: it may own a port or a device that
    the first worker needs.
    """
    if config.is_atari:  # no third-party code; and the fork server would take long to load the emulator
        return describe_env(config)
    tries_steps = sampling.num_workers == "auto"  # which depends on what a step takes
    with isolated(_describe, config, tries_steps, env_config=config) as run:
        try:
            spec: EnvSpec = next(run.values(sampling.worker_timeout))
        except ChildFailedError as error:
            raise EnvironmentSpecError(f"{config.id} cannot be made: the process that made it {error}") from None
        except WorkerError as error:
            raise EnvironmentSpecError(f"{config.id} cannot be made:\n{error}") from None
        if tries_steps:
            try:
                spec = next(run.values(min(sampling.worker_timeout, _STEPS_TIMEOUT)))
            except (PaacError, ChildFailedError):  # the run will report it
                return spec
        run.finish(min(sampling.close_timeout, _CLOSE_TIMEOUT))
        return spec


def require_renderable(config: EnvConfig, sampling: SamplingConfig, *, needs_frame_rate: bool) -> None:
    """Raise VideoError or EnvironmentSpecError if no video of the environment `config.id` can be recorded.

    It is made, and one frame of it is rendered. needs_frame_rate: whether the video has the environment's frame rate.
    """
    if config.is_atari:
        return
    with isolated(_require_renderable, config, needs_frame_rate, env_config=config) as run:
        try:
            list(run.values(sampling.worker_timeout))
        except ChildFailedError as error:
            raise VideoError(f"{config.id} cannot be rendered: the process that tried it {error}") from None
        except WorkerError as error:
            raise VideoError(f"{config.id} cannot be rendered:\n{error}") from None


def find_determinism(config: EnvConfig, sampling: SamplingConfig) -> Determinism:
    """Whether games of the environment `config.id` are functions of their seeds and actions, as a check finds it.

    All its environments are closed before the function returns. "unknown" also if the environment crashes or hangs.
    """
    if config.is_atari:
        return Determinism("exact")
    with isolated(_check_determinism, config, env_config=config) as run:
        try:
            found: Determinism = next(run.values(sampling.worker_timeout))
        except ChildFailedError as error:
            return Determinism("unknown", f"the check failed: {error.cause}")
        except PaacError as error:
            return Determinism("unknown", f"the check failed: {str(error).strip().splitlines()[-1]}")
        return found


def _check_determinism(config: EnvConfig) -> Iterator[Determinism]:
    from paac_cli.envs.determinism import check_determinism

    yield check_determinism(config)


def _require_renderable(config: EnvConfig, needs_frame_rate: bool) -> Iterator[None]:
    from paac_cli.envs.try_rendering import try_rendering

    try_rendering(config, needs_frame_rate=needs_frame_rate)
    yield


def _describe(config: EnvConfig, tries_steps: bool) -> Iterator[EnvSpec]:
    env = make_gym_env(config)
    yield env.spec
    if tries_steps:
        yield try_steps(env)
    env.close()
