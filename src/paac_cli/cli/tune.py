"""paac tune"""

from pathlib import Path
from typing import Any

import click

from paac_cli.cli.options import (
    UserPath,
    absolute,
    add_cwd_to_path_for,
    algorithm_option,
    default_directory,
    gather_overrides,
    json_option,
    preset_option,
    set_option,
)
from paac_cli.cli.output import ResultsOnly, inform, print_report, terminal_width
from paac_cli.cli.seeds import Seeds, require_one_process
from paac_cli.text import counted, shorten

#: Dotted config key -> the flag that sets it.
_FLAGS = {"env.id": "--env", "seed": "--seed", "training.total_steps": "--total-steps"}


@click.command(cls=ResultsOnly)
@click.argument("space", type=UserPath(dir_okay=False))
@preset_option
@click.option(
    "--trials", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N", help="Number of trials."
)
@set_option
@algorithm_option
@click.option("--env", metavar="ID", help="Environment id.  [env.id]")
@click.option("--total-steps", metavar="STEPS", help="Agent steps of each trial.  [training.total_steps]")
@click.option("--seed", type=int, help="Seed of the proposed settings, and of the trials.  [seed]")
@click.option(
    "--seeds", type=Seeds(), metavar="1-3", help="Train each trial with each of these seeds; its score is the mean."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1_000),
    default=1,
    show_default=True,
    metavar="K",
    help="Train `K` trials at a time, each on its share of the cores.",
)
@click.option(
    "--prune/--no-prune",
    default=True,
    help="Stop trials early that are worse than the median of others.  [default: prune]",
)
@click.option("--run-dir", type=UserPath(), help="Directory of the study.  [default: `runs/tune-<preset>`]")
@json_option
def tune(
    space: Path,
    preset: str,
    trials: int,
    assignments: tuple[str, ...],
    algorithm: str | None,
    seeds: tuple[int, ...] | None,
    jobs: int,
    prune: bool,
    run_dir: Path | None,
    as_json: bool,
    **flag_values: Any,
) -> None:
    """Search for good hyperparameters. The same command continues a study that was stopped.

    `SPACE` is a YAML file with the settings that vary. Each trial is a run with other settings, proposed by Optuna's
    TPE from the scores of earlier ones. A score is the mean return at the end: of the last 100 games in training, or
    of an evaluation if `training.evaluate_every` is set. The settings of the best trial become a preset.

    The same study gives the same trials, whatever is stopped or killed. With `--jobs K` a trial is proposed without
    the results of the `K - 1` before it.

    Examples:

    \b
      paac tune space.yaml --preset ppo/cartpole --total-steps 50_000
      paac tune space.yaml --preset atari --trials 50 --jobs 4 --seeds 1-2
    """
    from paac_cli.config.load import has_goal, read_config
    from paac_cli.config.presets import find_preset
    from paac_cli.reporting.study_report import describe_trial, format_study, study_report
    from paac_cli.sampling.describe import describe
    from paac_cli.training.jobs import Jobs
    from paac_cli.training.stop import stop_signals_handled
    from paac_cli.tuning.space import read_space
    from paac_cli.tuning.study import Study
    from paac_cli.tuning.study_directory import Design, StudyDirectory

    require_one_process("paac tune trains each trial in one process")
    overrides, flags = gather_overrides(assignments, flag_values, _FLAGS, algorithm)
    path = find_preset(preset)
    add_cwd_to_path_for(path, overrides)
    if has_goal(overrides) and read_config(path, overrides, flags).training.stop_when is not None:
        raise click.UsageError("every trial trains until training.total_steps: remove training.stop_when")
    overrides["training.stop_when"] = None  # that of the preset has no effect
    base = read_config(path, overrides, flags)
    varied = read_space(
        space,
        lambda settings: read_config(path, overrides | dict(settings), flags | dict.fromkeys(settings, str(space))),
    )
    describe(base.env, base.sampling)  # raises an error before anything is written, if the environment cannot be made
    design = Design(base, varied, seeds or (base.seed,), jobs, prune)
    default = default_directory(preset, [name for name in (algorithm, flag_values["env"]) if name])
    directory = run_dir or default.with_name(f"tune-{default.name}")
    inform(f"Study in {directory}: {counted(trials, 'trial')} of {base.training.total_steps:,} steps")
    with (
        StudyDirectory(absolute(directory), design) as files,
        Jobs(jobs, inform) as processes,
        stop_signals_handled(lambda number, frame: processes.stop(number)),
    ):
        study = Study(design, files, processes, lambda trial: inform(f"Trial {trial.number}: {describe_trial(trial)}"))
        study.search(trials)
    report = study_report(study.trials, study.best, str(directory / files.best.name))
    print_report(report, lambda report: format_study(report, terminal_width()), as_json=as_json)
    if study.failed_output is not None:
        inform(f"Error: a trial could not train: {_last_line(study.failed_output)}")
        inform(f"All that it printed is in {study.failed_output}. The same command continues the study")
        click.get_current_context().exit(2)
    if processes.is_stopping:
        inform("Stopped. The same command continues the study")
    click.get_current_context().exit(processes.stop_exit_code)


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="backslashreplace").splitlines()
    return shorten(next((line for line in reversed(lines) if line.strip()), "it printed nothing"))
