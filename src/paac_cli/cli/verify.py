"""paac verify"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paac_cli.cli.launch import run_in_ranks
from paac_cli.cli.options import RunPath, json_option, trust_option, worker_timeout_option
from paac_cli.cli.output import ResultsOnly, inform, print_event, print_report, warn
from paac_cli.text import clock

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.events import Event
    from paac_cli.reporting.verification_report import Segment
    from paac_cli.runs.checkpoint import Checkpoint
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.ranks import Ranks
    from paac_cli.training.stop import StopRequest
    from paac_cli.training.verification import Interval


@click.command(cls=ResultsOnly)
@click.argument("run", type=RunPath())
@click.option("--from-start", is_flag=True, help="Retrain the whole run, not only its last interval.")
@worker_timeout_option
@trust_option
@json_option
def verify(run: Path, from_start: bool, worker_timeout: float | None, trusted: Container[str], as_json: bool) -> None:
    """Verify that a run is a function of its config and its seed.

    `RUN` is a run directory, which is not changed. The interval between its last two checkpoints is retrained with
    other numbers of workers, with a stop and a resume half-way, and with a killed worker if the interval is long
    enough. Then all arrays of the checkpoint and all metrics are compared, except metrics that depend on the clock.

    The exit code is 0 if everything is identical, 1 if something differs, and 2 if the run cannot be verified.

    Examples:

    \b
      paac verify runs/pong-seed1
      paac verify runs/cartpole-seed1 --from-start --json
    """
    from paac_cli.reporting.verification_report import format_verification, verification_report
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.join import join_ranks
    from paac_cli.training.stop import StopRequest
    from paac_cli.training.verification import Interval, compare, compare_metrics, find_interval, read_metrics

    interval = find_interval(run, from_start=from_start, trusted=trusted, warn=warn)
    with _failing_as_unverifiable():
        ranks = join_ranks(interval.end.config)
    if ranks.size == 1 < interval.end.runtime.ranks:
        click.get_current_context().exit(run_in_ranks(interval.end.runtime.ranks, sys.argv[1:]))
    with (
        _failing_as_unverifiable(),
        ranks.explaining_failures(),
        tempfile.TemporaryDirectory(prefix="paac-verify-") as directory,
        StopRequest(has_begun=True, at_once=lambda: _abandon(directory)) as stop,
    ):
        start, end = (ranks.checkpoint_of_first(checkpoint, interval.end.config) for checkpoint in interval)
        assert end is not None
        interval, copy = Interval(start, end), RunDirectory(Path(directory))
        steps = interval.steps
        rows = dict(read_metrics(RunDirectory(run).metrics_csv, steps)) if ranks.is_first else {}
        if ranks.is_first:
            inform(
                f"Retraining steps {steps.start:,} to {steps.stop:,}; the run needed {clock(interval.seconds)} for them"
            )
            inform("A worker is killed on purpose in each part that is long enough")
        retrained, segments = _retrain(interval, copy, worker_timeout, stop, ranks)
        ranks.finish()
        if retrained is None:
            if ranks.is_first:
                inform("Stopped: nothing has been verified")
            click.get_current_context().exit(stop.exit_code)
        if not ranks.is_first:
            return
        comparisons = [
            *compare(interval.end, retrained),
            compare_metrics(rows, dict(read_metrics(copy.metrics_csv))),
        ]
        report = verification_report(run, interval, segments, comparisons, retrained.runtime)
    print_report(report, format_verification, as_json=as_json)
    click.get_current_context().exit(0 if report["same"] else 1)


@contextlib.contextmanager
def _failing_as_unverifiable() -> Iterator[None]:
    """A run that cannot be retrained differs from nothing: in this block, its failures are VerificationErrors."""
    from paac_cli.errors import ClusterError, LearningError, VerificationError, WorkerError

    try:
        yield
    except (ClusterError, LearningError, WorkerError) as error:
        raise VerificationError(f"the run cannot be retrained: {error}") from error


def _retrain(
    interval: "Interval", copy: "RunDirectory", worker_timeout: float | None, stop: "StopRequest", ranks: "Ranks"
) -> "tuple[Checkpoint | None, list[Segment]]":
    """Retrain `interval` in the run directory `copy`. Returns the last checkpoint; None if a signal stopped it."""
    from paac_cli.training.verification import segment_configs

    retrained, segments = interval.start, []
    for config in segment_configs(interval):
        if retrained is not None and retrained.counters.steps == interval.steps.stop:
            break  # a single rollout cannot be stopped half-way
        if worker_timeout is not None:
            config = config.with_settings("sampling", worker_timeout=worker_timeout)
        segments.append(_train(config, copy, retrained, stop, ranks))
        if signal := ranks.agree_on(stop.signal):
            stop.adopt(signal)
            return None, segments
        retrained = ranks.checkpoint_of_first(copy.latest(config, warn) if ranks.is_first else None, config)
    return retrained, segments


def _abandon(directory: str) -> str:
    """Delete the copy of the run, perhaps of gigabytes."""
    shutil.rmtree(directory, ignore_errors=True)
    return "nothing has been verified"


def _train(
    config: "RunConfig",
    run_dir: "RunDirectory",
    checkpoint: "Checkpoint | None",
    stop: "StopRequest",
    ranks: "Ranks",
) -> "Segment":
    """Train in `run_dir` from `checkpoint` to the end of `config`."""
    from paac_cli.reporting.verification_report import Segment
    from paac_cli.training.loading import load_training
    from paac_cli.training.progress import Progress

    progress, events = Progress(config.training.stop_when, checkpoint, config.info_keys), []

    def log(event: "Event") -> None:
        events.append(event)
        print_event(event)

    with (
        run_dir,
        load_training(config, run_dir, progress, ranks.logging_once(log), stop, checkpoint, ranks) as training,
    ):
        from paac_cli.runs.sinks import CsvSink
        from paac_cli.training.loop import train
        from paac_cli.training.worker_killer import WorkerKiller

        config, pool = training.config, training.pool
        training.sinks.append(WorkerKiller(pool, range(progress.steps, config.training.total_steps)))
        with contextlib.ExitStack() as closing:
            if ranks.is_first:
                run_dir.claim(config, fresh=False)
                run_dir.create(config, fresh=False)
                table = closing.enter_context(contextlib.closing(CsvSink(run_dir.metrics_csv, progress.steps, log)))
                training.sinks.append(table)
            train(replace(training, log=_ignore), checkpoint)
        return Segment(pool.num_workers, progress.steps, pool.restarts, tuple(events))


def _ignore(event: "Event") -> None:
    """Discard events of the loop, which the report repeats."""
