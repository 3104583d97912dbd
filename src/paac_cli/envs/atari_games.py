"""Which Atari games there are, and what one of them looks like to an agent.

The emulator's own sticky actions and frame limit are off: both are done by `AtariEnv`, from our own
generator, because the emulator's snapshots do not hold them.
"""

from typing import NamedTuple

import numpy as np
from ale_py import Action as Button
from ale_py import ALEInterface, LoggerMode, roms

from paac_cli.config.load import nearest
from paac_cli.config.schema import EnvConfig
from paac_cli.envs.rules import FRAME_STACK, FRAMES_PER_SECOND, RULE_SETS, SCREEN_SIZE, AtariRules
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import EnvSpec, discrete_action

#: Packaged ROMs with which `loadROM` ends the process: they have no single-player mode.
_UNPLAYABLE = frozenset({"combat", "joust", "maze_craze", "warlords"})


class AtariGame(NamedTuple):
    """One game, loaded."""

    ale: ALEInterface
    rules: AtariRules
    buttons: list[Button]  #: of each action
    spec: EnvSpec


def game_ids() -> dict[str, str]:
    """Environment id -> ROM id of every game that runs, e.g. `ALE/Pong-v5` -> `pong`."""
    names = sorted(set(roms.get_all_rom_ids()) - _UNPLAYABLE)
    return {f"ALE/{name.title().replace('_', '')}-v5": name for name in names}


def load_game(config: EnvConfig) -> AtariGame:
    """The game that `config` names, under its protocol. Raises EnvironmentSpecError."""
    assert config.protocol is not None
    rules = RULE_SETS[config.protocol]
    ale = load_rom(config.id)
    buttons = ale.getLegalActionSet() if rules.full_action_set else ale.getMinimalActionSet()
    spec = EnvSpec(
        obs_shape=(SCREEN_SIZE, SCREEN_SIZE, FRAME_STACK),
        obs_dtype=np.dtype(np.uint8),
        action=discrete_action(tuple(button.name for button in buttons)),
        fps=FRAMES_PER_SECOND,
        frame_stack=FRAME_STACK,
    )
    return AtariGame(ale, rules, buttons, spec)


def load_rom(env_id: str) -> ALEInterface:
    """An emulator with the ROM of `env_id` in it, not yet reset. Raises EnvironmentSpecError."""
    games = game_ids()
    if env_id not in games:
        raise EnvironmentSpecError(f"unknown or unplayable Atari game {env_id!r}{nearest(env_id, games)}")
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 0)  # the default is the time; a reset right after loading is the same for any seed
    ale.setFloat("repeat_action_probability", 0.0)
    try:
        path = roms.get_rom_path(games[env_id])
    except (OSError, RuntimeError) as error:
        raise EnvironmentSpecError(f"{env_id}: its ROM cannot be read: {error}") from error
    if path is None or ALEInterface.isSupportedROM(path) is None:
        raise EnvironmentSpecError(f"{env_id}: this emulator does not support its ROM")
    ale.loadROM(path)
    return ale
