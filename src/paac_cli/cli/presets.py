"""paac presets"""

import json
from pathlib import Path

import click

from paac_cli.cli.options import find_own_code


@click.group()
def presets() -> None:
    """List, show, copy and check presets."""


@presets.command("list")
def list_presets() -> None:
    """All presets that ship with paac."""
    from paac_cli.config.presets import preset_names, read_preset

    for name in preset_names():
        first = read_preset(name).partition("\n")[0]
        click.echo(f"{name:24}{first.removeprefix('#').strip() if first.startswith('#') else ''}")


@presets.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the preset NAME."""
    from paac_cli.config.presets import read_preset

    click.echo(read_preset(name), nl=False)


@presets.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def copy(name: str, file: Path) -> None:
    """Copy the preset NAME to FILE, to be changed there."""
    from paac_cli.config.presets import read_preset
    from paac_cli.errors import ConfigError

    text = read_preset(name)
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file}: a preset's file ends in .yaml")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as target:
            target.write(text)
    except FileExistsError:
        raise ConfigError(f"{file} exists already") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error}") from error
    click.echo(f"{file} written; `paac train --preset {file}` runs it")


@presets.command()
@click.argument("file", type=click.Path(path_type=Path))
def validate(file: Path) -> None:
    """Check the preset in FILE and print it with all defaults."""
    from paac_cli.config.load import read_config, to_yaml

    find_own_code()
    click.echo(to_yaml(read_config(file)), nl=False)


@presets.command()
def schema() -> None:
    """Print the JSON Schema of presets, for editors."""
    from paac_cli.config.schema import RunConfig

    click.echo(json.dumps(RunConfig.model_json_schema(), indent=2))
