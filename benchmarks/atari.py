"""Train the preset `atari` on the twelve games of the paper, and write the tables of results/atari: `make atari`.

    python benchmarks/atari.py [GAME ...] [--steps 10_000_000] [--seed 1] [--runs runs/atari] [--out results/atari]

Each game is trained and evaluated, and then what the tables need is copied to --out. The command can be interrupted
and repeated, also with more steps: trainings go on where they stopped. Two commands with different games or seeds may
run at the same time, e.g. on a core each.
"""

import argparse
import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paac_cli.reporting.reference_scores import REFERENCE_SCORES, ReferenceScores
from paac_cli.reporting.statistics import Interval, Scores, bootstrap, interquartile_mean
from trainings import evaluate, keep, paac

EPISODES = 30  # as in the paper
GAMES = tuple(re.fullmatch(r"ALE/(\w+)-v5", env)[1] for env in REFERENCE_SCORES)  # type: ignore[index]

#: Scores of other projects after 10M steps: Stable-Baselines3 from `benchmark.md` of rl-baselines3-zoo, CleanRL from
#: `docs/benchmark/` of CleanRL (ppo_atari.py). They do not publish all games.
PEERS: dict[str, dict[str, float]] = {
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
        "Amidar": 654,
        "BeamRider": 2478,
        "Boxing": 92.7,
        "Breakout": 430,
        "Centipede": 3309,
        "MsPacman": 2346,
        "NameThisGame": 5750,
        "Pong": 20.4,
        "Qbert": 17246,
        "Seaquest": 1240,
        "SpaceInvaders": 1189,
        "UpNDown": 487_000,
    },
}


class Result(NamedTuple):
    """What one training has reached."""

    game: str  #: e.g. "Pong"
    seed: int
    steps: int  #: agent steps of the training
    hours: float  #: that it took
    sampled: dict[str, Any]  #: report of `paac eval` on the best policy, with sampled actions
    greedy: dict[str, Any]  #: the same with the most probable actions

    @property
    def reference(self) -> ReferenceScores:
        return REFERENCE_SCORES[f"ALE/{self.game}-v5"]


def train_and_evaluate(game: str, seed: int, steps: int, runs: Path) -> Path:
    """The directory of the run, with the reports of two evaluations in it."""
    run = runs / f"{game.lower()}-seed{seed}"
    options = ["--env", f"ALE/{game}-v5", "--seed", seed, "--total-steps", steps, "--device", "cpu"]
    paac("train", "--preset", "atari", *options, "--run-dir", run)
    for greedy in (False, True):
        evaluate(run, run / _evaluation(greedy=greedy), episodes=EPISODES, greedy=greedy)
    return run


def _evaluation(*, greedy: bool) -> str:
    return f"evaluation-{'greedy' if greedy else 'sampled'}.json"


def collect(run: Path, out: Path, *, with_policy: bool) -> None:
    """Copy what the tables need from `run` to `out`, and its best policy."""
    evaluations = [_evaluation(greedy=greedy) for greedy in (False, True)]
    keep(run, out / run.name, ("config.yaml", "run.json", "metrics.csv", *evaluations))
    if with_policy:
        checkpoints = out / run.name / "checkpoints"
        shutil.rmtree(checkpoints, ignore_errors=True)
        (best,) = run.glob("checkpoints/best_*")
        shutil.copytree(best, checkpoints / best.name)


def read_results(out: Path) -> list[Result]:
    """The results of all collected runs, in the order of games and seeds."""
    results = []
    for directory in out.glob("*-seed*"):
        name, _, seed = directory.name.rpartition("-seed")
        (game,) = (game for game in GAMES if game.lower() == name)
        with (directory / "metrics.csv").open(newline="") as file:
            *_, last = csv.DictReader(file)
        sampled, greedy = (json.loads((directory / _evaluation(greedy=greedy)).read_text()) for greedy in (False, True))
        hours = float(last["time/time_elapsed"]) / 3600
        results.append(Result(game, int(seed), int(last["steps"]), hours, sampled, greedy))
    return sorted(results, key=lambda result: (GAMES.index(result.game), result.seed))


def scores_table(results: Sequence[Result]) -> str:
    """One row per run: published scores, and those of this project."""
    header = ["game", "random", "human", "paper", *PEERS, "steps", "**sampled**", "**greedy**", "human-normalised"]
    rows = [header, ["---"] * len(header)]
    for result in results:
        peers = [f"{scores[result.game]:,g}" if result.game in scores else "" for scores in PEERS.values()]
        reference = result.reference
        published = [f"{score:,g}" for score in (reference.random, reference.human, reference.paper_nips)]
        own = [_score(report, reference.paper_nips) for report in (result.sampled, result.greedy)]
        share = reference.human_normalised(result.sampled["mean"])
        rows.append([_name(result), *published, *peers, f"{result.steps / 1e6:.1f}M", *own, f"{share:.0%}"])
    return _table(rows)


