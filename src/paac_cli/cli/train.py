"""paac train"""

import contextlib
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paac_cli.cli.options import RUNS, UserPath, absolute, add_cwd_to_path_for, overrides_from_flags
from paac_cli.cli.output import echo, print_event, print_result, warn
from paac_cli.errors import REQUEUE
from paac_cli.text import counted, in_ranks, shell_quoted

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


@click.command()
@click.option("--preset", required=True, metavar="NAME|FILE", help="Name of a preset, or path of a YAML file.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY.SUB=VALUE", help="Override any config key; repeatable."
)
@click.option(
    "--algorithm",
    metavar="NAME|MODULE:CLASS",
    help="Use another algorithm with its defaults: paac, ppo, nstep_q, dqn, sac, or yours.  [algorithm={name: ...}]",
)
@click.option("--env", metavar="ID", help="Environment id.  [env.id]")
@click.option("--seed", type=int, help="Seed of every random draw.  [seed]")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Device of the learner.  [training.device]")
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
    help="Run directory.  [default: runs/<preset>-seed<seed>; --algorithm and --env add their names]",
)
@click.option(
    "--cluster",
    metavar="HOST:PORT,...",
    help="Train in several processes, the ranks of the run: their addresses, rank 0 first.",
)
@click.option("--rank", type=int, metavar="R", help="With --cluster: index of this process's address.")
@click.option(
    "--init-from",
    type=UserPath(),
    metavar="CHECKPOINT",
    help="Begin a new run with the weights of a trained policy: a run directory or a checkpoint.  [init_from.path]",
)
@click.option("--fresh", is_flag=True, help="Start over; an existing run is renamed, not deleted.")
def train(
    preset: str,
    assignments: tuple[str, ...],
    algorithm: str | None,
    run_dir: Path | None,
    cluster: str | None,
    rank: int | None,
    fresh: bool,
    **flag_values: Any,
) -> None:
    """Train an agent. The same command resumes a run that was stopped.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 finish the current rollout, save a checkpoint and exit with code 130, 143, 129
    and 75, respectively. A second Ctrl-C exits at once, without saving.

    Examples:

    \b
      paac train --preset pong
      paac train --preset ppo/cartpole --seed 2 --run-dir my-run
      paac train --preset breakout --env ALE/Qbert-v5 --set network.torso=nature
    """
    from paac_cli.config.load import load_run, parse_assignments
    from paac_cli.config.presets import find_preset
    from paac_cli.training.find_trackers import require_trackers
    from paac_cli.training.join import join_ranks

    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(REQUEUE))  # until there is something to save
    overrides: dict[str, Any] = {"algorithm": {"name": algorithm}} if algorithm else {}
    if flag_values["init_from"] is not None:
        flag_values["init_from"] = str(flag_values["init_from"])
    from_flags = overrides_from_flags(flag_values, _FLAGS)
    overrides |= parse_assignments(assignments) | from_flags
    flags = {"algorithm": "--algorithm"} | {key: _FLAGS[key] for key in from_flags}
    path = find_preset(preset)
    add_cwd_to_path_for(path, overrides)
    config = load_run(path, overrides, flags)
    if config.init_from is not None:
        config = config.with_init_from(path=str(absolute(Path(config.init_from.path).expanduser())))
    require_trackers(config.training.trackers)
    substitutes = [name for name in (algorithm, flag_values["env"]) if name]
    directory = run_dir or _default_directory(preset, substitutes, config.seed)
    ranks = join_ranks(config, cluster, rank)
    with ranks.explaining_failures():
        _run(config, directory, fresh, ranks)


def _default_directory(preset: str, substitutes: list[str], seed: int) -> Path:
    """The run directory: named after the preset, the `substitutes` for its algorithm and environment, and the seed."""
    stem = preset.removesuffix(".yaml").removesuffix(".yml")
    name = Path(stem).name if preset != stem else stem.replace("/", "-")
    substitutes = [one.removeprefix("ALE/").replace("/", "-").replace(":", "-") for one in substitutes]
    return RUNS / "-".join([name, *substitutes, f"seed{seed}"])


