"""What `eval` and `record` share: from a checkpoint to played games."""

from typing import TYPE_CHECKING, NamedTuple

from paac_cli.cli.options import warn
from paac_cli.training.import_tensorflow import import_tensorflow

if TYPE_CHECKING:
    from paac_cli.config.schema import RunConfig
    from paac_cli.runs.checkpoint import TrainedPolicy
    from paac_cli.spec import EnvSpec
    from paac_cli.training.evaluation import Game


class Played(NamedTuple):
    """Games, and what they were played with."""

    config: "RunConfig"
    spec: "EnvSpec"
    games: "list[Game]"


def play_games(trained: "TrainedPolicy", *, episodes: int, greedy: bool, seed: int) -> Played:
    """Play `episodes` games with `trained`, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from paac_cli.envs.make import describe_env

    config = trained.config
    spec = describe_env(config.env)

    import_tensorflow()
    from paac_cli.algorithms.agent import make_agent
    from paac_cli.training.device import choose_device
    from paac_cli.training.evaluation import open_pool, play

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        open_pool(config.env, spec, episodes=episodes, seed=seed, tell=warn) as pool,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        choose_device("cpu")  # few rows at a time: a GPU would wait for the emulators
        agent = make_agent(config, spec)
        agent.policy.assign(trained.policy)
        task = bar.add_task("games", total=episodes)
        games = play(agent, pool, episodes=episodes, seed=seed, greedy=greedy, on_game=lambda: bar.advance(task))
    return Played(config, spec, games)
