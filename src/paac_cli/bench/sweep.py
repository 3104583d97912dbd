"""A sweep over numbers of workers and environments: its configs, and its report with a recommendation."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from paac_cli.errors import ConfigError
from paac_cli.machine import available_cores
from paac_cli.text import counted

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig

_NUM_ENVS = (16, 32, 64, 128, 256)

_NEAR = 0.95  # this fraction of the highest speed counts as equally fast, because measurements scatter
_SHARED = ("what", "env", "protocol", "algorithm", "torso", "cores", "device")
_ROW = ("num_envs", "num_workers", "steps_per_second", "spread", "share_of_bound", "limited_by")


def sweep_configs(
    make_config: "Callable[[dict[str, int]], RunConfig]", fixed: Container[str]
) -> "tuple[list[RunConfig], list[str]]":
    """A config for each valid combination of numbers of environments and workers, and why the others are invalid.

    make_config: returns the config with the given overrides (dotted key -> value), or raises ConfigError.
    fixed: dotted keys that the sweep does not vary. Raises ConfigError if no combination is valid.
    """
    configs: list[RunConfig] = []
    errors: dict[str, ConfigError] = {}
    for overrides in _combinations(fixed):
        try:
            configs.append(make_config(overrides))
        except ConfigError as error:
            errors[str(error)] = error
    if not configs:
        raise next(iter(errors.values()))
    return configs, list(errors)


def _combinations(fixed: Container[str]) -> Iterator[dict[str, int]]:
    """Overrides of the config, grouped by the number of environments."""
    cores = available_cores()
    workers = sorted({1, max(cores // 2, 1), cores, 2 * cores})
    for num_envs in _overrides("sampling.num_envs", _NUM_ENVS, fixed):
        for num_workers in _overrides("sampling.num_workers", workers, fixed):
            yield num_envs | num_workers


def _overrides(key: str, values: Iterable[int], fixed: Container[str]) -> list[dict[str, int]]:
    """One override of `key` per value, or one empty override if `key` is fixed."""
    return [{}] if key in fixed else [{key: value} for value in values]


def sweep_report(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One report from the `budget_report` of every point.

    Recommends the fewest environments, and for these the fewest workers, within 5% of the highest speed. More
    environments have a cost: every update learns from more steps of the same policy.
    """
    first = reports[0]
    fastest = max(report["steps_per_second"] for report in reports)
    near = [report for report in reports if report["steps_per_second"] >= _NEAR * fastest]
    best = min(near, key=lambda report: (report["num_envs"], report["num_workers"]))
    return {
        **{key: first[key] for key in _SHARED},
        "seconds": round(sum(report["seconds"] for report in reports), 3),
        "sweep": [{key: report[key] for key in _ROW} for report in reports],
        "recommended": {
            **{key: best[key] for key in _ROW},
            "flags": f"--num-envs {best['num_envs']} --num-workers {best['num_workers']}",
        },
        "versions": first["versions"],
    }


def format_sweep(report: dict[str, Any]) -> str:
    """A `sweep_report` as text, at most 80 columns wide."""
    learner = f", {report['algorithm']}, {report['torso']} on {report['device']}" if report["algorithm"] else ""
    rows = [
        f"{row['num_envs']:>12}{row['num_workers']:>9}{row['steps_per_second']:>10,.0f}"
        f"{'{:,.0f} to {:,.0f}'.format(*row['spread']):>20}{row['share_of_bound']:>10.0%}  {row['limited_by']}"
        for row in report["sweep"]
    ]
    return "\n".join(
        [
            f"{report['what']}: {report['env']}{learner}; {counted(report['cores'], 'core')}",
            "",
            f"{'environments':>12}{'workers':>9}{'steps/s':>10}{'spread':>20}{'of bound':>10}  limited by",
            *rows,
            "",
            f"Recommended: {report['recommended']['flags']}",
            "The fewest environments, then workers, within 5% of the highest speed.",
            "The number of workers never changes the result; the number of environments does.",
        ]
    )
