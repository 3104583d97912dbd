"""paac runs"""

from pathlib import Path

import click

from paac_cli.cli.options import RUNS, UserPath, json_option
from paac_cli.cli.output import print_json, print_result, terminal_width


@click.command()
@click.argument("directory", type=UserPath(), default=RUNS, metavar="[DIR]")
@json_option
def runs(directory: Path, as_json: bool) -> None:
    """List the runs in `DIR` and below it, by default in `runs/`.

    A run is running, finished, stopped (by a signal), failed (the reason is below the table) or killed (its process
    ended abruptly). The same command resumes a stopped or killed run. The score is the mean return with which its best
    policy was saved.

    Examples:

    \b
      paac runs
      paac runs runs/pong --json
    """
    from paac_cli.reporting.run_list import format_runs, list_runs
    from paac_cli.runs.saved_run import find_runs

    listed = list_runs(find_runs(directory), directory)
    if as_json:
        print_json({"runs": listed})
    else:
        print_result(format_runs(listed, terminal_width()))
