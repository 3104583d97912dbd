"""paac verify"""

import contextlib
import json
import tempfile
from collections.abc import Container
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paac_cli.cli.options import json_option, trust_option
from paac_cli.cli.output import inform, print_event, warn

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.events import Event
    from paac_cli.reporting.verification_report import Segment
    from paac_cli.runs.checkpoint import Checkpoint
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.stop import StopRequest


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--from-start", is_flag=True, help="Train the whole run again, not only its last stretch.")
@trust_option
@json_option
def verify(run: Path, from_start: bool, trusted: Container[str], as_json: bool) -> None:
    """Verify that a run is a function of its config and its seed.

    RUN is a run directory; it is only read. The steps between its last two checkpoints are trained again with other
    numbers of workers, stopped half-way and resumed, and with a worker killed (if the stretch is long enough). Then
    every array of the checkpoint and every logged metric is compared, except those that depend on the clock.

    Exits with 0 if everything is the same, with 1 if something differs, and with 2 if the run cannot be verified.

    Examples:

    \b
      paac verify runs/pong-seed1
      paac verify runs/cartpole-seed1 --from-start --json
    """
    from paac_cli.reporting.verification_report import format_verification, verification_report
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.stop import StopRequest
    from paac_cli.training.verification import compare, compare_metrics, find_stretch, read_metrics, segment_configs

    stretch = find_stretch(run, from_start=from_start, trusted=trusted, warn=warn)
    steps, rows = stretch.steps, read_metrics(RunDirectory(run).metrics_csv)
    inform(f"Training steps {steps.start:,} to {steps.stop:,} again; the run took {_format_time(stretch.seconds)}")
    with tempfile.TemporaryDirectory(prefix="paac-verify-") as directory, StopRequest() as stop:
        stop.begin()
        copy, again, segments = RunDirectory(Path(directory)), stretch.start, []
        for config in segment_configs(stretch):
            if again is not None and again.counters.steps == steps.stop:
                break  # a single rollout cannot be stopped half-way
            segments.append(_train(config, copy, again, stop))
            if stop:
                inform("Stopped: nothing is verified")
                click.get_current_context().exit(stop.exit_code)
            again = copy.latest(config, warn)
        assert again is not None
        run_rows = {at: row for at, row in rows if at - 1 in steps}
        comparisons = [*compare(stretch.end, again), compare_metrics(run_rows, dict(read_metrics(copy.metrics_csv)))]
        report = verification_report(run, stretch, segments, comparisons, again.runtime)
    click.echo(json.dumps(report, indent=2) if as_json else format_verification(report))
    click.get_current_context().exit(0 if report["same"] else 1)


def _train(
    config: "RunConfig", run_dir: "RunDirectory", checkpoint: "Checkpoint | None", stop: "StopRequest"
) -> "Segment":
    """Train in `run_dir` from `checkpoint` to the end of `config`. Raises VerificationError if training fails."""
    from paac_cli.errors import LearningError, VerificationError, WorkerError
    from paac_cli.reporting.verification_report import Segment
    from paac_cli.training.loading import load_training
    from paac_cli.training.progress import Progress

    progress, events = Progress(config.training.stop_when, checkpoint), []

    def log(event: "Event") -> None:
        events.append(event)
        print_event(event)

    with run_dir, load_training(config, log, stopping=lambda: bool(stop)) as (_, pool, agent, _):
        from paac_cli.runs.sinks import CsvSink
        from paac_cli.training.device import runtime
        from paac_cli.training.loop import Training, train
        from paac_cli.training.worker_killer import WorkerKiller

        run_dir.claim(config, fresh=False)
        run_dir.create(config, fresh=False)
        killer = WorkerKiller(pool, range(progress.steps, config.training.total_steps))
        here = runtime(deterministic=config.training.deterministic)
        try:
            with contextlib.closing(CsvSink(run_dir.metrics_csv, progress.steps, log)) as table:
                sinks = (table, killer)
                train(Training(config, agent, pool, run_dir, progress, here, sinks, _ignore, stop), checkpoint)
        except (WorkerError, LearningError) as error:
            raise VerificationError(f"the run cannot be trained again: {error}") from error
        return Segment(pool.num_workers, progress.steps, pool.restarts, tuple(events))


def _ignore(event: "Event") -> None:
    """The loop's own events: the report says what they say."""


def _format_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
