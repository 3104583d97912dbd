"""paac plot"""

from pathlib import Path

import click

from paac_cli.cli.options import UserPath
from paac_cli.cli.output import print_result
from paac_cli.text import one_line


@click.command()
@click.argument("runs", nargs=-1, required=True, type=UserPath(), metavar="RUN...")
@click.option(
    "--out",
    type=UserPath(dir_okay=False),
    help="Image file: .png, .svg or .pdf.  [default: curve.png in the first run directory]",
)
def plot(runs: tuple[Path, ...], out: Path | None) -> None:
    """Plot the learning curves of one or more runs.

    Each RUN is a run directory. A curve shows the mean raw return over steps. All runs must have the same environment
    and rule set.

    Examples:

    \b
      paac plot runs/pong-seed1
      paac plot runs/pong-seed1 runs/pong-seed2 --out pong.svg
    """
    from paac_cli.errors import RunDirectoryError
    from paac_cli.reporting.plot import FORMATS, plot_runs
    from paac_cli.text import either

    out = out or runs[0] / "curve.png"
    if out.suffix.lower() not in FORMATS:
        raise RunDirectoryError(f"--out {out}: unknown image format; use a name that ends in {either(FORMATS)}")
    plot_runs(list(runs), out)
    print_result(one_line(str(out)))
