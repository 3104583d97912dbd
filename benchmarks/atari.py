"""Train the preset `atari` on the twelve games of the paper, and show the results in results/atari: `make atari`.

    python benchmarks/atari.py train [GAME ...] [--steps 10_000_000] [--seed 1] [--runs runs/atari]
    python benchmarks/atari.py tables [--runs runs/atari]

`train` can be interrupted and repeated, also with more steps: trainings go on where they stopped. With `taskset` in
front, several can run at the same time, each on some of the cores and with games of its own. `tables` copies what is
shown of all runs whose best policy has been evaluated, with that policy for runs of seed 1, fills the tables of the
pages, and draws the curves.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paac_cli.files import replace_synced
from paac_cli.reporting.reference_scores import REFERENCE_SCORES, ReferenceScores
from paac_cli.reporting.statistics import ConfidenceInterval, Scores, bootstrap, interquartile_mean
from paac_cli.reporting.tables import format_markdown
from paac_cli.runs.checkpoint_names import list_policies
from paac_cli.runs.saved_run import SavedRun
from trainings import copy_files, evaluate, is_evaluated, paac, train

OUT = Path("results/atari")
PAGES = (OUT / "README.md", Path("README.md"))
EPISODES = 30  # as in the paper
SAMPLED, GREEDY = "evaluation-sampled.json", "evaluation-greedy.json"
GAMES = tuple(env.removeprefix("ALE/").removesuffix("-v5") for env in REFERENCE_SCORES)

#: Scores of other projects after 10M steps. Stable-Baselines3: `benchmark.md` of rl-baselines3-zoo, which has seven of
#: the games. CleanRL: its ppo_atari_envpool_xla_jax.py, in
#: docs/rl-algorithms/ppo/ppo_atari_envpool_xla_jax/atari_returns.md of commit 42d21bd.
PUBLISHED: dict[str, dict[str, float]] = {
    "SB3 A2C": {
        "BeamRider": 2890,
        "Breakout": 280,
        "MsPacman": 1672,
        "Pong": 17.3,
        "Qbert": 3882,
        "Seaquest": 1721,
        "SpaceInvaders": 627,
    },
    "SB3 PPO": {
        "BeamRider": 3397,
        "Breakout": 398,
        "MsPacman": 1754,
        "Pong": 21.0,
        "Qbert": 15627,
        "Seaquest": 1784,
        "SpaceInvaders": 960,
    },
    "CleanRL PPO": {
        "Amidar": 617,
        "BeamRider": 2448,
        "Boxing": 92.1,
        "Breakout": 432,
        "Centipede": 2911,
        "MsPacman": 2462,
        "NameThisGame": 5443,
        "Pong": 20.3,
        "Qbert": 16431,
        "Seaquest": 1230,
        "SpaceInvaders": 1162,
        "UpNDown": 430_177,
    },
}


class Result(NamedTuple):
    """What one training has reached."""

    game: str  #: e.g. "Pong"
    seed: int
    steps: int  #: agent steps of the training until its last row of metrics
    hours: float  #: that they took
    sampled: dict[str, Any]  #: report of `paac eval` on the best policy, with sampled actions
    greedy: dict[str, Any]  #: the same with the most probable actions

    @property
    def name(self) -> str:
        return self.game if self.seed == 1 else f"{self.game}, seed {self.seed}"

    @property
    def reference(self) -> ReferenceScores:
        return REFERENCE_SCORES[f"ALE/{self.game}-v5"]


def train_and_evaluate(game: str, seed: int, steps: int, runs: Path) -> None:
    run = runs / f"{game.lower()}-seed{seed}"
    options = ["--env", f"ALE/{game}-v5", "--seed", seed, "--total-steps", steps, "--device", "cpu"]
    train("--preset", "atari", *options, "--run-dir", run)
    evaluate(run, run / SAMPLED, episodes=EPISODES, greedy=False)
    evaluate(run, run / GREEDY, episodes=EPISODES, greedy=True)


def collect(runs: Path, out: Path) -> None:
    """Copy what is shown of all evaluated runs to `out`, and the best policies of those with seed 1."""
    for run in sorted(path.parent for path in runs.glob("*/config.yaml")):
        is_complete = all(is_evaluated(run, run / report, episodes=EPISODES) for report in (SAMPLED, GREEDY))
        if not is_complete or not (run / "metrics.csv").exists():
            print(f"{run}: left out, because its best policy has not been evaluated, or it has no metrics")
            continue
        kept = out / run.name
        copy_files(run, kept, ("config.yaml", "run.json", "metrics.csv", SAMPLED, GREEDY))
        shutil.rmtree(kept / "checkpoints", ignore_errors=True)
        if SavedRun(run).config.seed == 1:
            (best, *_) = list_policies(run / "checkpoints")
            shutil.copytree(best, kept / "checkpoints" / best.name)


def _game(run: SavedRun) -> str:
    return run.config.env.id.removeprefix("ALE/").removesuffix("-v5")


def read_results(out: Path) -> list[Result]:
    """The results of all collected runs, in the order of games and seeds."""
    results = []
    for run in (SavedRun(path.parent) for path in out.glob("*/config.yaml")):
        steps, hours = int(run.last_row["steps"]), float(run.last_row["time/time_elapsed"]) / 3600
        sampled, greedy = (json.loads((run.path / report).read_text()) for report in (SAMPLED, GREEDY))
        results.append(Result(_game(run), run.config.seed, steps, hours, sampled, greedy))
    return sorted(results, key=lambda result: (GAMES.index(result.game), result.seed))


def scores_table(results: Sequence[Result]) -> str:
    """One row per run: published scores, and those of this project."""
    columns = ["game", "random", "human", "paper", *PUBLISHED, "steps", "**sampled**", "**greedy**", "human-normalised"]
    rows = []
    for result in results:
        others = [f"{scores[result.game]:,g}" if result.game in scores else "" for scores in PUBLISHED.values()]
        reference = result.reference
        known = [f"{score:,g}" for score in (reference.random, reference.human, reference.paper_nips)]
        own = [_score(report, reference.paper_nips) for report in (result.sampled, result.greedy)]
        share = reference.human_normalised(result.sampled["mean"])
        rows.append([result.name, *known, *others, _millions(result), *own, f"{share:.0%}"])
    return format_markdown(columns, rows)


def _score(report: dict[str, Any], paper: float) -> str:
    mean, std = _rounded(report["mean"]), _rounded(report["std"])
    return f"{f'**{mean}**' if report['mean'] > paper else mean} (std {std})"


def _rounded(score: float) -> str:
    return f"{score:,.1f}" if abs(score) < 1000 else f"{score:,.0f}"


def _millions(result: Result) -> str:
    return f"{result.steps / 1e6:.1f}M"


def cost_table(results: Sequence[Result]) -> str:
    """One row per run: what it took, and which policy was evaluated."""
    columns = ["game", "steps", "hours", "steps/s", "evaluated policy", "best game"]
    rows = []
    for result in results:
        speed = result.steps / result.hours / 3600
        best = max(result.sampled["max"], result.greedy["max"])
        numbers = [f"{result.steps:,}", f"{result.hours:.2f}", f"{speed:,.0f}"]
        rows.append([result.name, *numbers, f"of step {result.sampled['steps']:,}", f"{best:,g}"])
    return format_markdown(columns, rows)


def summary_table(results: Sequence[Result]) -> str:
    """Of the lowest seed of each game: how often each published score is reached, and means over the games."""
    first = list({result.game: result for result in reversed(results)}.values())[::-1]
    means = {result.game: result.sampled["mean"] for result in first}
    others = {"paper": {result.game: result.reference.paper_nips for result in first}, **PUBLISHED}
    own = interquartile_over_games(first)
    above, over_games = [], []
    for scores in others.values():
        shared = [game for game in means if game in scores]
        above.append(f"{sum(means[game] > scores[game] for game in shared)} of {len(shared)}")
        is_complete = len(shared) == len(means)
        over_games.append(f"{_interquartile_mean({game: scores[game] for game in shared}):.0%}" if is_complete else "")
    steps = sorted({_millions(result) for result in first}, key=lambda text: float(text.removesuffix("M")))
    mean = f"**{own.value:.0%}** ({own.low:.0%} to {own.high:.0%})"
    rows = [
        ["steps", " to ".join(steps), "115M", *["10M"] * len(PUBLISHED)],
        ["games in which the score here is higher", "", *above],
        [f"interquartile mean of human-normalised scores, {len(first)} games", mean, *over_games],
    ]
    return format_markdown(["", "here", *others], rows)


def interquartile_over_games(results: Sequence[Result]) -> ConfidenceInterval:
    """Of human-normalised scores, with an interval from the games of each evaluation; the training is one sample."""
    games = [result.reference.human_normalised(np.array(result.sampled["scores"])) for result in results]

    def statistic(scores: Scores) -> Scores:
        return interquartile_mean(scores.mean(axis=-2, keepdims=True))

    return bootstrap(statistic, np.stack(games, axis=1))


def _interquartile_mean(scores: Mapping[str, float]) -> float:
    shares = [REFERENCE_SCORES[f"ALE/{game}-v5"].human_normalised(score) for game, score in scores.items()]
    return float(interquartile_mean(np.array([shares])))


def filled(page: str, results: Sequence[Result]) -> str:
    """The text `page`, with its tables between `<!-- NAME -->` and `<!-- end -->` made from the results.

    Raises ValueError if it has no place for any of them.
    """
    tables = {"summary": summary_table(results), "scores": scores_table(results), "cost": cost_table(results)}
    place = re.compile(rf"(<!-- ({'|'.join(tables)}) -->\n).*?(<!-- end -->)", re.DOTALL)
    page, number = place.subn(lambda found: f"{found[1]}\n{tables[found[2]]}\n\n{found[3]}", page)
    if not number:
        raise ValueError("the page has no lines such as <!-- scores --> and <!-- end -->")
    return page


def show(runs: Path, out: Path, pages: Sequence[Path]) -> None:
    """Bring everything up to date: the kept files and the curves in `out`, and the tables of the pages."""
    collect(runs, out)
    results = read_results(out)
    if not results:
        sys.exit(f"{runs} has no evaluated run")
    for page in pages:
        replace_synced(page, [filled(page.read_text(), results).encode()])
    paac("plot", out, "--out", out / "curves.png")
    print(summary_table(results))


def game_named(name: str) -> str:
    """The game of the paper with this name; "beam_rider" is BeamRider."""
    for game in GAMES:
        if game.lower() == name.lower().replace("_", ""):
            return game
    raise argparse.ArgumentTypeError(f"not a game of the paper: {name}; they are {', '.join(GAMES)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train and evaluate")
    training.add_argument(
        "games", nargs="*", metavar="GAME", type=game_named, default=GAMES, help="default: all twelve"
    )
    steps_help = "train each game until this step; at 10M the learning rate of the preset is 0"
    training.add_argument("--steps", type=int, default=10_000_000, help=steps_help)
    training.add_argument("--seed", type=int, default=1)
    tables = commands.add_parser("tables", help="show the results")
    tables.add_argument("--out", type=Path, default=OUT, help="directory of what is shown")
    tables.add_argument("--pages", nargs="+", type=Path, default=PAGES, help="whose tables are filled")
    for command in (training, tables):
        command.add_argument("--runs", type=Path, default=Path("runs/atari"), help="directory of the runs")
    options = parser.parse_args()
    if options.command == "tables":
        show(options.runs, options.out, options.pages)
        return
    for game in options.games:
        train_and_evaluate(game, options.seed, options.steps, options.runs)


if __name__ == "__main__":
    main()
