"""paac verify"""

import contextlib
import json
import tempfile
from collections.abc import Container
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paac_cli.cli.options import trust_option
from paac_cli.cli.output import inform, warn
from paac_cli.training.loading import loaded

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.reporting.verification_report import Sitting
    from paac_cli.runs.checkpoint import Checkpoint
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.stop import StopRequest


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--from-start", is_flag=True, help="Train the whole run again, not only what came last.")
@trust_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and nothing else, on standard output.")
def verify(run: Path, from_start: bool, trusted: Container[str], as_json: bool) -> None:
    """Prove that a run is a function of its config and its seed.

    RUN is a run directory, which is only read. What it did between its last two checkpoints is trained again, on other
    numbers of workers, stopped half-way and resumed, and with workers killed on the way, as far as it is long enough;
    then every array of the checkpoint and every logged number but the clock's is compared.

    Exits with 0 where all is the same, 1 where something differs, 2 where it cannot be verified.
    """
    from paac_cli.reporting.verification_report import in_words, report
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.stop import StopRequest
    from paac_cli.training.verification import compare, compare_logs, find_stretch, read_log, sittings

    stretch = find_stretch(run, from_start=from_start, trusted=trusted, warn=warn)
    steps, log = stretch.steps, read_log(RunDirectory(run).metrics_csv)
    inform(
        f"training steps {steps.start:,} to {steps.stop:,} again, and killing workers on the way; the run took "
        f"{_time(stretch.seconds)}"
    )
    with tempfile.TemporaryDirectory(prefix="paac-verify-") as place, StopRequest() as stop:
        stop.begin()
        copy, again, held = RunDirectory(Path(place)), stretch.start, []
        for config in sittings(stretch):
            if again is not None and again.counters.steps == steps.stop:
                break  # a single rollout cannot be stopped half-way
            held.append(_train(config, copy, again, stop))
            if stop:
                inform("Stopped: nothing is verified")
                click.get_current_context().exit(stop.exit_code)
            again = copy.latest(config, warn)
        assert again is not None
        logged = compare_logs({at: row for at, row in log if at - 1 in steps}, dict(read_log(copy.metrics_csv)))
        found = report(run, stretch, held, [*compare(stretch.end, again), logged], again.versions)
    click.echo(json.dumps(found, indent=2) if as_json else in_words(found))
    click.get_current_context().exit(0 if found["same"] else 1)


def _train(config: "RunConfig", run: "RunDirectory", checkpoint: "Checkpoint | None", stop: "StopRequest") -> "Sitting":
    """Train in `run`, from `checkpoint` to the end of `config`. Raises VerificationError where environments fail."""
    from paac_cli.errors import LearningError, VerificationError, WorkerError
    from paac_cli.reporting.verification_report import Sitting
    from paac_cli.training.progress import Progress

    progress, events = Progress(config.training.stop_when, checkpoint), []

    def tell(text: str) -> None:
        events.append(text)
        inform(text)

    with run, loaded(config, tell, lambda: bool(stop)) as (_, pool, agent, device):
        from paac_cli.runs.sinks import CsvSink
        from paac_cli.training.loop import train
        from paac_cli.training.worker_killer import WorkerKiller

        run.claim(config, fresh=False)
        run.create(config, fresh=False)
        killer = WorkerKiller(pool, range(progress.steps, config.training.total_steps))
        try:
            with contextlib.closing(CsvSink(run.metrics_csv, progress.steps, tell)) as table:
                train(config, agent, pool, run, checkpoint, progress, (table, killer), lambda _: None, stop)
        except (WorkerError, LearningError) as error:
            raise VerificationError(f"it cannot be trained again: {error}") from error
        return Sitting(pool.num_workers, progress.steps, device, pool.restarts, tuple(events))


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
