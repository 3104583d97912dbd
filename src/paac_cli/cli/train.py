"""paac train"""

import contextlib
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paac_cli.cli.options import (
    Device,
    UserPath,
    absolute,
    add_cwd_to_path_for,
    algorithm_option,
    default_directory,
    gather_overrides,
    preset_option,
    set_option,
)
from paac_cli.cli.output import ResultsOnly, warn
from paac_cli.cli.seeds import Seeds, require_one_process, train_seeds
from paac_cli.cli.train_output import TrainOutput, headline, style_of
from paac_cli.errors import REQUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paac_cli.config.schema import RunConfig
    from paac_cli.events import Event, Log
    from paac_cli.runs.checkpoint import Checkpoint
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.runs.sinks import MetricSink
    from paac_cli.training.progress import Progress
    from paac_cli.training.ranks import Ranks

#: Dotted config key -> the flag that sets it.
_FLAGS = {
    "env.id": "--env",
    "seed": "--seed",
    "training.device": "--device",
    "training.total_steps": "--total-steps",
    "sampling.num_envs": "--num-envs",
    "sampling.num_workers": "--num-workers",
    "init_from.path": "--init-from",
}


@click.command(cls=ResultsOnly)
@preset_option
@set_option
@algorithm_option
@click.option(
    "--env",
    metavar="ID",
    help="Environment id. If it is not that of the preset, `training.stop_when` is removed unless you set it.  "
    "[env.id]",
)
@click.option("--seed", type=int, help="Seed of every random draw.  [seed]")
@click.option(
    "--seeds",
    type=Seeds(),
    metavar="1-5",
    help="Train once with each of these seeds, e.g. 1-5 or 1,3,7-9, into one group directory: `runs/<preset>/seed<N>`.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="K",
    help="With `--seeds`: train `K` at a time.",
)
@click.option("--device", type=Device(), help="Device of the learner.  [training.device]")
@click.option(
    "--total-steps",
    metavar="STEPS",
    help="Agent steps to train for, summed over all environments.  [training.total_steps]",
)
@click.option("--num-envs", type=int, metavar="N", help="Number of environments.  [sampling.num_envs]")
@click.option("--num-workers", metavar="N|auto", help="Number of worker processes.  [sampling.num_workers]")
@click.option(
    "--run-dir",
    type=UserPath(),
    help="Run directory.  [default: `runs/<preset>-seed<seed>`; `--algorithm` and `--env` add their names]",
)
@click.option(
    "--cluster",
    metavar="HOST:PORT,...",
    help="Train in several processes, the ranks of the run: their addresses, rank 0 first.",
)
@click.option("--rank", type=int, metavar="R", help="With `--cluster`: index of this process's address.")
@click.option(
    "--init-from",
    type=UserPath(),
    metavar="CHECKPOINT",
    help="Begin a new run with the weights of a trained policy: a run directory or a checkpoint.  [init_from.path]",
)
@click.option(
    "--fresh", is_flag=True, help="Start over; an existing run is renamed to `<run-dir>.old-<n>`, not deleted."
)
@click.option("--quiet", is_flag=True, help="Print only warnings, errors and the result.")
@click.option(
    "--log-json", is_flag=True, help="Print metrics, events and the result as JSON, one object a line, for programs."
)
def train(
    preset: str,
    assignments: tuple[str, ...],
    algorithm: str | None,
    run_dir: Path | None,
    seeds: tuple[int, ...] | None,
    jobs: int,
    cluster: str | None,
    rank: int | None,
    fresh: bool,
    quiet: bool,
    log_json: bool,
    **flag_values: Any,
) -> None:
    """Train an agent. The same command, without `--fresh`, resumes a run that was stopped.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 finish the current rollout, save a checkpoint and exit with code 130, 143, 129
    and 75, respectively. A second Ctrl-C exits at once, without saving.

    On a terminal, a live view shows the progress, the return since the start, the best so far and what limits the
    speed. Elsewhere, e.g. in a file, there is a line about every ten seconds. `NO_COLOR=1` turns colours off.

    Examples:

    \b
      paac train --preset pong
      paac train --preset ppo/cartpole --seed 2 --run-dir my-run
      paac train --preset ppo/cartpole --seeds 1-5 --jobs 2
      paac train --preset atari --env ALE/Qbert-v5 --set network.torso=nature
    """
    from paac_cli.config.load import load_run
    from paac_cli.config.presets import find_preset
    from paac_cli.training.find_trackers import require_trackers
    from paac_cli.training.join import join_ranks

    output = TrainOutput(style_of(quiet=quiet, log_json=log_json))
    if seeds is None and jobs > 1:
        raise click.UsageError("--jobs is for --seeds, e.g. --seeds 1-5 --jobs 2")
    if seeds is not None and (flag_values["seed"] is not None or cluster is not None or log_json):
        raise click.UsageError("--seeds cannot be combined with --seed, --cluster or --log-json")
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(REQUEUE))  # until there is something to save
    if flag_values["init_from"] is not None:
        flag_values["init_from"] = str(flag_values["init_from"])
    overrides, flags = gather_overrides(assignments, flag_values, _FLAGS, algorithm)
    path = find_preset(preset)
    add_cwd_to_path_for(path, overrides)
    config = load_run(path, overrides, flags)
    if config.init_from is not None:
        config = config.with_settings("init_from", path=str(absolute(Path(config.init_from.path).expanduser())))
    require_trackers(config.training.trackers)
    substitutes = [name for name in (algorithm, flag_values["env"]) if name]
    if seeds is not None:
        require_one_process("--seeds trains each seed in one process")
        train_seeds(seeds, jobs, run_dir or default_directory(preset, substitutes))
        return
    directory = run_dir or default_directory(preset, [*substitutes, f"seed{config.seed}"])
    ranks = join_ranks(config, cluster, rank)
    with ranks.explaining_failures():
        _run(config, preset, directory, fresh, ranks, output)


