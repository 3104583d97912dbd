"""Plays games with a trained policy, for `paac eval` and `paac record`."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from paac_cli.cli.options import PlayLimits
from paac_cli.cli.output import inform, print_event
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.text import counted

if TYPE_CHECKING:
    from paac_cli.algorithms.agent import Agent
    from paac_cli.config.schema import RunConfig
    from paac_cli.runs.arrays import Arrays
    from paac_cli.runs.checkpoint import TrainedPolicy
    from paac_cli.spec import EnvSpec
    from paac_cli.training.evaluation import EvaluatedGame, PlayStatus

_LINE_EVERY = 10.0  # seconds between lines of progress if there is no terminal
_HINT_AFTER = 20.0  # seconds without the end of a game until there is a hint
_HINT = (
    "No game has ended yet; the longest has {}. If games of this environment may never end, truncate them with "
    "--max-steps N"
)


#: Plays the games with the arrays of a policy.
Play = Callable[["Arrays"], "list[EvaluatedGame]"]


def play_games(
    trained: "TrainedPolicy", limits: PlayLimits, *, episodes: int, greedy: bool, seed: int
) -> "list[EvaluatedGame]":
    """Play `episodes` games with `trained`, and show progress on standard error."""
    from paac_cli.sampling.describe import describe

    config = trained.config
    spec = describe(config.env, limits.for_playing(config.sampling))
    with open_games(config, spec, limits, episodes=episodes, greedy=greedy, seed=seed) as play:
        return play(trained.policy)


@contextlib.contextmanager
def open_games(
    config: "RunConfig", spec: "EnvSpec", limits: PlayLimits, *, episodes: int, greedy: bool, seed: int
) -> Iterator[Play]:
    """Yields a function that plays the same `episodes` games with any policy of a run, and shows progress."""
    import_tensorflow()
    from paac_cli.sampling.games import Games
    from paac_cli.training.evaluation import evaluation_pool, play
    from paac_cli.training.trained_agent import load_agent

    agent: Agent | None = None
    with (
        directory_kept(),
        evaluation_pool(
            Games(config.env, seed, config.info_keys, limits.max_steps),
            spec,
            limits.for_playing(config.sampling),
            episodes=episodes,
            num_envs=limits.num_envs,
            log=print_event,
        ) as pool,
    ):

        def play_with(policy: "Arrays") -> "list[EvaluatedGame]":
            nonlocal agent
            agent = agent or load_agent(config, spec, policy)
            agent.policy.assign(policy)
            with _progress(episodes, may_never_end=limits.max_steps is None) as show:
                return play(agent, pool, episodes=episodes, seed=seed, greedy=greedy, on_step=show)

        yield play_with


@contextlib.contextmanager
def directory_kept() -> Iterator[None]:
    """Restore the current directory at the end: a user's algorithm or torso may change it, and a path be relative."""
    try:
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it cannot be read
        yield
        return
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)


@contextlib.contextmanager
def _progress(episodes: int, *, may_never_end: bool) -> "Iterator[Callable[[PlayStatus], None]]":
    """Show progress: a bar on a terminal, a line every ten seconds elsewhere; and a hint if no game ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("games", total=episodes)
        begin = time.monotonic()
        next_line, hint_at = begin + _LINE_EVERY, begin + _HINT_AFTER if may_never_end else math.inf

        def show(status: "PlayStatus") -> None:
            nonlocal next_line, hint_at
            now = time.monotonic()
            if status.games != bar.tasks[task].completed:
                bar.update(task, completed=status.games)
            if now >= hint_at:
                hint_at = math.inf
                if status.games == 0:
                    bar.console.print(
                        _HINT.format(counted(status.longest, "step")), soft_wrap=True, highlight=False, markup=False
                    )
            if now >= next_line:
                next_line = now + _LINE_EVERY
                bar.update(task, description=f"{counted(status.steps, 'step')}, games")
                if not console.is_terminal:
                    inform(f"{counted(status.steps, 'step')}, {status.games:,} of {counted(episodes, 'game')}")

        yield show
