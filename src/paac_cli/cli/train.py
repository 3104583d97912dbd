"""paac train"""

import contextlib
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paac_cli.cli.options import RUNS, add_cwd_to_path, overrides_from_flags
from paac_cli.cli.output import echo, warn
from paac_cli.errors import REQUEUE
from paac_cli.training.loading import loaded

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.runs.checkpoint import Checkpoint
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.sampling.pool import Tell
    from paac_cli.training.progress import Progress


@click.command()
@click.option("--preset", required=True, metavar="NAME|FILE", help="A preset by name, or a YAML file.")
@click.option("--set", "assignments", multiple=True, metavar="KEY.SUB=VALUE", help="Override any key; repeatable.")
@click.option(
    "--algorithm", metavar="NAME|MODULE:CLASS", help="Another algorithm, with its defaults.  [algorithm={name: ...}]"
)
@click.option("--env", metavar="ID", help="Environment id.  [env.id]")
@click.option("--seed", type=int, help="Every random draw follows from it.  [seed]")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Where the learner runs.  [training.device]")
@click.option("--total-steps", metavar="STEPS", help="Agent steps, over all environments.  [training.total_steps]")
@click.option("--num-envs", type=int, metavar="N", help="Environments.  [sampling.num_envs]")
@click.option("--num-workers", metavar="N|auto", help="Processes that step them.  [sampling.num_workers]")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Where the run is kept.  [default: runs/<preset>[-<algorithm>][-<env>]-seed<seed>]",
)
@click.option("--fresh", is_flag=True, help="Start over; what is in the run directory is moved aside.")
def train(
    preset: str,
    assignments: tuple[str, ...],
    algorithm: str | None,
    run_dir: Path | None,
    fresh: bool,
    **short_cuts: Any,
) -> None:
    """Train an agent; the same command again goes on where it stopped.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 finish the rollout, save a checkpoint and say how to go on; the exit codes
    are 130, 143, 129 and 75.
    """
    from paac_cli.config.load import parse_assignments, read_config
    from paac_cli.config.presets import find_preset

    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(REQUEUE))  # until there is something to save
    add_cwd_to_path()
    path = find_preset(preset)
    overrides: dict[str, Any] = {"algorithm": {"name": algorithm}} if algorithm else {}
    overrides |= parse_assignments(assignments) | overrides_from_flags(short_cuts, _FLAGS)
    config = read_config(path, overrides, {"algorithm": "--algorithm"} | _FLAGS)
    if "env.id" in overrides and not any(key.startswith("training.stop_when") for key in overrides):
        config = _without_goal(path, config, overrides)
    others = [other for other in (algorithm, short_cuts["env"]) if other]
    directory = run_dir or _default_directory(preset, others, config.seed)
    _run(config, directory, fresh)


#: Key -> the short cut for it.
_FLAGS = {
    "env.id": "--env",
    "seed": "--seed",
    "training.device": "--device",
    "training.total_steps": "--total-steps",
    "sampling.num_envs": "--num-envs",
    "sampling.num_workers": "--num-workers",
}


def _without_goal(path: Path, config: "RunConfig", overrides: dict[str, Any]) -> "RunConfig":
    """A return that is good in one environment says nothing in another."""
    from paac_cli.config.load import read_config

    if config.training.stop_when is None or read_config(path).env.id == config.env.id:
        return config
    return read_config(path, overrides | {"training.stop_when": None})


def _default_directory(preset: str, others: list[str], seed: int) -> Path:
    """Named after the preset, what stands in its place (`others`), and the seed."""
    stem = preset.removesuffix(".yaml").removesuffix(".yml")
    name = Path(stem).name if preset != stem else stem.replace("/", "-")
    others = [other.removeprefix("ALE/").replace("/", "-").replace(":", "-") for other in others]
    return RUNS / "-".join([name, *others, f"seed{seed}"])