def _run(config: "RunConfig", preset: str, directory: Path, fresh: bool, ranks: "Ranks", output: TrainOutput) -> None:
    """Start or resume the run in `directory`, and print its result. Of several ranks, the first one does so."""
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.progress import Progress

    with RunDirectory(absolute(directory), preset) as run_dir:
        checkpoint = None
        if ranks.is_first:
            run_dir.claim(config, fresh=fresh)
            if config.init_from is not None and not fresh:
                config = run_dir.with_its_initial_policy(config)
            checkpoint = None if fresh else run_dir.latest(config, warn)
        checkpoint = ranks.checkpoint_of_first(checkpoint, config)
        progress = Progress(config.training.stop_when, checkpoint, config.info_keys)
        must_evaluate = checkpoint is not None and checkpoint.evaluation_due and config.training.evaluate_every
        if progress.is_finished(config.training.total_steps) and not must_evaluate:
            if ranks.is_first:
                run_dir.finish_earlier()
            ranks.finish()
            if ranks.is_first:
                output.print_already_trained(config, progress, directory)
            return
        exit_code = _train(config, run_dir, directory, fresh, checkpoint, progress, ranks, output)
        if not exit_code:
            run_dir.finish()
    if ranks.is_first:
        output.print_result(config, progress, directory, exit_code, fresh=fresh)
    click.get_current_context().exit(exit_code)


def _train(
    config: "RunConfig",
    run_dir: "RunDirectory",
    directory: Path,
    fresh: bool,
    checkpoint: "Checkpoint | None",
    progress: "Progress",
    ranks: "Ranks",
    output: TrainOutput,
) -> int:
    """Train; returns the exit code. Nothing is written before workers and agent have loaded.

    directory: that of `run_dir`, as the user gave it.
    """
    from paac_cli.config.advice import advice
    from paac_cli.events import Info
    from paac_cli.training.loading import load_training
    from paac_cli.training.stop import StopRequest

    logs: list[Log] = []

    def write(event: "Event") -> None:
        for log in logs or [output.log]:
            log(event)

    log = ranks.logging_once(write)
    if ranks.is_first:
        output.print_loading()
    has_finished = False
    with (
        StopRequest(has_begun=ranks.size > 1) as stop,  # no rank may leave alone, so all stop after the first rollout
        load_training(config, run_dir, progress, log, stop, checkpoint, ranks) as training,
    ):
        from paac_cli.runs.sinks import EventLog
        from paac_cli.training.loop import train as run_loop

        config, spec, start = training.config, training.spec, progress.steps
        stop.begin()
        with contextlib.ExitStack() as closing:
            if ranks.is_first:
                for text in advice(config, spec):
                    warn(text)
                run_dir.create(config, fresh=fresh)
                shown = output.open_view(config, spec, run_dir.metrics_csv, progress, directory, log)
                logs += [shown.view.log, EventLog(run_dir.events)]
                closing.callback(shown.view.close)
                log(Info(headline(config, directory, training.pool.num_workers, training.device, start, ranks.size)))
                last_row = checkpoint.last_row if checkpoint else 0
                training.sinks.extend(shown.sinks)
                training.sinks.extend(_open_sinks(config, run_dir, last_row, log, lambda: has_finished, closing))
            has_finished = run_loop(training, checkpoint)
    ranks.finish()
    return 0 if has_finished else stop.exit_code


def _open_sinks(
    config: "RunConfig",
    run_dir: "RunDirectory",
    last_row: int,
    log: "Log",
    has_finished: "Callable[[], bool]",
    closing: contextlib.ExitStack,
) -> "Iterator[MetricSink]":
    """Open metrics.csv and the trackers, which `closing` closes. last_row: as of the checkpoint; 0 without one."""
    from paac_cli.runs.sinks import CsvSink, TensorBoardSink
    from paac_cli.runs.tracking import TrackedRun, TrackerSink, tracking_id
    from paac_cli.training.find_trackers import TENSORBOARD, make_tracker

    table = CsvSink(run_dir.metrics_csv, last_row, log)
    closing.callback(table.close)
    yield table
    for name in dict.fromkeys(config.training.trackers):
        if name == TENSORBOARD:
            events = TensorBoardSink(run_dir.tensorboard, last_row, log)
            closing.callback(events.close)
            yield events
        else:
            number, settings = tracking_id(run_dir.tracking_id), config.model_dump(mode="json")
            run = TrackedRun(number, run_dir.path.resolve().name, run_dir.path, settings, last_row)
            make = partial(make_tracker, name, run)
            yield closing.enter_context(TrackerSink(name, make, log, has_finished))
