"""paac plot"""

from pathlib import Path

import click

from paac_cli.cli.options import RunPath, UserPath
from paac_cli.cli.output import inform, print_result
from paac_cli.text import one_line


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunPath(), metavar="RUN...")
@click.option(
    "--out",
    type=UserPath(dir_okay=False),
    help="Image file: `.png`, `.svg` or `.pdf`.  [default: `curve.png` in the first `RUN`]",
)
@click.option(
    "--x",
    type=click.Choice(["steps", "frames", "time"]),
    default="steps",
    show_default=True,
    help="Horizontal axis: agent steps, emulator frames, or minutes of training.",
)
@click.option(
    "--y",
    default="rollout/ep_rew_mean",
    show_default=True,
    metavar="METRIC",
    help="Vertical axis: any column of `metrics.csv`.",
)
@click.option(
    "--aggregate",
    is_flag=True,
    help="Human-normalised scores over all games: their interquartile mean, and the profile of the final scores.",
)
def plot(runs: tuple[Path, ...], out: Path | None, x: str, y: str, aggregate: bool) -> None:
    """Plot learning curves.

    Each `RUN` is a run directory, or a directory of runs. Runs that differ only in their seed become one curve: their
    interquartile mean with its 95 % bootstrap interval, and a thin line per seed. Each game, under its rules, has a
    panel of its own.

    Examples:

    \b
      paac plot runs/pong-seed1
      paac plot runs/pong runs/ppo-pong --x time --out pong.svg
      paac plot runs --y train/entropy
    """
    from paac_cli.errors import RunDirectoryError
    from paac_cli.reporting.plot import FORMATS, plot_runs
    from paac_cli.text import either

    has_y = click.get_current_context().get_parameter_source("y") == click.core.ParameterSource.COMMANDLINE
    if aggregate and has_y:
        raise click.UsageError("--aggregate cannot be combined with --y: it plots human-normalised returns")
    out = out or runs[0] / "curve.png"
    if out.suffix.lower() not in FORMATS:
        raise RunDirectoryError(f"--out {out}: unknown image format; use a name that ends in {either(FORMATS)}")
    left_out = plot_runs(runs, out, x=x, y=y, aggregate=aggregate)
    if left_out:
        named = ", ".join(one_line(str(run)) for run in left_out)
        inform(f"left out, because metrics.csv has no value of {one_line(y)}: {named}")
    print_result(one_line(str(out)))
