"""One long run, whose use of memory, descriptors, threads and processes must stay flat after a warm-up."""

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

from chaos.growth import Growth, growth
from chaos.result import TrialResult
from chaos.session import Recipe, Session, recipe

matplotlib.use("Agg")

import matplotlib.pyplot as plt

_SAMPLES, _MIN_SAMPLES = 720, 30  # number of samples in the whole soak
_MIN_INTERVAL = 0.2  # seconds between two samples
_WARM_UP = 0.15  # share of the samples, at the start, that is ignored
_STOP_TIMEOUT = 20.0  # seconds that the run may take to exit after SIGTERM
PONG = recipe("PAAC on Pong", "pong", sampling__num_envs=32, training__total_steps=10**12)

#: Resource -> limit of the upper bound of its growth per hour.
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


def run(*, seed: int = 1, minutes: float = 60.0, out: Path = Path("results"), trained: Recipe = PONG) -> TrialResult:
    """Train `trained` for `minutes` and sample its resources; writes reliability-soak.csv and .png to `out`."""
    begin = time.monotonic()
    seeded = Recipe(trained.name, (*trained.arguments, "--seed", str(seed)))
    with TemporaryDirectory(prefix="paac-chaos-") as work, Session(seeded, Path(work) / "run") as session:
        samples, failures = _take_samples(session, minutes * 60), []
        session.send(signal.SIGTERM)
        if (code := session.wait(_STOP_TIMEOUT)) != 128 + signal.SIGTERM:
            failures.append(f"after the final SIGTERM: exit code {code}, expected {128 + signal.SIGTERM}")
        failures += session.leftovers(2.0)
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(out / "reliability-soak.csv", samples)
    found = growth_of(samples)
    _draw(out / "reliability-soak.png", samples, found)
    failures += [f"{name} may grow by its limit or more" for name in growing(found)]
    return TrialResult(
        f"resources that must stay flat during {minutes:g} minutes of {trained.name}",
        len(found),
        len(failures),
        time.monotonic() - begin,
        (
            f"{len(samples)} samples, without the first {_WARM_UP:.0%}; growth per hour by least squares on the means "
            "of 20 blocks, with 95% confidence bounds; a resource is flat if the upper bound is below its limit",
            *(_format(name, rate, samples) for name, rate in found.items()),
            "[all samples](reliability-soak.csv), [plot](reliability-soak.png)",
            *(f"FAILED: {failure}" for failure in failures),
        ),
    )


def growth_of(samples: Sequence[Sample]) -> dict[str, Growth]:
    """Resource -> its growth per hour after the warm-up. Raises ValueError if there are too few samples."""
    hours = _column(_without_warm_up(samples), "seconds") / 3600
    return {name: growth(hours, _column(_without_warm_up(samples), name)) for name in LIMITS}


def growing(found: Mapping[str, Growth]) -> list[str]:
    """Resources for which the upper bound of the growth reaches the limit."""
    return [name for name, rate in found.items() if not rate.high < LIMITS[name]]


def _without_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(len(samples) * _WARM_UP) :]


def _column(samples: Sequence[Sample], name: str) -> NDArray[np.float64]:
    return np.array([sample[name] for sample in samples])


def _format(name: str, found: Growth, samples: Sequence[Sample]) -> str:
    level = float(np.median(_column(_without_warm_up(samples), name)))
    return (
        f"{name}: {level:,.1f}; {found.per_hour:+.2f} per hour ({found.low:+.2f} to {found.high:+.2f}), "
        f"limit {LIMITS[name]:g}"
    )


def _take_samples(session: Session, seconds: float) -> list[Sample]:
    """Samples of `seconds` of training from its first row of metrics on. Raises RuntimeError if the run ends before."""
    session.wait_for_rows()  # before, not all memory is in use
    begin = time.monotonic()
    samples: list[Sample] = []
    while (now := time.monotonic() - begin) < seconds or len(samples) < _MIN_SAMPLES:
        samples.append({"seconds": now} | _sample(session))
        if (code := session.wait(max(_MIN_INTERVAL, seconds / _SAMPLES))) is not None:
            raise RuntimeError(f"the training ended with exit code {code}:\n{session.output}{session.errors}")
    return samples


def _sample(session: Session) -> Sample:
    workers = [process.pid for process in session.workers()]
    return {
        **{f"learner {name}": value for name, value in _resources([session.pid]).items()},
        **{f"workers {name}": value for name, value in _resources(workers).items()},
        "processes": len(session.processes()),
        "shared memory, MB": sum(_memory_files(session.pid).values()) / 1e6,
    }


def _resources(pids: Sequence[int]) -> dict[str, float]:
    """Sums over the processes `pids`. Anonymous memory is all memory that no file backs, also pages shared by a fork.
    Unlike PSS, it does not change if other programs map the same libraries.
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
    """Inode -> bytes, for the anonymous files that a process has open: the memory that it shares with its workers."""
    found = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor has just been closed
            if str(descriptor.readlink()).startswith("/memfd:"):
                status = descriptor.stat()
                found[status.st_ino] = status.st_blocks * 512
    return found


def _write_csv(path: Path, samples: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(samples[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in sample.items()} for sample in samples)


def _draw(path: Path, samples: Sequence[Sample], found: Mapping[str, Growth]) -> None:
    figure, panels = plt.subplots(len(found), sharex=True, figsize=(8, 1.3 * len(found)), layout="constrained")
    minutes, settled = _column(samples, "seconds") / 60, _column(_without_warm_up(samples), "seconds") / 60
    for axes, (name, rate) in zip(panels, found.items(), strict=True):
        axes.plot(minutes, _column(samples, name), linewidth=1)
        intercept = _column(_without_warm_up(samples), name).mean() - rate.per_hour * settled.mean() / 60
        axes.plot(settled, intercept + rate.per_hour * settled / 60, color="black", linestyle=":", linewidth=1)
        axes.set_title(name, fontsize="small", loc="left")
        axes.set_ylim(0, 1.2 * _column(samples, name).max())
    panels[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)
    plt.close(figure)
