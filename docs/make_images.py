"""Makes the pictures of docs/img: `python docs/make_images.py [NAME ...]`, by default all, where paac is installed.

`report.png` and its like need Chromium, and `watch.png` needs Xvfb (on Debian: apt install chromium xvfb). To add a
picture, write a function that writes it into a directory, and name it in IMAGES.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageGrab
from rich.console import Console, Group
from rich.terminal_theme import MONOKAI

from paac_cli.events import CheckpointSaved
from paac_cli.reporting.learning_history import LearningHistory, rows_before
from paac_cli.reporting.live_view import RunMoment, RunPlan, draw

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"


def paac(*arguments: object) -> str:
    """Run a command of paac. Returns what it prints."""
    command = [sys.executable, "-m", "paac_cli", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def live_view(directory: Path) -> None:
    """What `paac train --preset pong` shows on a terminal after 1,300,000 steps of results/pong/seed1."""
    rows = list(rows_before(RESULTS / "pong" / "seed1" / "metrics.csv", 1_300_000))
    history = LearningHistory(rows[:-20])
    for row in rows[-20:]:
        history.write(row.steps, row.metrics)
    saved = next(row for row in rows if row.steps == 1_250_000)
    event = CheckpointSaved(saved.steps, saved.mean_return, is_best=True)
    plan = RunPlan("ALE/Pong-v5, paac, in runs/pong-seed1", 4_000_000, True, log_every=10_000, environments="emulator")
    moment = RunMoment(history, event=str(event), event_age=rows[-1].seconds - saved.seconds)
    console = _recording_console(80)
    console.print("$ paac train --preset pong", highlight=False)
    console.print(Group(*draw(plan, moment, 77, 24)))
    _write_svg(console, "paac train", directory / "train.svg")


def comparison(directory: Path) -> None:
    """What `paac compare` prints for the committed runs of CartPole."""
    runs = [f"results/learning/{name}cartpole-seed{seed}" for name in ("", "ppo-") for seed in (1, 2, 3)]
    console = _recording_console(116)
    console.print("$ paac compare runs/cartpole runs/ppo-cartpole", highlight=False)
    console.print(paac("compare", *runs), highlight=False, markup=False, soft_wrap=False)
    _write_svg(console, "paac compare", directory / "compare.svg")


def curves(directory: Path) -> None:
    """`paac plot` of the committed small runs: one panel per environment."""
    paac("plot", RESULTS / "learning", "--out", directory / "plot.png")


def pong_video(directory: Path) -> None:
    """`paac record --overlay` with the policy of results/pong, smaller and with 15 frames per second."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "pong.mp4"
        paac("record", path, "--checkpoint", "results/pong/seed1", "--overlay", "--seed", 5, "--seconds", 12)
        _to_gif(path, directory / "pong.gif", "trim=start=4,setpts=PTS-STARTPTS,fps=15,scale=660:-1:flags=area")


def reports(directory: Path) -> None:
    """`paac report`: a run of Pong, and a group of CartPole in the dark and on a phone."""
    sys.path.insert(0, str(ROOT / "tests"))
    from headless_chromium import chromium

    with tempfile.TemporaryDirectory() as scratch, chromium() as page:
        group = Path(scratch, "runs", "cartpole")
        paac("train", "--preset", "cartpole", "--seeds", "1-3", "--jobs", "2", "--run-dir", group)
        paac("report", group, "--out", f"{scratch}/group.html")
        pong = RESULTS / "pong"
        paac("report", pong / "seed1", "--video", pong / "pong.gif", "--out", f"{scratch}/pong.html")
        for name, file, options in (
            ("report", "pong.html", {"width": 800, "height": 960}),
            ("report-dark", "group.html", {"width": 800, "height": 1124, "dark": True}),
            ("report-phone", "group.html", {"width": 360, "height": 1210, "mobile": True}),
        ):
            page.open(Path(scratch, file), **options)
            (directory / f"{name}.png").write_bytes(page.screenshot())


def watch(directory: Path) -> None:
    """The window of `paac watch`, on a virtual display."""
    display = ":97"
    with subprocess.Popen(["Xvfb", display, "-screen", "0", "1000x640x24"], stderr=subprocess.DEVNULL) as server:
        command = [sys.executable, "-m", "paac_cli", "watch", str(RESULTS / "pong" / "seed1"), "--seed", "5"]
        with subprocess.Popen(command, env={**os.environ, "DISPLAY": display}, cwd=ROOT) as window:
            picture = _window_on(display)
            window.terminate()
        server.terminate()
    picture.save(directory / "watch.png")


def _window_on(display: str) -> Image.Image:
    """A picture of the window on a virtual display, some seconds after it has appeared."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(1)
        with contextlib.suppress(OSError):  # the display is not there yet
            if ImageGrab.grab(xdisplay=display).getbbox() is not None:
                time.sleep(6)
                screen = ImageGrab.grab(xdisplay=display)
                return screen.crop(screen.getbbox())
    raise TimeoutError("no window appeared within two minutes")


def _recording_console(width: int) -> Console:
    return Console(width=width, file=io.StringIO(), record=True, force_terminal=True)


def _write_svg(console: Console, title: str, path: Path) -> None:
    """What was printed, without the fonts that Rich would have it download, and without spaces at the ends of lines."""
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=path.stem)
    before, _, rest = svg.partition("@font-face")
    after = rest.rpartition("@font-face")[2].partition("}")[2]
    path.write_text("".join(f"{line.rstrip()}\n" for line in (before + after).splitlines()))


def _to_gif(video: Path, gif: Path, filters: str) -> None:
    """Convert `video` with one palette for all frames, so that only what changes is stored."""
    graph = av.filter.Graph()
    with av.open(str(video)) as source, av.open(str(gif), "w") as target:
        video = source.streams.video[0]
        last = graph.add_buffer(template=video)
        for each in filters.split(","):
            name, _, options = each.partition("=")
            last.link_to(node := graph.add(name, options))
            last = node
        split, palette = graph.add("split"), graph.add("palettegen", "max_colors=64:stats_mode=diff")
        use, sink = graph.add("paletteuse", "dither=none:diff_mode=rectangle"), graph.add("buffersink")
        last.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        for frame in source.decode(video):
            graph.push(frame)
        graph.push(None)
        stream = None
        while True:
            try:
                frame = graph.pull()
            except (av.error.EOFError, av.error.BlockingIOError):
                break
            if stream is None:
                stream = target.add_stream("gif", rate=15)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
                stream.time_base = Fraction(1, 100)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


#: Picture -> the function that writes it, and perhaps others, into a directory.
IMAGES: dict[str, Callable[[Path], None]] = {
    "train.svg": live_view,
    "compare.svg": comparison,
    "plot.png": curves,
    "pong.gif": pong_video,
    "watch.png": watch,
    "report.png": reports,
    "report-dark.png": reports,
    "report-phone.png": reports,
}


if __name__ == "__main__":
    for function in dict.fromkeys(IMAGES[name] for name in sys.argv[1:] or IMAGES):
        function(ROOT / "docs" / "img")
