"""The names of Atari games, and which game an unknown id means: people write `Pong` or `PongNoFrameskip-v4`."""

import re
from collections.abc import Iterable

#: ROMs of the ale-py package without a single-player mode: loading one would terminate the process.
_UNPLAYABLE = frozenset({"combat", "joust", "maze_craze", "warlords"})

_NAME = re.compile(r"(?:ale/)?([a-z0-9_]+?)(?:-?ram)?(?:noframeskip|deterministic)?(?:-v\d+)?", re.IGNORECASE)


def game_ids() -> dict[str, str]:
    """Environment id -> ROM name of every playable game, e.g. `ALE/Pong-v5` -> `pong`."""
    from ale_py import roms  # loads the emulator

    names = sorted(set(roms.get_all_rom_ids()) - _UNPLAYABLE)
    return {f"ALE/{name.title().replace('_', '')}-v5": name for name in names}


def find_atari(env_id: str, games: Iterable[str]) -> str | None:
    """The one of `games`, e.g. `ALE/Pong-v5`, whose name is in `env_id`; None if no name is."""
    found = _NAME.fullmatch(env_id.strip())
    name = found[1].replace("_", "").lower() if found else ""
    return next((game for game in games if game.lower() == f"ale/{name}-v5"), None)
