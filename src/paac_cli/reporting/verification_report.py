"""What `paac verify` says."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paac_cli.bench.budget import counted
from paac_cli.machine import machine
from paac_cli.sampling.pool import DOUBT
from paac_cli.training.verification import Comparison, Stretch, approximations

_SHOWN = 3  # names of what differs
_DIGITS = 16  # of a SHA-256


class Sitting(NamedTuple):
    """One sitting of the training again."""

    num_workers: int
    end: int  #: the step it came to
    device: str  #: of the learner, in words
    restarts: int  #: workers that were killed and replaced
    events: tuple[str, ...]  #: what it said on its way


def report(
    run: Path,
    stretch: Stretch,
    sittings: Sequence[Sitting],
    compared: Sequence[Comparison],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """All that was found, as plain data. versions: as a checkpoint made here names them."""
    events = [text for sitting in sittings for text in sitting.events]
    strayed = [text.removeprefix(DOUBT) for text in events if text.startswith(DOUBT)]
    return {
        "run": str(run),
        "from_step": stretch.steps.start,
        "to_step": stretch.steps.stop,
        "same": not any(one.different for one in compared),
        "compared": [one._asdict() for one in compared],
        "trained_again": [
            {"to_step": sitting.end, "num_workers": sitting.num_workers, "workers_killed": sitting.restarts}
            for sitting in sittings
        ],
        "events": events,
        "approximate": list(dict.fromkeys([*approximations(stretch, versions), *strayed])),
        "versions": dict(versions),
        "machine": machine(),
    }


def in_words(told: dict[str, Any]) -> str:
    """The report for people."""
    return "\n".join(_lines(told))


def _lines(told: dict[str, Any]) -> Iterator[str]:
    begin = told["from_step"]
    yield f"{told['run']}, {f'step {begin:,}' if begin else 'the start'} to step {told['to_step']:,}"
    yield f"trained again {', stopped and resumed, '.join(map(_way, told['trained_again']))}"
    yield ""
    for one in told["compared"]:
        yield f"  {one['what']:10}{one['total']:>8,}   {_verdict(one):32}   {one['sha256'][:_DIGITS]}"
    yield ""
    if not told["compared"][-1]["total"]:
        yield "no row of metrics.csv lies between the two"
    yield from (f"{DOUBT}{why}" for why in told["approximate"])
    yield _sentence(told)


def _way(sitting: dict[str, Any]) -> str:
    lost = f", {sitting['workers_killed']} killed and replaced" if sitting["workers_killed"] else ""
    return f"to {sitting['to_step']:,} on {counted(sitting['num_workers'], 'worker')}{lost}"


def _verdict(one: dict[str, Any]) -> str:
    if not one["different"]:
        return "the same"
    names = ", ".join(one["different"][:_SHOWN])
    more = ", ..." if len(one["different"]) > _SHOWN else ""
    return f"{len(one['different']):,} DIFFER: {names}{more}"


def _sentence(told: dict[str, Any]) -> str:
    if told["same"]:
        return "The same, bit by bit."
    if told["approximate"]:
        return "Not the same; the reasons may be those above."
    return (
        "Not the same. If the run was made on another machine or number of cores, or on a GPU, this may be why; "
        "otherwise it is a fault of paac's, or the environment has a generator of its own"
    )
