"""Sorts runs into series: runs that differ only in their seed, and in how long they trained."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from paac_cli.config.env import EnvConfig
from paac_cli.config.load import is_free_on_resume
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import counted, shorten

_Keys = tuple[str, ...]
_ALGORITHM: _Keys = ("algorithm", "name")
#: Settings of `env` that say which game it is and under which rules; see `game_of`.
_GAME = frozenset({"id", "protocol", "mode", "difficulty"})
_LABEL_LENGTH = 48


class Series(NamedTuple):
    """Runs of the same settings in the same game."""

    game: str  #: with its rules; see `game_of`
    label: str  #: what sets it apart from the other series in this game
    runs: list[SavedRun]  #: in the order of their seeds

    @property
    def env(self) -> EnvConfig:
        """The environment of all its runs."""
        return self.runs[0].config.env

    @property
    def size(self) -> str:
        """How many runs it has, e.g. "3 seeds"; "3 runs" where a seed occurs twice."""
        seeds = [run.config.seed for run in self.runs]
        return counted(len(seeds), "seed" if len(set(seeds)) == len(seeds) else "run")


def sort_into_series(runs: Iterable[SavedRun]) -> list[Series]:
    """The series of `runs`, game by game, in the order of their first runs.

    A series is named after its algorithm and after the settings in which it differs from others with the same algorithm
    in the same game; if that would be long, after its algorithm and its group or directory.
    """
    found: dict[tuple[str, str], list[SavedRun]] = {}
    for run in runs:
        # Equal settings give equal text, whatever their order.
        settings = json.dumps(sorted(_distinguishing(run).items()), sort_keys=True, default=repr)
        found.setdefault((game_of(run.config.env), settings), []).append(run)
    first = [group[0] for group in found.values()]
    games = list(dict.fromkeys(game for game, _ in found))
    series = [
        Series(game, _label(group[0], first), sorted(group, key=lambda run: run.config.seed))
        for (game, _), group in found.items()
    ]
    taken: dict[tuple[str, str], int] = {}
    for number, one in enumerate(series):
        times = taken[one.game, one.label] = taken.get((one.game, one.label), 0) + 1
        if times > 1:
            series[number] = one._replace(label=f"{one.label} ({times})")
    return sorted(series, key=lambda one: games.index(one.game))


def game_of(env: EnvConfig) -> str:
    """The game and its rules, e.g. "Pong-v5, rule set baselines". Scores are comparable only where it is the same."""
    return ", ".join(filter(None, (env.id.removeprefix("ALE/"), env.rules)))


def differences(runs: Sequence[SavedRun]) -> dict[_Keys, list[Any]]:
    """Keys -> the value of each run, for the settings in which `runs` differ; None where a run lacks the setting.

    Seeds, and settings that do not change what is learned, are left out.
    """
    settings = [_distinguishing(run) for run in runs]
    keys = dict.fromkeys(key for one in settings for key in one)
    values = {key: [one.get(key) for one in settings] for key in keys}
    return {key: each for key, each in values.items() if any(value != each[0] for value in each)}


def _distinguishing(run: SavedRun) -> dict[_Keys, Any]:
    return {
        keys: value
        for keys, value in run.settings.items()
        if keys != ("seed",) and not is_free_on_resume(keys) and not (keys[0] == "env" and keys[1] in _GAME)
    }


def _label(run: SavedRun, others: Sequence[SavedRun]) -> str:
    """others: one run of each series, also `run`."""
    game = game_of(run.config.env)
    similar = [other for other in others if other.algorithm == run.algorithm and game_of(other.config.env) == game]
    differing = differences(similar)
    labels = {other.path: _short_label(other, differing) for other in similar}
    label = labels[run.path]
    is_unique = list(labels.values()).count(label) == 1
    if is_unique and len(label) <= _LABEL_LENGTH:
        return label
    return f"{run.algorithm} in {shorten(_name_of(run), _LABEL_LENGTH)}"


def _short_label(run: SavedRun, differing: Iterable[_Keys]) -> str:
    """E.g. "nstep_q, dueling, torso=gamma". Settings that are off are left out, and so are parts of options."""
    parts = {run.algorithm: None}
    for keys in differing:
        value = run.settings.get(keys)
        if value in (None, False, "auto", [], {}) or keys == _ALGORITHM:
            continue
        is_plain = len(keys) == 2 and isinstance(value, str | int | float) and value is not True
        parts[f"{keys[1]}={value}" if is_plain else keys[1]] = None
    return ", ".join(parts)


def _name_of(run: SavedRun) -> str:
    """The name of the group or of the directory, without the seed."""
    path, seed = run.path.resolve(), f"seed{run.config.seed}"
    return path.parent.name if path.name == seed else path.name.removesuffix(f"-{seed}")
