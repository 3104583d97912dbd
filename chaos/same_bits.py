"""Trains the same run with different numbers of workers and with slow environments. All results must be identical."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from chaos.disturbed_runs import TIMEOUT, differences, summarize_differences
from chaos.result import TrialResult
from chaos.session import Recipe, Session, recipe

_PARALLEL_RUNS = 2
WORKERS = (1, 2, 3, 5, 8)
SLOW_ENV = "chaos.slow_env:SlowCartPole-v0"

_ON_CARTPOLE = {
    "paac": {"algorithm__num_steps": 16, "algorithm__normalize_reward": "true"},
    "ppo": {"algorithm__num_steps": 16, "algorithm__normalize_value": "true", "algorithm__on_kl": "adapt",
            "algorithm__target_kl": 0.01},
    "nstep_q": {"algorithm__num_steps": 16, "algorithm__target_update_steps": 640},
    "dqn": {"algorithm__learning_starts": 800, "algorithm__buffer_size": 2_000, "algorithm__prioritized_alpha": 0.6,
            "algorithm__n_step": 3, "algorithm__steps_per_update": 16},
}  # fmt: skip
#: Games that emulator snapshots cannot restore in the middle of an episode, under every rule set.
_GAMES = [
    (f"ALE/{game}-v5", rules)
    for game in ("Qbert", "Tetris", "YarsRevenge")
    for rules in ("paac2017", "baselines", "machado2018")
]


class Case(NamedTuple):
    """A run that is trained under different conditions."""

    recipe: Recipe
    arguments: tuple[str, ...] = ()  #: of `paac train`, after those of the recipe
    slow_env: bool = False  #: whether it is also trained on `SLOW_ENV`; then its environment must be CartPole


CASES = (
    *(
        Case(recipe(
            f"{name} on CartPole", "cartpole", sampling__num_envs=8, network__normalize_obs="true",
            training__total_steps=6_400, training__log_every=320, training__checkpoint_every=3_200, **settings,
        ), ("--algorithm", name), slow_env=True)
        for name, settings in _ON_CARTPOLE.items()
    ),
    *(
        Case(recipe(
            f"paac on {game}, {rules}", "breakout", env__id=game, env__protocol=rules, sampling__num_envs=8,
            training__total_steps=2_000, training__log_every=200, training__checkpoint_every=1_000,
        ))
        for game, rules in _GAMES
    ),
    Case(recipe(
        "ppo on FrozenLake, which draws random transitions", "ppo/cartpole", env__id="FrozenLake-v1",
        sampling__num_envs=8, training__total_steps=8_192, training__log_every=1_024, training__checkpoint_every=4_096,
    )),
)  # fmt: skip


def run(*, seed: int = 1, cases: Sequence[Case] = CASES, workers: Sequence[int] = WORKERS) -> TrialResult:
    """Train each case with each number of workers, and with slow environments; compare all with the first result."""
    begin = time.monotonic()
    with TemporaryDirectory(prefix="paac-chaos-") as work, ThreadPoolExecutor(_PARALLEL_RUNS) as threads:
        runs = [
            (case.recipe.name, Path(work) / str(number), _conditions(case, seed, workers))
            for number, case in enumerate(cases)
        ]
        jobs = [(recipe, directory / name) for _, directory, found in runs for name, recipe in found.items()]
        list(threads.map(lambda job: _train(*job), jobs))
        failures = [
            f"{case}, {other}: {summarize_differences(names)}"
            for case, directory, (first, *others) in runs
            for other in others
            if (names := differences(directory / other, directory / first))
        ]
    numbers, names = ", ".join(map(str, workers)), "; ".join(case.recipe.name for case in cases)
    return TrialResult(
        "runs with another number of workers, or with slow environments: the same result, bit for bit",
        sum(len(found) - 1 for *_, found in runs),
        len(failures),
        time.monotonic() - begin,
        (f"{len(cases)} runs with {numbers} workers: {names}", *failures),
    )


def _conditions(case: Case, seed: int, workers: Sequence[int]) -> dict[str, Recipe]:
    """Name of each condition -> the recipe of `case` under it."""
    found = {f"{number} workers": _recipe(case, seed, number) for number in workers}
    return found | (
        {"slow environments": _recipe(case, seed, max(workers), "--env", SLOW_ENV)} if case.slow_env else {}
    )


def _recipe(case: Case, seed: int, workers: int, *arguments: str) -> Recipe:
    sizes = ("--seed", str(seed), "--num-workers", str(workers))
    return Recipe(case.recipe.name, (*case.recipe.arguments, *case.arguments, *sizes, *arguments))


def _train(recipe: Recipe, run_dir: Path) -> None:
    run_dir.parent.mkdir(exist_ok=True)
    with Session(recipe, run_dir) as session:
        session.wait_until_finished(TIMEOUT)