def _run(config: "RunConfig", directory: Path, fresh: bool, ranks: "Ranks") -> None:
    """Start or resume the run in `directory`, and print its result. Of several ranks, the first one does so."""
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.progress import Progress

    with RunDirectory(absolute(directory)) as run_dir:
        checkpoint = None
        if ranks.is_first:
            run_dir.claim(config, fresh=fresh)
            if config.init_from is not None and not fresh:
                config = run_dir.with_its_initial_policy(config)
            checkpoint = None if fresh else run_dir.latest(config, warn)
        checkpoint = ranks.checkpoint_of_first(checkpoint, config)
        progress = Progress(config.training.stop_when, checkpoint, config.info_keys)
        must_evaluate = checkpoint is not None and checkpoint.evaluation_due and config.training.evaluate_every
        is_finished = progress.steps >= config.training.total_steps or progress.goal_reached
        if is_finished and not must_evaluate:
            option = "--set training.stop_when=null" if progress.goal_reached else "a larger --total-steps"
            ranks.finish()
            if not ranks.is_first:
                return
            print_result(f"{directory} is already trained: {_format_progress(progress)}. Continue with {option}")
            return
        exit_code = _train(config, run_dir, directory, fresh, checkpoint, progress, ranks)
    if not ranks.is_first:
        click.get_current_context().exit(exit_code)
    if progress.steps:
        goal = ", goal reached" if progress.goal_reached else ""
        echo(f"{_format_progress(progress)}{goal}, saved in {directory}")
    if exit_code:
        echo(f"Stopped. Run the same command to {'resume' if progress.steps else 'start again'}")
        click.get_current_context().exit(exit_code)
    path = shell_quoted(str(directory))
    echo(f"  paac eval {path}\n  paac record --checkpoint {path}")


def _train(
    config: "RunConfig",
    run_dir: "RunDirectory",
    directory: Path,
    fresh: bool,
    checkpoint: "Checkpoint | None",
    progress: "Progress",
    ranks: "Ranks",
) -> int:
    """Train; returns the exit code. Nothing is written before workers and agent have loaded.

    directory: that of `run_dir`, as the user gave it.
    """
    from paac_cli.config.advice import advice
    from paac_cli.events import Info
    from paac_cli.reporting.console import ConsoleSink
    from paac_cli.training.loading import load_training
    from paac_cli.training.stop import StopRequest

    logs: list[Log] = []

    def write(event: "Event") -> None:
        for log in logs or [print_event]:
            log(event)

    log = ranks.logging_once(write)
    with (
        StopRequest(has_begun=ranks.size > 1) as stop,  # no rank may leave alone, so all stop after the first rollout
        load_training(config, log, lambda: bool(stop) and ranks.size == 1, checkpoint, ranks) as loaded,
    ):
        from paac_cli.runs.sinks import EventLog, MetricSink
        from paac_cli.training.device import runtime
        from paac_cli.training.loop import Training
        from paac_cli.training.loop import train as run_loop

        config, pool = loaded.config, loaded.pool
        stop.begin()
        start, sinks = progress.steps, list[MetricSink]()
        with contextlib.ExitStack() as closing:
            if ranks.is_first:
                for text in advice(config, loaded.spec):
                    warn(text)
                run_dir.create(config, fresh=fresh)
                console = ConsoleSink(config.training.total_steps)
                logs += [console.log, EventLog(run_dir.events)]
                closing.callback(console.close)
                log(Info(_headline(config, directory, pool.num_workers, loaded.device, start, ranks.size)))
                last_row = checkpoint.last_row if checkpoint else 0
                sinks += [console, *_open_sinks(config, run_dir, last_row, log, lambda: bool(stop), closing)]
            here = ranks.runtime(runtime(deterministic=config.training.deterministic))
            training = Training(
                *(config, loaded.agent, pool, loaded.evaluator, run_dir, progress, here, sinks, log, stop),
                determinism=loaded.determinism,
                ranks=ranks,
            )
            run_loop(training, checkpoint)
    ranks.finish()
    return stop.exit_code


def _open_sinks(
    config: "RunConfig",
    run_dir: "RunDirectory",
    last_row: int,
    log: "Log",
    is_stopping: "Callable[[], bool]",
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
            yield closing.enter_context(TrackerSink(name, make, log, is_stopping))


def _format_progress(progress: "Progress") -> str:
    score = f"mean raw return {progress.mean_return:.2f}" if progress.episodes else "no game finished"
    return f"{progress.steps:,} steps, {progress.episodes:,} games, {score}"


def _headline(config: "RunConfig", directory: Path, num_workers: int, device: str, start: int, ranks: int) -> str:
    rules = f" ({config.env.rules})" if config.env.rules else ""
    recurrent = config.network.recurrent
    cell = f" and {recurrent.cell} cell of {recurrent.size}" if recurrent else ""
    sampling = (
        f"{counted(config.sampling.num_envs, 'environment')} on {counted(num_workers, 'worker')}{in_ranks(ranks)}"
    )
    return (
        f"{f'Resuming at step {start:,}' if start else 'Starting'}: {config.env.id}{rules}, "
        f"{config.algorithm.name} with torso {config.network.torso}{cell}, {sampling}, learner on {device} in "
        f"{config.network.precision}, {_until(config)}, in {directory}"
    )


def _until(config: "RunConfig") -> str:
    goal, end = config.training.stop_when, f"until step {config.training.total_steps:,}"
    return f"{end} or a mean return of {goal.mean_return:g} over {goal.episodes} games" if goal else end
