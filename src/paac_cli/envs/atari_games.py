"""The Atari games that can be played, and how to load one.

The emulator's own sticky actions and frame limit are switched off, because its snapshots do not hold their state.
`AtariEnv` implements both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ale_py import Action as Button
from ale_py import ALEInterface, LoggerMode, roms

from paac_cli.config.atari_names import find_atari, game_ids
from paac_cli.config.env import EnvConfig
from paac_cli.envs.rules import FRAMES_PER_SECOND, RULE_SETS, SCREEN_SIZE, AtariRules
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.text import nearest


class AtariGame(NamedTuple):
    """A loaded game."""

    ale: ALEInterface
    rules: AtariRules
    buttons: list[Button]  #: [A], the emulator's code for each action
    spec: EnvSpec


def load_game(config: EnvConfig) -> AtariGame:
    """Load the game `config.id` with its rule set. Raises EnvironmentSpecError."""
    assert config.protocol is not None
    rules = RULE_SETS[config.protocol]
    ale = load_rom(config.id, config.mode, config.difficulty)
    buttons = ale.getLegalActionSet() if rules.full_action_set else ale.getMinimalActionSet()
    spec = EnvSpec(
        obs_shape=(SCREEN_SIZE, SCREEN_SIZE, config.frame_stack),
        obs_dtype=np.dtype(np.uint8),
        action=discrete_action(tuple(button.name for button in buttons)),
        fps=FRAMES_PER_SECOND,
        frame_stack=config.frame_stack,
    )
    return AtariGame(ale, rules, buttons, spec)


def load_rom(env_id: str, mode: int | None = None, difficulty: int | None = None) -> ALEInterface:
    """Make an emulator with the ROM of `env_id`, not yet reset. Raises EnvironmentSpecError.

    mode, difficulty: of the game; None for its default.
    """
    games = game_ids()
    if env_id not in games:
        meant = find_atari(env_id, games)
        hint = f"; did you mean {meant}?" if meant else nearest(env_id, games)
        raise EnvironmentSpecError(f"unknown or unplayable Atari game {env_id!r}{hint}")
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 0)  # the default is the time; the first reset is the same for any seed
    ale.setFloat("repeat_action_probability", 0.0)
    try:
        path = roms.get_rom_path(games[env_id])
    except (OSError, RuntimeError) as error:
        raise EnvironmentSpecError(f"{env_id}: the ROM cannot be read: {error}; reinstall ale-py") from error
    if path is None or ALEInterface.isSupportedROM(path) is None:
        raise EnvironmentSpecError(f"{env_id}: the installed ale-py does not support the ROM")
    ale.loadROM(path)
    if mode is not None:
        _require_offered(env_id, "mode", mode, ale.getAvailableModes())
        ale.setMode(mode)
    if difficulty is not None:
        _require_offered(env_id, "difficulty", difficulty, ale.getAvailableDifficulties())
        ale.setDifficulty(difficulty)
    return ale


def _require_offered(env_id: str, name: str, value: int, offered: Sequence[int]) -> None:
    if value not in offered:
        numbers = ", ".join(map(str, sorted(offered)))
        raise EnvironmentSpecError(f"{env_id} has no {name} {value}; env.{name} must be one of {numbers}")
