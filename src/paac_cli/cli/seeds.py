"""`paac train --seeds`: a group of runs that differ only in their seed."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from paac_cli.cli.options import global_flags
from paac_cli.cli.output import echo, inform, terminal_width
from paac_cli.errors import RunDirectoryError

_MOST = 1_000  # seeds in a group


class Seeds(click.ParamType):
    """Seeds such as `1-5` or `1,3,7-9`."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        seeds: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
                self.fail(f"{value!r} is not a list of seeds, such as 1-5 or 1,3,7-9", param, ctx)
            number = int(last or first) - int(first) + 1
            if int(last or first) >= 2**63 or len(seeds) + number > _MOST:
                self.fail(f"seeds are less than 2^63, and at most {_MOST:,} in a group", param, ctx)
            seeds += range(int(first), int(first) + number)
        return tuple(dict.fromkeys(seeds))


def require_one_process(what: str) -> None:
    """Raises UsageError if this process is one of several that train one run. what: the reason, e.g. of an option."""
    from paac_cli.training.cluster import find_cluster, is_in_slurm_step

    if find_cluster(None, None, os.environ) is not None or is_in_slurm_step(os.environ):
        raise click.UsageError(f"{what}, but TF_CONFIG or Slurm starts several")


def train_seeds(seeds: tuple[int, ...], jobs: int, group: Path) -> None:
    """Train the command of the current context with each of `seeds`, each into a directory of its own in `group`.

    Prints how each has ended, and exits with the code of the first that has not finished. Raises RunDirectoryError if
    `group` is itself a run: commands that list runs do not look for others in a run.
    """
    from paac_cli.reporting.run_list import format_runs, list_runs
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.jobs import Jobs
    from paac_cli.training.stop import stop_signals_handled

    if RunDirectory(group).is_run:
        raise RunDirectoryError(f"{group} is a run, so it cannot hold the runs of several seeds; use another --run-dir")
    context = click.get_current_context()
    common = _arguments(context, without=("seeds", "jobs", "seed", "run_dir"))
    flags = global_flags()
    directories = {seed: group / f"seed{seed}" for seed in seeds}

    def arguments(seed: int) -> list[str]:
        if not context.params["quiet"]:
            inform(f"Seed {seed} ({seeds.index(seed) + 1} of {len(seeds)}): {directories[seed]}")
        return [*flags, "train", *common, "--seed", str(seed), "--run-dir", str(directories[seed])]

    with (
        Jobs(min(jobs, len(seeds)), inform) as runs,
        stop_signals_handled(lambda number, frame: runs.stop(number)),
    ):
        runs.run_all([(f"seed {seed}", partial(arguments, seed)) for seed in seeds])
    begun = [directory for directory in directories.values() if directory.is_dir()]
    if begun:
        echo(format_runs(list_runs(begun, group), terminal_width()))
    if runs.exit_code:
        command = "the same command without --fresh" if context.params["fresh"] else "the same command"
        advice = f"Resolve the errors above; then {command} resumes" if runs.has_failed else f"Run {command} to resume"
        echo(f"Not all seeds have finished. {advice}")
        context.exit(runs.exit_code)


def _arguments(context: click.Context, without: tuple[str, ...]) -> list[str]:
    """The options with which the command of `context` was called, but for those with the names in `without`."""
    arguments: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        given = context.get_parameter_source(parameter.name or "") == click.core.ParameterSource.COMMANDLINE
        if parameter.name in without or not given:
            continue
        if getattr(parameter, "is_flag", False):
            arguments.append(parameter.opts[0])
            continue
        values = value if isinstance(value, tuple) else (value,)
        for each in values:
            arguments += [parameter.opts[0], str(each)]
    return arguments
