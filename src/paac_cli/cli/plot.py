"""paac plot"""

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .png, .svg or .pdf file.  [default: curve.png in the first run]",
)
def plot(runs: tuple[Path, ...], out: Path | None) -> None:
    """Draw the learning curves of runs of one game: raw return over steps.

    Each RUN is a run directory.
    """
    from paac_cli.errors import RunDirectoryError
    from paac_cli.reporting.plot import FORMATS, plot_runs

    out = out or runs[0] / "curve.png"
    if out.suffix.lower() not in FORMATS:
        raise RunDirectoryError(f"{out}: write to one of {', '.join(FORMATS)}")
    plot_runs(list(runs), out)
    click.echo(str(out))
