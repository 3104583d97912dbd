"""paac report"""

from pathlib import Path

import click

from paac_cli.cli.options import RunPath, UserPath
from paac_cli.cli.output import inform, print_result
from paac_cli.text import one_line


@click.command()
@click.argument("run", type=RunPath(), metavar="RUN")
@click.option(
    "--out", type=UserPath(dir_okay=False), help="The page.  [default: `report.html` in the run or group directory]"
)
@click.option(
    "--video",
    type=UserPath(dir_okay=False),
    metavar="FILE",
    help="Embed this `.mp4`, `.webm` or `.gif`.  [default: the newest video in `videos/`, up to 8 MB]",
)
def report(run: Path, out: Path | None, video: Path | None) -> None:
    """Write a report of a run or of a group of seeds, as one web page.

    `RUN` is a run directory, or a group that `paac train --seeds` has made. The page shows the result, the learning
    curve, a video of the best policy, the settings and what differs from the preset, how to reproduce the run, the
    machine and versions, and the events. It is one file that loads nothing, so it can be sent by mail. A run that is
    still training can be reported, too.

    Examples:

    \b
      paac report runs/pong-seed1
      paac report runs/pong --out pong.html --video pong.mp4
    """
    from paac_cli.reporting.report.write import write_report

    out = out or run / "report.html"
    missing = write_report(run, out, video)
    if missing:
        inform(f"The report shows no video. {missing}")
    print_result(one_line(f"{out} ({out.stat().st_size / 1e6:.2f} MB)"))
