"""One long training: what it takes of the machine stays what it was after the first minutes."""

import contextlib
import csv
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
from numpy.typing import NDArray

from chaos.sittings import Recipe, Sitting, recipe
from chaos.slope import Slope, slope
from chaos.tally import Tally

matplotlib.use("Agg")

import matplotlib.pyplot as plt

_SAMPLES, _FEWEST = 720, 30  # of the whole soak
_SHORTEST = 0.2  # seconds between them
_WARM_UP = 0.15  # of the samples, which say nothing
_TO_LEAVE = 20.0  # seconds
PONG = recipe("PAAC on Pong", "pong", sampling__num_envs=32, training__total_steps=10**12)

#: What is watched -> what the upper bound of its rise per hour must stay below.
LIMITS = {
    "learner RSS, MB": 8.0,
    "learner anonymous, MB": 8.0,
    "learner descriptors": 1.0,
    "learner threads": 1.0,
    "workers RSS, MB": 8.0,
    "workers anonymous, MB": 8.0,
    "workers descriptors": 1.0,
    "workers threads": 1.0,
    "processes": 1.0,
    "shared memory, MB": 1.0,
}

Sample = dict[str, float]


def run(*, seed: int = 1, minutes: float = 60.0, out: Path = Path("results"), what: Recipe = PONG) -> Tally:
    """Train `what` for so long and look at it from outside; leaves reliability-soak.csv and .png in `out`."""
    begin = time.monotonic()
    seeded = Recipe(what.name, (*what.arguments, "--seed", str(seed)))
    with TemporaryDirectory(prefix="paac-chaos-") as place, Sitting(seeded, Path(place) / "run") as sitting:
        samples, losses = _watch(sitting, minutes * 60), []
        sitting.send(signal.SIGTERM)
        if (code := sitting.wait(_TO_LEAVE)) != 128 + signal.SIGTERM:
            losses.append(f"SIGTERM in the end: exit code {code}")
        losses += sitting.leftovers(2.0)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "reliability-soak.csv", samples)
    slopes = slopes_of(samples)
    _draw(out / "reliability-soak.png", samples, slopes)
    losses += grown(slopes)
    return Tally(
        f"resources that stay flat in {minutes:g} minutes of {what.name}",
        len(slopes),
        len(losses),
        time.monotonic() - begin,
        (
            f"{len(samples)} samples, the first {_WARM_UP:.0%} left out; rise per hour: least squares on the means of "
            "20 blocks, with bounds of 95 % confidence; flat where the upper bound stays below the limit",
            *(_told(name, found, samples) for name, found in slopes.items()),
            "[every sample](reliability-soak.csv), [drawn](reliability-soak.png)",
            *(f"LOST: {loss}" for loss in losses),
        ),
    )


def slopes_of(samples: Sequence[Sample]) -> dict[str, Slope]:
    """What is watched -> its rise per hour after the warm-up. Raises ValueError where there are too few samples."""
    hours = _column(_settled(samples), "seconds") / 3600
    return {name: slope(hours, _column(_settled(samples), name)) for name in LIMITS}


def grown(slopes: Mapping[str, Slope]) -> list[str]:
    """What may be growing by its limit or more."""
    return [name for name, found in slopes.items() if not found.high < LIMITS[name]]


def _settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(len(samples) * _WARM_UP) :]


def _column(samples: Sequence[Sample], name: str) -> NDArray[np.float64]:
    return np.array([sample[name] for sample in samples])


def _told(name: str, found: Slope, samples: Sequence[Sample]) -> str:
    level = float(np.median(_column(_settled(samples), name)))
    return (
        f"{name}: {level:,.1f}; {found.per_hour:+.2f} per hour ({found.low:+.2f} to {found.high:+.2f}), "
        f"limit {LIMITS[name]:g}"
    )


def _watch(sitting: Sitting, seconds: float) -> list[Sample]:
    """Samples of a training that goes on for `seconds`, once it trains. Raises RuntimeError if it ends before."""
    while not sitting.has_begun:
        _go_on(sitting, 0.1)
    begin = time.monotonic()
    samples: list[Sample] = []
    while (now := time.monotonic() - begin) < seconds or len(samples) < _FEWEST:
        samples.append({"seconds": now} | _sample(sitting))
        _go_on(sitting, max(_SHORTEST, seconds / _SAMPLES))
    return samples


def _go_on(sitting: Sitting, seconds: float) -> None:
    if (code := sitting.wait(seconds)) is not None:
        raise RuntimeError(f"the training ended with exit code {code}:\n{sitting.said}")


def _sample(sitting: Sitting) -> Sample:
    workers = [process.pid for process in sitting.workers()]
    return {
        **{f"learner {name}": value for name, value in _taken_by([sitting.pid]).items()},
        **{f"workers {name}": value for name, value in _taken_by(workers).items()},
        "processes": len(sitting.processes()),
        "shared memory, MB": sum(_memory_files(sitting.pid).values()) / 1e6,
    }


def _taken_by(pids: Sequence[int]) -> dict[str, float]:
    """What processes take together. Anonymous memory is what no file backs, shared by a fork or not: unlike PSS, it
    does not change where other programs map the same libraries.
    """
    return {
        "RSS, MB": sum(_megabytes(pid, "Rss") for pid in pids),
        "anonymous, MB": sum(_megabytes(pid, "Anonymous") for pid in pids),
        "descriptors": sum(_entries(f"/proc/{pid}/fd") for pid in pids),
        "threads": sum(_entries(f"/proc/{pid}/task") for pid in pids),
    }


def _megabytes(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


def _entries(directory: str) -> int:
    return sum(1 for _ in Path(directory).iterdir())


def _memory_files(pid: int) -> dict[int, int]:
    """Inode -> bytes of the anonymous files that a process has open; it shares them with its workers."""
    found = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if str(descriptor.readlink()).startswith("/memfd:"):
                status = descriptor.stat()
                found[status.st_ino] = status.st_blocks * 512
    return found


def _write(path: Path, samples: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(samples[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in sample.items()} for sample in samples)


def _draw(path: Path, samples: Sequence[Sample], slopes: Mapping[str, Slope]) -> None:
    figure, panels = plt.subplots(len(slopes), sharex=True, figsize=(8, 1.3 * len(slopes)), layout="constrained")
    minutes, settled = _column(samples, "seconds") / 60, _column(_settled(samples), "seconds") / 60
    for axes, (name, found) in zip(panels, slopes.items(), strict=True):
        axes.plot(minutes, _column(samples, name), linewidth=1)
        middle = _column(_settled(samples), name).mean() - found.per_hour * settled.mean() / 60
        axes.plot(settled, middle + found.per_hour * settled / 60, color="black", linestyle=":", linewidth=1)
        axes.set_title(name, fontsize="small", loc="left")
        axes.set_ylim(0, 1.2 * _column(samples, name).max())
    panels[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)
    plt.close(figure)
