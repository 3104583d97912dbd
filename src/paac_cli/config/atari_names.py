"""Which Atari game an unknown id means: people write `Pong`, `Pong-v4` or `PongNoFrameskip-v4`."""

import re
from collections.abc import Iterable

_NAME = re.compile(r"(?:ale/)?([a-z0-9_]+?)(?:-?ram)?(?:noframeskip|deterministic)?(?:-v\d+)?", re.IGNORECASE)


def find_atari(env_id: str, games: Iterable[str]) -> str | None:
    """The one of `games`, e.g. `ALE/Pong-v5`, whose name is in `env_id`; None if there is none."""
    found = _NAME.fullmatch(env_id.strip())
    name = found[1].replace("_", "").lower() if found else ""
    return next((game for game in games if game.lower() == f"ale/{name}-v5"), None)
