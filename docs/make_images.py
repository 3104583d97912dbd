"""Makes the pictures of docs/img from the committed results:

    .venv/bin/python docs/make_images.py [NAME ...]

To add one, write a function that writes it to a path, and name it in IMAGES.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.terminal_theme import MONOKAI

from paac_cli.events import CheckpointSaved
from paac_cli.reporting.learning_history import LearningHistory, rows_before
from paac_cli.reporting.live_view import Moment, RunPlan, draw

ROOT = Path(__file__).parents[1]
IMG = ROOT / "docs" / "img"


def live_view(path: Path) -> None:
    """What `paac train --preset pong` shows on a terminal after 1,300,000 steps of results/pong/seed1."""
    rows = list(rows_before(ROOT / "results" / "pong" / "seed1" / "metrics.csv", 1_300_000))
    history = LearningHistory(rows[:-20])
    for row in rows[-20:]:
        history.write(row.steps, row.metrics)
    saved = next(row for row in rows if row.steps == 1_250_000)
    event = CheckpointSaved(saved.steps, saved.mean_return, is_best=True)
    plan = RunPlan("ALE/Pong-v5, paac, in runs/pong-seed1", 4_000_000, True, log_every=10_000, environments="emulator")
    moment = Moment(history, event=str(event), event_age=rows[-1].seconds - saved.seconds)
    width, height = 80, 24
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print("$ paac train --preset pong", highlight=False)
    console.print(Group(*draw(plan, moment, width - 3, height)))
    path.write_text(_without_remote_fonts(console.export_svg(title="paac train", theme=MONOKAI, unique_id=path.stem)))


def _without_remote_fonts(svg: str) -> str:
    """`svg` without the fonts that Rich would have it download, and without spaces at the ends of lines."""
    before, _, rest = svg.partition("@font-face")
    after = rest.rpartition("@font-face")[2].partition("}")[2]
    return "".join(f"{line.rstrip()}\n" for line in (before + after).splitlines())


IMAGES: dict[str, Callable[[Path], None]] = {"train.svg": live_view}


if __name__ == "__main__":
    IMG.mkdir(exist_ok=True)
    for name in sys.argv[1:] or IMAGES:
        IMAGES[name](IMG / name)
