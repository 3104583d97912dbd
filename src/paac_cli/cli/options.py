"""What several commands share: options, and how they warn."""

import math
import os
import sys
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import click

RUNS = Path("runs")  #: where runs go unless told otherwise

checkpoint_choice = click.option("--last", is_flag=True, help="Of a run directory, the last checkpoint, not the best.")


def say(text: str) -> None:
    """Say it on standard output, if that is still there: a terminal may have been closed."""
    try:
        click.echo(text)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in its buffer


def note(text: str) -> None:
    """Say what is going on, where it disturbs no report."""
    click.echo(text, err=True)


def _trusted(context: click.Context, option: click.Parameter, is_given: bool) -> Container[str]:
    from paac_cli.config.trust import ANY_CODE

    if not is_given:
        return ()
    find_own_code()
    return ANY_CODE


#: The command gets it as `trusted`: the code that may be imported because a checkpoint names it.
trust_choice = click.option(
    "--trust-code",
    "trusted",
    is_flag=True,
    callback=_trusted,
    help="Import the code of others that the checkpoint names: environment, algorithm, torso.",
)


def find_own_code() -> None:
    """Let `module:Class` of a user be found where we are, if it is not installed. Only if they have named it."""
    sys.path.append(str(Path.cwd()))


def warn(text: str) -> None:
    """Say it on standard error."""
    note(f"Warning: {text}")


def action_choice(command: Callable[..., Any]) -> Callable[..., Any]:
    """--greedy | --sample and --seed."""
    command = click.option(
        "--greedy/--sample", default=False, help="Most probable action, or drawn from the policy.  [default: sample]"
    )(command)
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of games and actions."
    )(command)


class FiniteRange(click.FloatRange):
    """A range of numbers, of which infinity and NaN are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


_AS_TEXT = ("training.total_steps", "sampling.num_workers")  # in any spelling of YAML's


def given_keys(short_cuts: Mapping[str, Any], flags: Mapping[str, str]) -> dict[str, Any]:
    """The short cuts that were given, under the keys that they stand for. flags: key -> the short cut for it."""
    from paac_cli.config import yaml_io

    given = {key: short_cuts[flag.removeprefix("--").replace("-", "_")] for key, flag in flags.items()}
    return {
        key: yaml_io.parse(value, flags[key]) if key in _AS_TEXT else value
        for key, value in given.items()
        if value is not None
    }
