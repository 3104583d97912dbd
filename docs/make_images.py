"""Makes the pictures of the documentation, in docs/img: `python docs/make_images.py [NAME...]`, by default all.

`report` needs Chromium (on Debian: apt install chromium), and trains CartPole three times, which takes a minute.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "img"
PONG = ROOT / "results" / "pong"

sys.path.insert(0, str(ROOT / "tests"))
from headless_chromium import chromium  # noqa: E402


def paac(*arguments):
    """Run a command of paac."""
    subprocess.run([sys.executable, "-m", "paac_cli", *map(str, arguments)], check=True)


def report():
    """Three pictures of `paac report`: a run of Pong, and a group of CartPole in the dark and on a phone."""
    with tempfile.TemporaryDirectory() as directory, chromium() as page:
        group = Path(directory, "runs", "cartpole")
        paac("train", "--preset", "cartpole", "--seeds", "1-3", "--jobs", "2", "--run-dir", group)
        paac("report", group, "--out", f"{directory}/group.html")
        paac("report", PONG / "seed1", "--film", PONG / "pong.gif", "--out", f"{directory}/pong.html")
        for name, file, options in (
            ("report", "pong.html", {"width": 800, "height": 960}),
            ("report-dark", "group.html", {"width": 800, "height": 1110, "dark": True}),
            ("report-phone", "group.html", {"width": 360, "height": 1210, "mobile": True}),
        ):
            page.open(Path(directory, file), **options)
            (IMAGES / f"{name}.png").write_bytes(page.screenshot())


PICTURES = {"report": report}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
