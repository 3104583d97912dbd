"""The report of `paac verify`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paac_cli.events import Approximate, Event, ReplayDiverged
from paac_cli.machine import machine
from paac_cli.runs.runtime import Runtime
from paac_cli.text import counted, in_ranks, one_line
from paac_cli.training.verification import reasons_to_differ

if TYPE_CHECKING:
    from paac_cli.training.verification import Comparison, Interval

_MAX_NAMES = 3  # of values that differ, per line
_SHA256_DIGITS = 16


class Segment(NamedTuple):
    """One part of the retraining, from a start or resume to the next stop, with its own pool."""

    num_workers: int
    end: int  #: steps at its end, counted from the start of the run
    restarts: int  #: workers that were killed and restarted
    events: tuple[Event, ...]


def verification_report(
    run: Path,
    interval: "Interval",
    segments: Sequence[Segment],
    comparisons: "Sequence[Comparison]",
    runtime: Runtime,
) -> dict[str, Any]:
    """The whole report as plain data. The last of `comparisons` is that of the metrics. runtime: of this process."""
    events = [event for segment in segments for event in segment.events]
    reasons = [*reasons_to_differ(interval, runtime), *(reason for event in events for reason in _reasons(event))]
    return {
        "run": str(run),
        "from_step": interval.steps.start,
        "to_step": interval.steps.stop,
        "same": not any(comparison.different for comparison in comparisons),
        "compared": [comparison._asdict() for comparison in comparisons],
        "segments": [
            {"to_step": segment.end, "num_workers": segment.num_workers, "restarts": segment.restarts}
            for segment in segments
        ],
        "events": [str(event) for event in events],
        "approximate": list(dict.fromkeys(reasons)),
        "runtime": runtime.model_dump(),
        "machine": machine(),
    }


def _reasons(event: Event) -> tuple[str, ...]:
    """Why results may differ since `event`."""
    match event:
        case Approximate(reasons):
            return reasons
        case ReplayDiverged(envs):
            return (f"environments {list(envs)} diverged on replay",)
        case _:
            return ()


def format_verification(report: dict[str, Any]) -> str:
    """A `verification_report` as text."""
    return "\n".join(map(one_line, _lines(report)))


def _lines(report: dict[str, Any]) -> Iterator[str]:
    start = f"step {report['from_step']:,}" if report["from_step"] else "the start"
    yield f"{report['run']}, {start} to step {report['to_step']:,}"
    ranks = 1 + len(report["runtime"]["others"])
    yield f"retrained {'; stopped and resumed, '.join(_describe_segment(each, ranks) for each in report['segments'])}"
    yield ""
    for compared in report["compared"]:
        sha256 = compared["sha256"][:_SHA256_DIGITS]
        yield f"  {compared['what']:10}{compared['total']:>8,}   {_result(compared):32}   {sha256}"
    yield ""
    if not report["compared"][-1]["total"]:
        yield "metrics.csv has no rows for these steps, so no metrics were compared"
    yield from (f"Approximate: {reason}" for reason in report["approximate"])
    yield _conclusion(report)


def _describe_segment(segment: dict[str, Any], ranks: int) -> str:
    restarts = f", {segment['restarts']} killed and restarted" if segment["restarts"] else ""
    return f"to step {segment['to_step']:,} on {counted(segment['num_workers'], 'worker')}{in_ranks(ranks)}{restarts}"


def _result(compared: dict[str, Any]) -> str:
    if not compared["different"]:
        return "identical"
    names = ", ".join(compared["different"][:_MAX_NAMES])
    more = ", ..." if len(compared["different"]) > _MAX_NAMES else ""
    return f"{len(compared['different']):,} DIFFER: {names}{more}"


def _conclusion(report: dict[str, Any]) -> str:
    if report["same"]:
        return "Identical, bit for bit."
    if report["approximate"]:
        return "Not identical. The reasons above may explain it."
    return (
        "Not identical. A run that was trained on another machine, number of cores or GPU may differ for that reason. "
        "Otherwise paac has a bug, the environment uses a random generator that its seed does not control, or an "
        "algorithm of your own has state that neither its `policy` nor its `learner` holds."
    )
