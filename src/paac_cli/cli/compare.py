"""paac compare"""

from pathlib import Path

import click

from paac_cli.cli.options import FiniteRange, RunPath
from paac_cli.cli.output import print_json, print_result, terminal_width


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunPath(), metavar="RUN...")
@click.option(
    "--threshold",
    type=FiniteRange(),
    metavar="RETURN",
    help="Count steps and minutes to this mean return of 100 games.  [default: the goal of the runs, "
    "`training.stop_when`, if it is such a mean]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="Form of the output.",
)
def compare(runs: tuple[Path, ...], threshold: float | None, form: str) -> None:
    """Compare trainings in a table.

    Each `RUN` is a run directory, or a directory of runs. Runs that differ only in their seed become one row. It has
    their final and best mean return with intervals, steps and time to a threshold, and speed; below the rows is what
    differs in their configs. The same game under other rules has a row of its own.

    Examples:

    \b
      paac compare runs/cartpole runs/ppo-cartpole
      paac compare runs --threshold 15 --format markdown
    """
    from paac_cli.reporting import comparison_text
    from paac_cli.reporting.comparison import compare as compare_series
    from paac_cli.reporting.series import sort_into_series
    from paac_cli.runs.saved_run import read_runs

    comparison = compare_series(sort_into_series(read_runs(runs)), threshold)
    match form:
        case "json":
            print_json(comparison)
        case "csv":
            print_result(comparison_text.format_csv(comparison))
        case "markdown":
            print_result(comparison_text.format_markdown_page(comparison))
        case _:
            print_result(comparison_text.format_text(comparison, terminal_width()))
