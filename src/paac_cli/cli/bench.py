"""paac bench"""

from typing import TYPE_CHECKING, Any

import click

from paac_cli.cli.options import FiniteRange, add_cwd_to_path_for, gather_overrides, json_option, set_option
from paac_cli.cli.output import ResultsOnly, inform, print_event, print_report

if TYPE_CHECKING:
    from paac_cli.bench.measurement import Measurement, Workload

_SECONDS, _SWEEP_SECONDS = 8.0, 2.0

#: Dotted config key -> the flag that sets it.
_FLAGS = {"env.id": "--env", "sampling.num_envs": "--num-envs", "sampling.num_workers": "--num-workers"}


@click.command(cls=ResultsOnly)
@click.argument("workload", type=click.Choice(["sampler", "learner", "train"]), metavar="WORKLOAD")
@click.option(
    "--preset",
    metavar="NAME|FILE",
    help="Name of a preset, or path of a YAML file.  [default: pong, or cartpole if `--env` is not Atari]",
)
@set_option
@click.option("--env", metavar="ID", help="Environment id.  [env.id]")
@click.option("--num-envs", type=int, metavar="N", help="Number of environments.  [sampling.num_envs]")
@click.option("--num-workers", metavar="N|auto", help="Number of worker processes.  [sampling.num_workers]")
@click.option(
    "--seconds",
    type=FiniteRange(0, 3600, min_open=True),
    help="Length of each measurement in seconds, without start and warm-up; `train` measures the learner alone for "
    "half of it.  "
    f"[default: {_SECONDS:g}, with `--sweep` {_SWEEP_SECONDS:g}]",
)
@click.option(
    "--sweep", is_flag=True, help="Try several numbers of environments and workers; a number that you set stays fixed."
)
@json_option
def bench(
    workload: "Workload",
    preset: str | None,
    assignments: tuple[str, ...],
    seconds: float | None,
    sweep: bool,
    as_json: bool,
    **flag_values: Any,
) -> None:
    """Measure the speed of this machine and find what limits it.

    `WORKLOAD` is one of

    \b
      sampler   workers that step the environments with random actions
      learner   acting and learning on recorded observations, without workers
      train     both in lock-step, as in training

    Nothing is saved.

    Examples:

    \b
      paac bench train
      paac bench sampler --env ALE/Breakout-v5 --num-envs 64
      paac bench train --preset cartpole --sweep
    """
    from paac_cli.config.load import read_config
    from paac_cli.config.presets import find_preset

    if sweep and workload == "learner":
        raise click.UsageError(
            "--sweep is for `paac bench sampler` and `paac bench train`: the learner alone has no workers"
        )
    overrides, flags = gather_overrides(assignments, flag_values, _FLAGS)
    is_atari = str(overrides.get("env.id", "ALE/")).startswith("ALE/")
    path = find_preset(preset or ("pong" if is_atari else "cartpole"))
    add_cwd_to_path_for(path, overrides)
    if sweep:
        from paac_cli.bench.sweep import sweep_configs

        configs, skipped = sweep_configs(
            lambda point: read_config(path, overrides | point, flags | {key: _FLAGS[key] for key in point}), overrides
        )
        for reason in skipped:
            inform(f"Skipped: {reason}")
    else:
        configs = [read_config(path, overrides, flags)]

    from paac_cli.bench.measuring import Bench

    measuring = Bench(workload, configs[0], seconds or (_SWEEP_SECONDS if sweep else _SECONDS), print_event)
    _print_report([measuring.measure(config) for config in configs], sweep, as_json)


def _print_report(measurements: "list[Measurement]", sweep: bool, as_json: bool) -> None:
    from paac_cli.bench.budget import budget_report
    from paac_cli.bench.budget_text import format_budget
    from paac_cli.bench.sweep import format_sweep, sweep_report

    reports = [budget_report(measured) for measured in measurements]
    report, format_report = (sweep_report(reports), format_sweep) if sweep else (reports[0], format_budget)
    print_report(report, format_report, as_json=as_json)
