"""What `paac train` prints: the view of the training, and the result."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from paac_cli.cli.output import echo, inform, print_event, print_result
from paac_cli.text import counted, in_ranks

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.events import Event, Log
    from paac_cli.reporting.console import OutputStyle, View
    from paac_cli.runs.sinks import MetricSink
    from paac_cli.spec import EnvSpec
    from paac_cli.training.progress import Progress


def style_of(*, quiet: bool, log_json: bool) -> "OutputStyle":
    """The style for the options --quiet and --log-json. Raises click.UsageError if both are given."""
    if quiet and log_json:
        raise click.UsageError("--quiet and --log-json exclude each other")
    return "quiet" if quiet else "json" if log_json else "text"


class Shown(NamedTuple):
    """An open view."""

    view: "View"
    sinks: "tuple[MetricSink, ...]"  #: the view and what it depends on, in the order in which they must get rows


class TrainOutput:
    """What one `paac train` prints, in one style."""

    def __init__(self, style: "OutputStyle") -> None:
        self._style: OutputStyle = style

    def log(self, event: "Event") -> None:
        """Print an event of the time before the view is open."""
        from paac_cli.events import Routine
        from paac_cli.reporting.json_lines import event_line

        if self._style == "json":
            echo(event_line(event))
        elif self._style == "text" or not isinstance(event, Routine):
            print_event(event)

    def print_loading(self) -> None:
        """Say on a terminal that the command has begun: seconds pass until the view is open."""
        if self._style == "text" and sys.stderr.isatty():
            inform("Loading TensorFlow and the environments ...")

    def open_view(
        self, config: "RunConfig", spec: "EnvSpec", metrics_csv: Path, progress: "Progress", directory: Path, log: "Log"
    ) -> Shown:
        """The view of a run that starts or resumes with `progress`, whose earlier rows are in `metrics_csv`."""
        from paac_cli.reporting.console import open_view
        from paac_cli.reporting.learning_history import LearningHistory, rows_before
        from paac_cli.reporting.live_view import RunPlan
        from paac_cli.reporting.stall import StallWatch, facts

        start = progress.steps
        history = LearningHistory(rows_before(metrics_csv, start) if start else ())
        watch = StallWatch(history, facts(config, spec.action), log)
        plan = RunPlan(
            title=f"{config.env.id}, {config.algorithm.name}, in {directory}",
            total_steps=config.training.total_steps,
            may_end_earlier=config.training.stop_when is not None,
            log_every=config.training.log_every,
            environments="emulator" if config.env.is_atari else "environment",
            start=start,
        )
        view = open_view(
            self._style, plan, history, watch, print_event, lambda: progress.steps + progress.steps_of_rollout
        )
        return Shown(view, (history, watch, view))

    def print_already_trained(self, config: "RunConfig", progress: "Progress", directory: Path) -> None:
        """Say that there is nothing to train."""
        if self._style == "json":
            self._print_json(progress, directory, exit_code=0)
            return
        options = ["--set training.stop_when=null"] if progress.goal_reached else []
        if progress.steps >= config.training.total_steps:
            options.append("a larger --total-steps")
        advice = f"Continue with {' and '.join(options)}"
        print_result(f"{directory} is already trained: {_format_progress(progress)}. {advice}")

    def print_result(
        self, config: "RunConfig", progress: "Progress", directory: Path, exit_code: int, *, fresh: bool
    ) -> None:
        """Print how far the run has come, and what to do next. Output errors are ignored.

        fresh: whether the command had `--fresh`.
        """
        if self._style == "json":
            self._print_json(progress, directory, exit_code)
            return
        if progress.steps:
            goal = ", goal reached" if progress.goal_reached else ""
            echo(f"{_format_progress(progress)}{goal}, saved in {directory}")
        if self._style == "quiet":
            return
        if progress.steps and not progress.episodes and ":" in config.env.id:  # a user's own, which may never end
            echo(
                "No game has finished. If games of this environment do not end, set max_episode_steps in gym.register, "
                "or use the wrapper TimeLimit (env.wrappers)"
            )
        if exit_code:
            command = "the same command without --fresh" if fresh and progress.steps else "the same command"
            echo(f"Stopped. Run {command} to {'resume' if progress.steps else 'start again'}")
        else:
            from paac_cli.config.trust import playing_arguments

            arguments = playing_arguments(directory, config.model_dump(mode="json"))
            echo(f"  paac eval {arguments}\n  paac record --checkpoint {arguments}")

    def _print_json(self, progress: "Progress", directory: Path, exit_code: int) -> None:
        from paac_cli.reporting.json_lines import result_line

        result = {
            "steps": progress.steps,
            "games": progress.episodes,
            "mean_return": progress.mean_return,
            "goal_reached": progress.goal_reached,
            "run_dir": str(directory),
            "exit_code": exit_code,
        }
        echo(result_line(result))


def headline(config: "RunConfig", directory: Path, num_workers: int, device: str, start: int, ranks: int) -> str:
    """What is trained, how, and until when."""
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


def _format_progress(progress: "Progress") -> str:
    score = f"mean raw return {progress.mean_return:.2f}" if progress.episodes else "no game finished"
    return f"{counted(progress.steps, 'step')}, {counted(progress.episodes, 'game')}, {score}"
