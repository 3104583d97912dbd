"""What the environments of a pool play."""

from typing import NamedTuple

from paac_cli.config.env import EnvConfig
from paac_cli.envs.placeholders import FIRST_COPY, Copy


class Games(NamedTuple):
    """A game is a function of this, of the index of its environment, of its own index, and of its actions."""

    env_config: EnvConfig
    seed: int
    info_keys: tuple[str, ...] = ()  #: numbers of `info` to report at the end of a game
    max_steps: int | None = None  #: agent steps after which a game is truncated
    #: Where the environments and the workers of the pool begin in the whole run. Indices of workers may have gaps.
    first: Copy = FIRST_COPY
