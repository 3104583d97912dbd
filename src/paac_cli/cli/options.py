"""Options that several commands share."""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from paac_cli.cli.output import superfluous_words
from paac_cli.errors import PaacError
from paac_cli.text import shell_quoted

if TYPE_CHECKING:
    from paac_cli.config.schema import SamplingConfig

RUNS = Path("runs")  #: parent of the default run directories

last_option = click.option(
    "--last", is_flag=True, help="Use the latest checkpoint of the run directory instead of its best policy."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")


class PresetName(click.ParamType):
    """The name of a preset, or the path of a YAML file, as text."""

    name = "preset"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        from paac_cli.config.presets import find_preset

        for word in superfluous_words(ctx) if ctx else []:
            with contextlib.suppress(PaacError):
                find_preset(word)
                return f"Did you mean --preset {shell_quoted(word)}?"
        return "Give one, e.g. --preset cartpole; `paac presets list` names all"


preset_option = click.option(
    "--preset", type=PresetName(), required=True, metavar="NAME|FILE", help="Name of a preset, or path of a YAML file."
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="KEY.SUB=VALUE", help="Override any config key; repeatable."
)


class Device(click.Choice):
    """The device of the learner."""

    def __init__(self) -> None:
        super().__init__(["auto", "cpu", "gpu"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.choices:
            return value
        from paac_cli.config.unknown_keys import hint_for_value

        hint = hint_for_value(str(value), self.choices)
        self.fail(f"{value!r} is not one of {', '.join(map(repr, self.choices))}{hint}", param, ctx)


algorithm_option = click.option(
    "--algorithm",
    metavar="NAME|MODULE:CLASS",
    help="Use another algorithm with its defaults: `paac`, `ppo`, `nstep_q`, `dqn`, `sac`, or yours.  "
    "[algorithm={name: ...}]",
)


def _trusted(context: click.Context, option: click.Parameter, is_given: bool) -> Container[str]:
    from paac_cli.config.trust import ANY_CODE, add_cwd_to_path

    if not is_given:
        return ()
    add_cwd_to_path()
    return ANY_CODE


#: The command gets `trusted`: the third-party code that may be imported because a checkpoint or preset names it.
trust_option = click.option(
    "--trust-code",
    "trusted",
    is_flag=True,
    callback=_trusted,
    help="Allow importing third-party code that the checkpoint or preset names (environment, algorithm, torso).",
)


def add_cwd_to_path_for(preset: Path, overrides: Mapping[str, Any]) -> None:
    """`add_cwd_to_path` if the file `preset` or the `overrides` name third-party code. Raises ConfigError.

    Otherwise nothing that lies in the current directory may be imported.
    """
    from paac_cli.config import yaml_io
    from paac_cli.config.trust import add_cwd_to_path, code_references

    settings = []
    for key, value in overrides.items():
        for part in reversed(key.split(".")):
            value = {part: value}
        settings.append(value)
    if any(code_references(data) for data in (*settings, yaml_io.read(preset))):
        add_cwd_to_path()


def global_flags() -> list[str]:
    """The options that the user gave before the command, for a command that starts others of this program."""
    return ["--traceback"] if click.get_current_context().find_root().params.get("traceback") else []


def action_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --greedy/--sample and --seed to `command`."""
    command = click.option(
        "--greedy/--sample",
        default=False,
        help="Always play the most probable action, or sample from the policy.  [default: sample]",
    )(command)
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Seed of the games and of sampled actions.",
    )(command)


class PlayLimits(NamedTuple):
    """What the user has set with `playing_options`."""

    num_envs: int
    max_steps: int | None
    worker_timeout: float | None

    def for_playing(self, sampling: "SamplingConfig") -> "SamplingConfig":
        """The run's `sampling` for this machine, which may have other cores, with the timeout that the user has set."""
        timeout = sampling.worker_timeout if self.worker_timeout is None else self.worker_timeout
        return sampling.model_copy(update={"num_workers": "auto", "worker_timeout": timeout})


def playing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --num-envs, --max-steps and --worker-timeout to `command`, which gets them as `limits`."""

    @functools.wraps(command)
    def with_limits(*, num_envs: int, max_steps: int | None, worker_timeout: float | None, **options: Any) -> Any:
        return command(limits=PlayLimits(num_envs, max_steps, worker_timeout), **options)

    with_timeout = worker_timeout_option(with_limits)
    with_steps = click.option(
        "--max-steps", type=click.IntRange(1), metavar="N", help="Truncate games after `N` steps.  [default: never]"
    )(with_timeout)
    return click.option(
        "--num-envs",
        type=click.IntRange(1, 16),
        default=16,
        show_default=True,
        help="Environments at the same time, at most. The games are the same for any number.",
    )(with_steps)


class UserPath(click.Path):
    """A path. `~` is the home directory also where the shell does not expand it, as in `--run-dir=~/x`."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not os.fspath(value):
            self.fail("a path must not be empty", param, ctx)
        path = super().convert(os.path.expanduser(value), param, ctx)  # noqa: PTH111 (leaves an unknown ~user as it is)
        return Path(os.fsdecode(path))


class RunPath(UserPath):
    """A run directory or a checkpoint."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "Give a run directory, e.g. runs/pong-seed1; `paac runs` lists yours"


def absolute(path: Path) -> Path:
    """`path` as an absolute one, which stays true if a user's algorithm or torso changes the current directory."""
    try:
        return path.absolute()
    except FileNotFoundError:  # the current directory has been deleted
        return path


def default_directory(preset: str, parts: list[str]) -> Path:
    """In `runs/`, named after the preset and `parts`: substitutes for its algorithm and environment, and the seed."""
    stem = preset.removesuffix(".yaml").removesuffix(".yml")
    name = Path(stem).name if preset != stem else stem.replace("/", "-")
    return RUNS / "-".join([name, *(part.removeprefix("ALE/").replace("/", "-").replace(":", "-") for part in parts)])


class FiniteRange(click.FloatRange):
    """A range of finite numbers, which may have no bounds: rejects infinity and NaN."""

    def _describe_range(self) -> str:  # Click shows a range without bounds as x<=None
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not finite", param, ctx)
        return number


#: Replaces the timeout of the run's config.
worker_timeout_option = click.option(
    "--worker-timeout",
    type=FiniteRange(1, 10**6),
    metavar="SECONDS",
    help="Seconds without progress after which an environment counts as hung.  "
    "[default: `sampling.worker_timeout` of the run]",
)

#: Keys whose flags are parsed as YAML, so that they accept e.g. 5_000_000 and auto.
_PARSED_AS_YAML = ("training.total_steps", "sampling.num_workers")


def gather_overrides(
    assignments: Iterable[str], values: Mapping[str, Any], flags: Mapping[str, str], algorithm: str | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the user has set: dotted config key -> value, and dotted key -> its flag where that is not --set.

    Flags replace --set, which replaces `algorithm_option`. assignments: of --set. values, flags: as for
    `_values_of_flags`. Raises ConfigError.
    """
    from paac_cli.config.load import parse_assignments

    of_algorithm = {} if algorithm is None else {"algorithm": {"name": algorithm}}
    of_flags = _values_of_flags(values, flags)
    given_by = dict.fromkeys(of_algorithm, "--algorithm") | {key: flags[key] for key in of_flags}
    return of_algorithm | parse_assignments(assignments) | of_flags, given_by


def _values_of_flags(values: Mapping[str, Any], flags: Mapping[str, str]) -> dict[str, Any]:
    """Dotted config key -> value, for all flags that were given.

    values: parameter name -> value, None where the flag was not given. flags: dotted key -> its flag.
    """
    given = {key: values[flag.removeprefix("--").replace("-", "_")] for key, flag in flags.items()}
    return {
        key: _parse(value, flags[key]) if key in _PARSED_AS_YAML else value
        for key, value in given.items()
        if value is not None
    }


def _parse(text: str, flag: str) -> Any:
    from paac_cli.config import yaml_io

    return yaml_io.parse(text, flag)
