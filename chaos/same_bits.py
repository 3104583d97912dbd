"""The same training on other numbers of workers, and on workers that fall asleep: the very same bits."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from chaos.endurance import come_to_its_end, differences
from chaos.sittings import Recipe, Sitting, recipe
from chaos.tally import Tally

_LANES = 2  # trainings at the same time
_SHOWN = 5  # of what differs
WORKERS = (1, 2, 3, 5, 8)
DROWSY = "chaos.drowsy:DrowsyCartPole-v0"

_ON_CARTPOLE = {
    "paac": {"algorithm__num_steps": 16, "algorithm__normalize_reward": "true"},
    "ppo": {"algorithm__num_steps": 16, "algorithm__normalize_value": "true", "algorithm__on_kl": "adapt",
            "algorithm__target_kl": 0.01},
    "nstep_q": {"algorithm__num_steps": 16, "algorithm__target_update_steps": 640},
    "dqn": {"algorithm__learning_starts": 800, "algorithm__buffer_size": 2_000, "algorithm__prioritized_alpha": 0.6,
            "algorithm__n_step": 3, "algorithm__steps_per_update": 16},
}  # fmt: skip
#: Games whose snapshots in mid-episode do not restore, under every protocol.
_GAMES = [
    (f"ALE/{game}-v5", protocol)
    for game in ("Qbert", "Tetris", "YarsRevenge")
    for protocol in ("paac2017", "baselines", "machado2018")
]


class Case(NamedTuple):
    """A training."""

    recipe: Recipe
    more: tuple[str, ...] = ()  #: arguments of `paac train`
    drowsy: bool = False  #: it is CartPole, which can fall asleep


CASES = (
    *(
        Case(recipe(
            f"{name} on CartPole", "cartpole", sampling__num_envs=8, network__normalize_obs="true",
            training__total_steps=6_400, training__log_every=320, training__checkpoint_every=3_200, **settings,
        ), ("--algorithm", name), drowsy=True)
        for name, settings in _ON_CARTPOLE.items()
    ),
    *(
        Case(recipe(
            f"paac on {game}, {protocol}", "breakout", env__id=game, env__protocol=protocol, sampling__num_envs=8,
            training__total_steps=2_000, training__log_every=200, training__checkpoint_every=1_000,
        ))
        for game, protocol in _GAMES
    ),
    Case(recipe(
        "ppo on FrozenLake, which slips by a generator of its own", "ppo/cartpole", env__id="FrozenLake-v1",
        sampling__num_envs=8, training__total_steps=8_192, training__log_every=1_024, training__checkpoint_every=4_096,
    )),
)  # fmt: skip


def run(*, seed: int = 1, cases: Sequence[Case] = CASES, workers: Sequence[int] = WORKERS) -> Tally:
    """Each case on each number of workers, and drowsily; all must come to what the first of them does."""
    begin = time.monotonic()
    with TemporaryDirectory(prefix="paac-chaos-") as place, ThreadPoolExecutor(_LANES) as lanes:
        runs = [
            (case.recipe.name, Path(place) / str(number), _circumstances(case, seed, workers))
            for number, case in enumerate(cases)
        ]
        jobs = [(one, directory / name) for _, directory, found in runs for name, one in found.items()]
        list(lanes.map(lambda job: _train(*job), jobs))
        losses = [
            f"{name}, {other}: {len(differ)} differ: {', '.join(differ[:_SHOWN])}"
            for name, directory, (first, *others) in runs
            for other in others
            if (differ := differences(directory / other, directory / first))
        ]
    numbers = ", ".join(map(str, workers))
    return Tally(
        "trainings on other numbers of workers, or with sleeps in the workers: the same bits",
        sum(len(found) - 1 for *_, found in runs),
        len(losses),
        time.monotonic() - begin,
        (f"{len(cases)} trainings on {numbers} workers: {'; '.join(case.recipe.name for case in cases)}", *losses),
    )


def _circumstances(case: Case, seed: int, workers: Sequence[int]) -> dict[str, Recipe]:
    """Name -> the training under these circumstances."""
    found = {f"{number} workers": _with(case, seed, number) for number in workers}
    return found | ({"drowsy": _with(case, seed, max(workers), "--env", DROWSY)} if case.drowsy else {})


def _with(case: Case, seed: int, workers: int, *more: str) -> Recipe:
    arguments = (*case.recipe.arguments, *case.more, "--seed", str(seed), "--num-workers", str(workers), *more)
    return Recipe(case.recipe.name, arguments)


def _train(one: Recipe, directory: Path) -> None:
    directory.parent.mkdir(exist_ok=True)
    with Sitting(one, directory) as sitting:
        come_to_its_end(sitting)