def _score(report: dict[str, Any], paper: float) -> str:
    mean, std = _rounded(report["mean"]), _rounded(report["std"])
    return f"{f'**{mean}**' if report['mean'] > paper else mean} (std {std})"


def _rounded(score: float) -> str:
    return f"{score:,.1f}" if abs(score) < 1000 else f"{score:,.0f}"


def cost_table(results: Sequence[Result]) -> str:
    """One row per run: what it took, and which policy was evaluated."""
    rows = [["game", "steps", "hours", "steps/s", "evaluated policy", "best game"], ["---"] * 6]
    for result in results:
        speed = result.steps / result.hours / 3600
        best = max(result.sampled["max"], result.greedy["max"])
        numbers = [f"{result.steps:,}", f"{result.hours:.2f}", f"{speed:,.0f}"]
        rows.append([_name(result), *numbers, f"of step {result.sampled['steps']:,}", f"{best:,g}"])
    return _table(rows)


def _name(result: Result) -> str:
    return result.game if result.seed == 1 else f"{result.game}, seed {result.seed}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def summary(results: Sequence[Result]) -> str:
    """How many published scores are reached, and the interquartile mean over games, of seed 1 each."""
    first = [result for result in results if result.seed == 1]
    means = {result.game: result.sampled["mean"] for result in first}
    paper = {result.game: result.reference.paper_nips for result in first}
    above = [
        f"{name} in {sum(means[game] > scores[game] for game in shared)} of {len(shared)}"
        for name, scores in {"the paper (115M steps)": paper, **PEERS}.items()
        if (shared := [game for game in means if game in scores])
    ]
    own = interquartile_over_games(first)
    lines = [f"With sampled actions, the mean score is above that of {', '.join(above)} games."]
    others = [
        f"{name} {_over_games({game: scores[game] for game in means}):.0%}"
        for name, scores in {"paper": paper, **PEERS}.items()
        if {*means} <= {*scores}
    ]
    lines.append(
        f"Interquartile mean of the human-normalised scores over {len(first)} games: **{own.value:.0%}** (95 % "
        f"interval {own.low:.0%} to {own.high:.0%}, from the {EPISODES} games of each evaluation only); "
        f"{', '.join(others)}."
    )
    return "\n".join(lines)


def interquartile_over_games(results: Sequence[Result]) -> Interval:
    """Of human-normalised scores; the interval has resampled the games of each evaluation, not the trainings."""
    games = [result.reference.human_normalised(np.array(result.sampled["scores"])) for result in results]

    def statistic(scores: Scores) -> Scores:
        return interquartile_mean(scores.mean(axis=-2, keepdims=True))

    return bootstrap(statistic, np.stack(games, axis=1))


def _over_games(scores: dict[str, float]) -> float:
    shares = [REFERENCE_SCORES[f"ALE/{game}-v5"].human_normalised(score) for game, score in scores.items()]
    return float(interquartile_mean(np.array([shares])))


def filled(page: str, results: Sequence[Result]) -> str:
    """The text `page`, with what stands between `<!-- NAME -->` and `<!-- end -->` made from the results."""
    parts = {"scores": scores_table(results), "summary": summary(results), "cost": cost_table(results)}
    for name, part in parts.items():
        opening = f"<!-- {name} -->"
        before, _, rest = page.partition(opening)
        page = f"{before}{opening}\n\n{part}\n\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("games", nargs="*", metavar="GAME", default=GAMES, help="default: all twelve")
    parser.add_argument("--steps", type=int, default=10_000_000, help="train each game until this step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--policies", nargs="*", metavar="GAME", default=[], help="games whose best policy is kept, too"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/atari"), help="directory of the runs")
    parser.add_argument("--out", type=Path, default=Path("results/atari"))
    options = parser.parse_args()
    if unknown := {*options.games, *options.policies} - {*GAMES}:
        parser.error(f"not a game of the paper: {', '.join(unknown)}; they are {', '.join(GAMES)}")
    for game in options.games:
        run = train_and_evaluate(game, options.seed, options.steps, options.runs)
        collect(run, options.out, with_policy=game in options.policies)
        page = options.out / "README.md"
        results = read_results(options.out)
        page.write_text(filled(page.read_text(), results))
        print(summary(results), flush=True)


if __name__ == "__main__":
    main()
