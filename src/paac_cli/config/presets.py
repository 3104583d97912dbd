"""The presets that ship with the package."""

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from paac_cli.config import yaml_io
from paac_cli.errors import ConfigError
from paac_cli.text import either, nearest, shorten

_LIST = "`paac presets list` shows the presets that ship with paac"


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
            stem = name_or_path.rpartition(".")[0]
            hint = f"did you mean {stem}, a preset that ships with paac?" if stem in preset_names() else _LIST
            raise ConfigError(f"no such file: {name_or_path}; {hint}") from None
        except OSError as error:
            raise ConfigError(f"{shorten(name_or_path)} cannot be read: {error.strerror}") from error
        return path
    names = preset_names()
    if name_or_path not in names:
        raise ConfigError(f"unknown preset {shorten(name_or_path)!r}{_meant(name_or_path, names)}")
    return presets_directory() / f"{name_or_path}.yaml"


def _meant(name: str, names: Sequence[str]) -> str:
    """The end of a message that `name` is not one of the presets `names`: what may be meant."""
    files = [f"{name}.yaml", f"{name}.yml", str(Path(name, "config.yaml"))]  # the last one: of a run
    for file in files if name else []:
        if os.path.isfile(file):  # noqa: PTH113 (False for a path that is too long)
            return f"; did you mean {file}?"
    in_directory = [preset for preset in names if preset.startswith(f"{name.rstrip('/')}/")]
    if in_directory:
        return f"; did you mean {either(in_directory)}?"
    return f"{nearest(name, names) or ';'} {_LIST}; a path must end in .yaml or .yml"


def read_preset(name_or_path: str) -> str:
    """The text of a preset. Raises ConfigError."""
    return yaml_io.read_text(find_preset(name_or_path))