def _run(config: "RunConfig", directory: Path, fresh: bool) -> None:
    from paac_cli.runs.run_directory import RunDirectory
    from paac_cli.training.progress import Progress

    with RunDirectory(directory) as run:
        run.claim(config, fresh=fresh)
        checkpoint = None if fresh else run.latest(config, warn)
        progress = Progress(config.training.stop_when, checkpoint)
        if progress.steps >= config.training.total_steps or progress.is_good_enough:
            option = "--set training.stop_when=null" if progress.is_good_enough else "--total-steps"
            click.echo(f"{directory} is trained already: {_standing(progress)}. {option} makes it go on")
            return
        _warn_of_idle_steps(config)
        exit_code = _train(config, run, fresh, checkpoint, progress)
    if progress.steps:
        echo(f"{_standing(progress)}{', goal reached' if progress.is_good_enough else ''}, saved in {directory}")
    if exit_code:
        echo(f"Stopped. The same command {'goes on from here' if progress.steps else 'starts it'}")
        click.get_current_context().exit(exit_code)
    echo(f"  paac eval {shlex.quote(str(directory))}\n  paac record --checkpoint {shlex.quote(str(directory))}")


def _train(
    config: "RunConfig", run: "RunDirectory", fresh: bool, checkpoint: "Checkpoint | None", progress: "Progress"
) -> int:
    """Train; returns the exit code. Nothing is written before workers and agent stand."""
    from paac_cli.reporting.console import ConsoleSink
    from paac_cli.training.stop import StopRequest

    listeners: list[Tell] = []

    def tell(text: str) -> None:
        for listener in listeners or [warn]:
            listener(text)

    with StopRequest() as stop, loaded(config, tell, lambda: bool(stop)) as (spec, pool, agent, device):
        from paac_cli.runs.sinks import CsvSink, EventLog, TensorBoardSink
        from paac_cli.training.loop import train as train_loop

        stop.begin()
        if config.network.torso == "mlp" and len(spec.obs_shape) == 3:
            warn(f"torso mlp takes images {spec.obs_shape} for mere numbers; network.torso=nips or nature sees them")
        run.create(config, fresh=fresh)
        start = progress.steps
        with contextlib.ExitStack() as closing:
            console = ConsoleSink(config.training.total_steps)
            closing.callback(console.close)
            listeners += [console.event, EventLog(run.events).event]
            tables = CsvSink(run.metrics_csv, start, tell), TensorBoardSink(run.tensorboard, start, tell)
            for table in tables:
                closing.callback(table.close)
            tell(_headline(config, run.path, pool.num_workers, f"{device} in {config.network.precision}", start))
            train_loop(config, agent, pool, run, checkpoint, progress, [console, *tables], tell, stop)
    return stop.exit_code


def _warn_of_idle_steps(config: "RunConfig") -> None:
    learning, total = getattr(config.algorithm, "lr_anneal_steps", 0), config.training.total_steps
    if 0 < learning < total:
        warn(
            f"the learning rate is 0 from step {learning:,} on, and total_steps is {total:,}; "
            "a run that shall learn for longer needs another algorithm.lr_anneal_steps from its start"
        )


def _standing(progress: "Progress") -> str:
    told = f"mean raw return {progress.mean_return:.2f}" if progress.episodes else "no game finished"
    return f"{progress.steps:,} steps, {progress.episodes:,} games, {told}"


def _headline(config: "RunConfig", directory: Path, num_workers: int, device: str, start: int) -> str:
    rules = f" ({config.env.protocol})" if config.env.protocol else ""
    begin = f"going on at step {start:,}" if start else "starting"
    return (
        f"{config.env.id}{rules}, {config.algorithm.name}, {config.network.torso}: {config.sampling.num_envs} "
        f"environments on {num_workers} workers, learner on {device}; {begin}, {_until(config)}, in {directory}"
    )


def _until(config: "RunConfig") -> str:
    goal, end = config.training.stop_when, f"to step {config.training.total_steps:,}"
    return f"{end} or a mean return of {goal.mean_return:g} over {goal.episodes} games" if goal else end
