"""A well-behaved environment, from which the zoo's environments differ in one thing each."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from chaos.zoo.case import Case, Outcome

GAME_LENGTH = 20  #: steps

#: The cases of all environments that have been imported.
ENV_CASES: list[Case] = []

EnvClass = TypeVar("EnvClass", bound=type)


class Toy(gymnasium.Env[Any, Any]):
    """Four random numbers are observed, and every step is rewarded with 1."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012
    observation_space: spaces.Space[Any] = spaces.Box(-1.0, 1.0, (4,), np.float32)
    action_space: spaces.Space[Any] = spaces.Discrete(2)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.steps = 0
        self.construct()

    def construct(self) -> None:
        """The rest of the constructor."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observe(), 1.0, self.steps >= GAME_LENGTH, False, self.info()

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 4).astype(np.float32)

    def info(self) -> Any:
        return {}

    def render(self) -> Any:
        return np.full((64, 64, 3), 8 * self.steps, np.uint8)


class ImageToy(Toy):
    """Observes a small colour image."""

    observation_space = spaces.Box(0, 255, (40, 40, 3), np.uint8)

    def observe(self) -> NDArray:
        return self.np_random.integers(0, 256, self.observation_space.shape, np.uint8)


def case(expected: Outcome, script: str = "train", **register: Any) -> Callable[[EnvClass], EnvClass]:
    """Registers the environment class with Gymnasium, and makes it a case, which its docstring describes.

    script: for bash; `train` trains in the environment. register: options of `gymnasium.register`.
    """

    def decorate(env_class: EnvClass) -> EnvClass:
        env_id = f"{env_class.__name__}-v0"
        gymnasium.register(env_id, **({"entry_point": env_class} | register))
        name = re.sub(r"(?<!^)(?=[A-Z])", "-", env_class.__name__).lower()
        what = (env_class.__doc__ or "").rstrip(".")
        ENV_CASES.append(Case(name, what, f"ENV={env_class.__module__}:{env_id}\n{script}", expected))
        return env_class

    return decorate


def first_time(what: str) -> bool:
    """Whether this is called for the first time in this case, by any process."""
    try:
        Path(what).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
