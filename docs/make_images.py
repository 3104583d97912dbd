"""Makes the pictures in docs/img: `python docs/make_images.py` in the root of the repository, where paac is installed.

Each function makes one picture; names of functions as arguments make only those.
"""

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av

IMAGES = Path(__file__).parent / "img"


def pong_gif() -> None:
    """`paac record --overlay` with the policy of results/pong, smaller and with 15 frames per second."""
    with tempfile.TemporaryDirectory() as directory:
        film = Path(directory) / "pong.mp4"
        paac("record", film, "--checkpoint", "results/pong/seed1", "--overlay", "--seed", 5, "--seconds", 12)
        film_to_gif(film, IMAGES / "pong.gif", "trim=start=4,setpts=PTS-STARTPTS,fps=15,scale=660:-1:flags=area")


def paac(*arguments: object) -> None:
    """Run a command of paac."""
    subprocess.run([sys.executable, "-m", "paac_cli", *map(str, arguments)], check=True)


def film_to_gif(film: Path, gif: Path, filters: str) -> None:
    """Convert `film` with one palette for all frames, so that only what changes is stored."""
    graph = av.filter.Graph()
    with av.open(str(film)) as source, av.open(str(gif), "w") as target:
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


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or ["pong_gif"]:
        globals()[name]()
