"""paac presets"""

from collections.abc import Container
from pathlib import Path

import click

from paac_cli.cli.options import UserPath, trust_option
from paac_cli.cli.output import ResultsOnly, print_json, print_result
from paac_cli.text import shell_quoted


@click.group()
def presets() -> None:
    """List, show, copy and validate presets.

    A preset is a YAML file with every setting of a run.

    Examples:

    \b
      paac presets list
      paac presets copy pong my-pong.yaml
    """


@presets.command("list")
def list_presets() -> None:
    """List all presets that ship with `paac`.

    Example:

    \b
      paac presets list
    """
    from paac_cli.config.presets import preset_names, read_preset

    names = preset_names()
    width = max(map(len, names)) + 2
    for name in names:
        first = read_preset(name).partition("\n")[0]
        print_result(f"{name:{width}}{first.removeprefix('#').strip() if first.startswith('#') else ''}".rstrip())


@presets.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the preset `NAME`.

    Example:

    \b
      paac presets show ppo/cartpole
    """
    from paac_cli.config.presets import read_preset

    print_result(read_preset(name), nl=False)


@presets.command()
@click.argument("name")
@click.argument("file", type=UserPath(dir_okay=False))
def copy(name: str, file: Path) -> None:
    """Copy the preset `NAME` to `FILE`, so that you can edit it.

    Example:

    \b
      paac presets copy pong my-pong.yaml
    """
    from paac_cli.config.presets import read_preset
    from paac_cli.errors import ConfigError
    from paac_cli.files import create_synced, make_directory
    from paac_cli.text import reason

    text = read_preset(name)
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file}: a preset needs the suffix .yaml or .yml; try {file.with_suffix('.yaml')}")
    try:
        make_directory(file.parent)
        if file.exists() or file.is_symlink():
            raise ConfigError(f"{file} already exists; choose another name or delete it first")
        create_synced(file, text.encode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {reason(error, file)}") from error
    print_result(f"{file} written; train with `paac train --preset {shell_quoted(str(file))}`")


@presets.command(cls=ResultsOnly)
@click.argument("preset")
@trust_option
def validate(preset: str, trusted: Container[str]) -> None:
    """Validate `PRESET`, a `.yaml` file or a name, and print it with all defaults.

    To validate the settings of a third-party algorithm, its code must be imported, which needs `--trust-code`.

    Example:

    \b
      paac presets validate my-pong.yaml
    """
    from paac_cli.config import yaml_io
    from paac_cli.config.load import load_config, third_party_algorithm, to_yaml
    from paac_cli.config.presets import find_preset
    from paac_cli.config.trust import require_trusted

    file = find_preset(preset)
    data = yaml_io.read(file)
    if name := third_party_algorithm(data):
        require_trusted({"algorithm": {"name": name}}, str(file), trusted)
    print_result(to_yaml(load_config(data, str(file))), nl=False)


@presets.command()
def schema() -> None:
    """Print the JSON Schema of presets, for code editors.

    Example:

    \b
      paac presets schema > paac.schema.json
    """
    from paac_cli.config.schema import RunConfig

    print_json(RunConfig.model_json_schema())
