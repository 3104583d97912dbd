"""What a sweep over workers and environments says: a table, and which of its rows to take."""

from collections.abc import Sequence
from typing import Any

from paac_cli.bench.budget import counted

_NEAR = 0.95  # of the fastest is as good as the fastest: measurements scatter
_SHARED = ("what", "env", "protocol", "algorithm", "torso", "cores", "device")
_ROW = ("num_envs", "num_workers", "steps_per_second", "spread", "share_of_bound", "limited_by")


def sweep_report(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """From the `report` of every point to one for all.

    Recommended are the fewest environments, and for these the fewest workers, that come within 5 % of the
    fastest: more environments are not free, because every update then sees more steps of the same policy.
    """
    first = reports[0]
    fastest = max(told["steps_per_second"] for told in reports)
    near = [told for told in reports if told["steps_per_second"] >= _NEAR * fastest]
    best = min(near, key=lambda told: (told["num_envs"], told["num_workers"]))
    return {
        **{key: first[key] for key in _SHARED},
        "seconds": round(sum(told["seconds"] for told in reports), 3),
        "sweep": [{key: told[key] for key in _ROW} for told in reports],
        "recommended": {
            **{key: best[key] for key in _ROW},
            "flags": f"--num-envs {best['num_envs']} --num-workers {best['num_workers']}",
        },
        "versions": first["versions"],
    }


def sweep_in_words(told: dict[str, Any]) -> str:
    """A sweep's report for people, in 80 columns."""
    learner = f", {told['algorithm']}, {told['torso']} on {told['device']}" if told["algorithm"] else ""
    best = told["recommended"]
    rows = [
        f"{row['num_envs']:>12}{row['num_workers']:>9}{row['steps_per_second']:>10,.0f}"
        f"{'{:,.0f} to {:,.0f}'.format(*row['spread']):>20}{row['share_of_bound']:>10.0%}  {row['limited_by']}"
        for row in told["sweep"]
    ]
    return "\n".join(
        [
            f"{told['what']}: {told['env']}{learner}; {counted(told['cores'], 'core')}",
            "",
            f"{'environments':>12}{'workers':>9}{'steps/s':>10}{'spread':>20}{'of bound':>10}  limited by",
            *rows,
            "",
            f"Recommended: {best['flags']}",
            "It has the fewest environments, then the fewest workers, within 5% of the fastest.",
            "Workers never change what is learned; environments do.",
        ]
    )
