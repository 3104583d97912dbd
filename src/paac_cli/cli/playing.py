"""Plays games with a trained policy, for `paac eval` and `paac record`."""

from typing import TYPE_CHECKING, NamedTuple

from paac_cli.cli.output import print_event
from paac_cli.training.import_tensorflow import import_tensorflow

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.runs.checkpoint import TrainedPolicy
    from paac_cli.spec import EnvSpec
    from paac_cli.training.evaluation import EvaluatedGame


class PlayedGames(NamedTuple):
    """The games, and the config and environment in which they were played."""

    config: "RunConfig"
    spec: "EnvSpec"
    games: "list[EvaluatedGame]"


def play_games(trained: "TrainedPolicy", *, episodes: int, greedy: bool, seed: int) -> PlayedGames:
    """Play `episodes` games with `trained`. Shows a progress bar if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from paac_cli.sampling.describe import describe

    config = trained.config
    spec = describe(config.env, config.sampling)

    import_tensorflow()
    from paac_cli.algorithms.agent import make_agent
    from paac_cli.training.device import choose_device
    from paac_cli.training.evaluation import evaluation_pool, play

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        evaluation_pool(
            config.env, spec, episodes=episodes, seed=seed, log=print_event, info_keys=config.info_keys
        ) as pool,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        choose_device("cpu")  # batches are small: on a GPU, copying them would take longer than computing
        agent = make_agent(config, spec, trained.policy)
        agent.policy.assign(trained.policy)
        task = bar.add_task("games", total=episodes)
        games = play(agent, pool, episodes=episodes, seed=seed, greedy=greedy, on_game=lambda: bar.advance(task))
    return PlayedGames(config, spec, games)
