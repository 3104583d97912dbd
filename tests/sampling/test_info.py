"""Numbers in `info` at the end of a game: in the pool, in the metrics, in checkpoints and in evaluations."""

import math

import numpy as np
import pytest

from checkpoints import cartpole_config, checkpoint_of
from paac_cli.config.load import load_config
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.gym import _as_number
from paac_cli.errors import CheckpointError, ConfigError
from paac_cli.reporting.scores import format_scores, score_report
from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from paac_cli.timestep import episode_dtype
from paac_cli.training.evaluation import EvaluatedGame
from paac_cli.training.progress import Progress
from toy_envs import Counting, InfoNumbers, config_of, spec_of

KEYS = ("is_success", "steps", "missing", "text")


def episodes_of(*games):
    """Games that ended, each (score, is_success, distance)."""
    rows = [(0, 0, score, 10, success, distance) for score, success, distance in games]
    return np.array(rows, episode_dtype(("is_success", "distance")))


@pytest.mark.parametrize(
    ("value", "number"),
    [(True, 1.0), (np.bool_(False), 0.0), (3, 3.0), (np.float32(0.5), 0.5), (np.array([2]), 2.0), (np.array(2.5), 2.5)],
)
def test_numbers_of_every_type_are_read(value, number):
    assert _as_number(value) == number


@pytest.mark.parametrize(
    "value", [None, "yes", "1", [1], np.zeros(2), math.nan, math.inf, 10**400, 1j, np.complex64(1), np.array("a"), {}]
)
def test_everything_else_is_missing(value):
    assert math.isnan(_as_number(value))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_pool_reports_the_info_of_the_last_step_of_a_game(num_workers):
    sampling = SamplingConfig(num_envs=2, num_workers=num_workers)
    config, spec = config_of(InfoNumbers, length=3), spec_of(InfoNumbers)
    with WorkerPool(Games(config, 1, KEYS), spec, sampling, rollout_length=4, log=pytest.fail) as pool:
        pool.reset()
        steps = [pool.step(np.array([0, 1], np.int32)) for _ in range(3)]
    assert [len(step.episodes) for step in steps] == [0, 0, 2]
    episodes = steps[-1].episodes
    assert episodes["info/is_success"].tolist() == [0.0, 1.0]  # whether the last action was not 0
    assert episodes["info/steps"].tolist() == [3.0, 3.0]
    assert np.isnan(episodes["info/missing"]).all()
    assert np.isnan(episodes["info/text"]).all()


def test_an_environment_without_numbers_in_info_reports_none():
    sampling = SamplingConfig(num_envs=1, num_workers=1)
    config, spec = config_of(Counting, length=1), spec_of(Counting)
    with WorkerPool(Games(config, 1, KEYS), spec, sampling, rollout_length=1, log=pytest.fail) as pool:
        pool.reset()
        episodes = pool.step(np.array([0], np.int32)).episodes
    assert all(math.isnan(episodes[f"info/{key}"][0]) for key in KEYS)


def test_means_are_over_the_games_that_report_a_number():
    progress = Progress(None, info_keys=("is_success", "distance"))
    assert progress.info_means == {}
    progress.add(2, episodes_of((1.0, math.nan, math.nan)))
    assert progress.info_means == {}
    progress.add(2, episodes_of((1.0, 1.0, 4.0), (2.0, 0.0, math.nan)))
    assert progress.info_means == {"rollout/success_rate": 0.5, "info/distance": 4.0}
    progress.add(2, episodes_of(*[(0.0, 1.0, 2.0)] * 100))
    assert progress.info_means == {"rollout/success_rate": 1.0, "info/distance": 2.0}


def test_progress_resumes_with_the_numbers_of_earlier_games():
    first = Progress(None, info_keys=("is_success", "distance"))
    first.add(2, episodes_of((1.0, 1.0, math.nan), (2.0, 0.0, 3.0)))
    checkpoint = checkpoint_of(0, progress=first.to_arrays())
    again = Progress(None, checkpoint, ("is_success", "distance"))
    assert again.info_means == first.info_means
    assert again.to_arrays().keys() == first.to_arrays().keys()


def test_a_key_that_is_added_on_resume_counts_from_there():
    first = Progress(None)
    first.add(2, episodes_of((1.0, 1.0, 5.0), (2.0, 0.0, 3.0)))
    again = Progress(None, checkpoint_of(0, progress=first.to_arrays()), ("is_success", "distance"))
    again.add(2, episodes_of((1.0, 1.0, 7.0)))
    assert again.info_means == {"rollout/success_rate": 1.0, "info/distance": 7.0}
    assert again.to_arrays()["info/distance"].shape == again.to_arrays()["scores"].shape


def test_without_numbers_a_checkpoint_has_no_array_for_them():
    progress = Progress(None, info_keys=("is_success",))
    progress.add(2, episodes_of((1.0, math.nan, math.nan)))
    assert progress.to_arrays().keys() == {"scores", "lengths"}


def test_a_checkpoint_with_numbers_of_games_is_loaded(tmp_path):
    progress = Progress(None, info_keys=("is_success",))
    progress.add(2, episodes_of((1.0, 1.0, math.nan)))
    progress.metrics = {"train/loss": 0.5}
    loaded = load_checkpoint(save_checkpoint(tmp_path, checkpoint_of(10, progress=progress.to_arrays()), keep=1))
    assert Progress(None, loaded, ("is_success",)).info_means == {"rollout/success_rate": 1.0}


@pytest.mark.parametrize("numbers", [np.zeros(3), np.zeros(2, np.float32), np.zeros((2, 1))])
def test_a_checkpoint_whose_numbers_do_not_match_its_scores_is_refused(numbers, tmp_path):
    games = {"scores": np.zeros(2), "lengths": np.zeros(2, np.int64), "info/is_success": numbers}
    path = save_checkpoint(tmp_path, checkpoint_of(10, progress=games), keep=1)
    with pytest.raises(CheckpointError, match="do not match"):
        load_checkpoint(path)


def test_the_success_rate_is_always_tracked_and_other_keys_by_name():
    assert cartpole_config().info_keys == ("is_success",)
    assert cartpole_config(info_keys=["distance", "is_success"]).info_keys == ("is_success", "distance")


def test_atari_has_no_info_keys():
    atari = {"env": {"id": "ALE/Pong-v5"}, "network": {"torso": "nips"}, "training": {"total_steps": 1}}
    assert load_config(atari, "test").info_keys == ()
    with pytest.raises(ConfigError, match="info_keys is for Gymnasium environments"):
        load_config(atari, "test", {"training.info_keys": ["lives"]})


def test_an_evaluation_reports_the_success_rate():
    moves = [np.zeros(1, np.int32), np.zeros(1, np.float32), np.zeros((1, 2), np.float32)]
    infos = [{"is_success": 1.0, "distance": 2.0}, {"is_success": 0.0}, {}]
    games = [EvaluatedGame(1.0, 1, 0, index, *moves, info) for index, info in enumerate(infos)]
    report = score_report(cartpole_config(), games)
    assert (report["success_rate"], report["info/distance"]) == (0.5, 2.0)
    text = format_scores(report | {"checkpoint": "run", "steps": 1, "actions": "greedy", "seed": 0})
    assert "success rate 50.0%" in text
    assert "info/distance 2 (mean)" in text
