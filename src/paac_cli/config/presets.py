"""The presets that ship with the package."""

import os
from importlib.resources import files
from pathlib import Path

from paac_cli.config import yaml_io
from paac_cli.errors import ConfigError
from paac_cli.text import nearest, shorten


def presets_directory() -> Path:
    """The directory of all presets: inside the installed package, or at the top of a source tree."""
    packaged = Path(str(files("paac_cli"))) / "presets"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "presets"


def preset_names() -> list[str]:
    """The sorted names of all presets, e.g. `pong`, `paper/pong`."""
    root = presets_directory()
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml"))


def find_preset(name_or_path: str) -> Path:
    """The file of a preset: `name_or_path` names a shipped preset or a .yaml or .yml file. Raises ConfigError."""
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111 (leaves an unknown ~user as it is)
        try:
            path.stat()
        except FileNotFoundError:
            raise ConfigError(
                f"no such file: {name_or_path}; `paac presets list` shows the presets that ship with paac"
            ) from None
        except OSError as error:
            raise ConfigError(f"{shorten(name_or_path)} cannot be read: {error.strerror}") from error
        return path
    names = preset_names()
    if name_or_path not in names:
        hint = nearest(name_or_path, names) or ";"
        raise ConfigError(
            f"unknown preset {shorten(name_or_path)!r}{hint} `paac presets list` shows all; a path must end in .yaml "
            "or .yml"
        )
    return presets_directory() / f"{name_or_path}.yaml"


def read_preset(name_or_path: str) -> str:
    """The text of a preset. Raises ConfigError."""
    return yaml_io.read_text(find_preset(name_or_path))
