"""paac bench"""

import json
from typing import TYPE_CHECKING, Any

import click

from paac_cli.cli.options import FiniteRange, find_own_code, given_keys, note

if TYPE_CHECKING:
    from paac_cli.bench.budget import Measured, What

_SECONDS, _SWEEP_SECONDS = 8.0, 2.0


@click.command()
@click.argument("what", type=click.Choice(["sampler", "learner", "train"]), metavar="WHAT")
@click.option("--preset", default="pong", show_default=True, metavar="NAME|FILE", help="A preset, or a YAML file.")
@click.option("--set", "assignments", multiple=True, metavar="KEY.SUB=VALUE", help="Override any key; repeatable.")
@click.option("--env", metavar="ID", help="Environment id.  [env.id]")
@click.option("--num-envs", type=int, metavar="N", help="Environments.  [sampling.num_envs]")
@click.option("--num-workers", metavar="N|auto", help="Processes that step them.  [sampling.num_workers]")
@click.option(
    "--seconds",
    type=FiniteRange(0, 3600, min_open=True),
    help=f"Of the measurement, without start and warm-up.  [default: {_SECONDS:g}, in a sweep {_SWEEP_SECONDS:g} each]",
)
@click.option("--sweep", is_flag=True, help="Try numbers of workers and environments; what is given stays fixed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and nothing else, on standard output.")
def bench(
    what: "What",
    preset: str,
    assignments: tuple[str, ...],
    seconds: float | None,
    sweep: bool,
    as_json: bool,
    **short_cuts: Any,
) -> None:
    """Measure what a step costs on this machine, and what limits it.

    WHAT is `sampler` (the workers alone, with random actions), `learner` (acting and learning on what lies in
    memory) or `train` (both in lock-step, as in training). Nothing is kept.
    """
    from paac_cli.bench.measuring import Bench, measure_sweep
    from paac_cli.config.load import parse_assignments, read_config
    from paac_cli.config.presets import find_preset

    if sweep and what == "learner":
        raise click.UsageError("--sweep is for sampler and train: a learner alone has no workers")
    find_own_code()
    path = find_preset(preset)
    overrides = parse_assignments(assignments) | given_keys(short_cuts, _FLAGS)
    if sweep:
        each = seconds or _SWEEP_SECONDS
        measured = measure_sweep(
            what, lambda point: read_config(path, overrides | point, _FLAGS), overrides, each, note
        )
    else:
        config = read_config(path, overrides, _FLAGS)
        measured = [Bench(what, config, seconds or _SECONDS, note).measure(config)]
    _show(measured, sweep, as_json)


def _show(measured: "list[Measured]", sweep: bool, as_json: bool) -> None:
    from paac_cli.bench.budget import in_words, report
    from paac_cli.bench.sweep import sweep_in_words, sweep_report

    reports = [report(one) for one in measured]
    told = sweep_report(reports) if sweep else reports[0]
    words = sweep_in_words if sweep else in_words
    click.echo(json.dumps(told, indent=2) if as_json else words(told))


#: Key -> the short cut for it.
_FLAGS = {"env.id": "--env", "sampling.num_envs": "--num-envs", "sampling.num_workers": "--num-workers"}
