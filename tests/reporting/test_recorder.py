"""Videos of games that are replayed, without a policy."""

import av
import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env, make_env
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import VideoError
from paac_cli.reporting.recorder import VideoSettings, record_games, record_grid
from paac_cli.reporting.stages import Scene
from paac_cli.seeding import episode_seed
from paac_cli.training.evaluation import EvaluatedGame

CARTPOLE, PONG = EnvConfig(id="CartPole-v1"), EnvConfig(id="ALE/Pong-v5", protocol="baselines")


def game_of(config, steps, action=1, env=0):
    """A game of seed 1 with the same action in every step, and its observations before each step. env: its index."""
    number, env = env, make_env(config, copy=Copy(env, env))
    obs, seen = np.empty(env.spec.obs_shape, env.spec.obs_dtype), []
    env.new_game(episode_seed(1, number, 0), obs)
    actions = np.full((steps, *env.spec.action.shape), action, env.spec.action.dtype)
    for played in actions:
        seen.append(obs.copy())
        env.step(played, obs)
    values = np.linspace(0, 1, steps, dtype=np.float32)
    probabilities = np.full((steps, env.spec.action.num_actions or 0), 0.1, np.float32)
    return EvaluatedGame(env.score, steps, number, 0, actions, values, probabilities), seen


def video_settings(config, path, *, fps=60.0, seconds=None):
    return VideoSettings(path, config, describe_env(config), fps, seconds, 20.0)


def pictures_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("seconds", [None, 0.05])
def test_a_game_whose_score_differs_in_the_video_is_an_error_and_leaves_no_file(tmp_path, seconds):
    """Also if the video does not show the step in which it differs."""
    game, _ = game_of(CARTPOLE, 6)
    path = tmp_path / "video.mp4"
    record_games(video_settings(CARTPOLE, path, seconds=seconds), [Scene(game, 1)], overlay=False)
    path.unlink()
    with pytest.raises(VideoError, match=r"game 2 diverged on replay: its score was 7 in the evaluation and 6 in the"):
        record_grid(
            video_settings(CARTPOLE, path, seconds=seconds), [Scene(game, 1), Scene(game._replace(score=7.0), 1)], 1, 2
        )
    assert list(tmp_path.iterdir()) == []


def test_environments_that_are_replayed_at_the_same_time_have_placeholders_of_their_own(tmp_path):
    """As in the evaluation before; otherwise they would share e.g. a port."""
    config = EnvConfig(id="Pendulum-v1", kwargs={"g": "{env_index + 5}"})  # on which rewards depend
    games = [game_of(config, 5, env=env)[0] for env in (0, 3)]
    assert games[0].score != games[1].score
    record_grid(video_settings(config, tmp_path / "video.mp4"), [Scene(game, 1) for game in games], 1, 2)


def test_the_panel_shows_the_observation_of_the_step_that_the_game_shows(tmp_path):
    game, seen = game_of(PONG, 12, action=2)  # the paddle moves
    record_games(video_settings(PONG, tmp_path / "video.mp4"), [Scene(game, 1)], overlay=True)
    pictures = pictures_of(tmp_path / "video.mp4")
    for step in (1, 2, 3, 4):  # two frames of the video per step
        shown = pictures[len(pictures) - 2 * (12 - step)][44:212:2, -30 - 168 : -30 : 2]
        errors = [np.abs(shown[..., 0].astype(int) - obs[..., 3]).mean() for obs in seen]
        assert np.argmin(errors) == step
        assert errors[step] < 2


def test_a_video_of_an_atari_game_merges_frames_unless_it_is_slowed_down(tmp_path):
    game, _ = game_of(PONG, 12)
    counts = {}
    for fps in (60.0, 30.0, 240.0):
        record_games(video_settings(PONG, tmp_path / "video.mp4", fps=fps), [Scene(game, 1)], overlay=False)
        counts[fps] = len(pictures_of(tmp_path / "video.mp4"))
    assert counts[30.0] >= 4 * 12
    assert counts[60.0] == -(-counts[30.0] // 2)
    assert counts[240.0] == -(-counts[30.0] // 8)


@pytest.mark.parametrize(
    ("config", "fps", "seconds", "parts", "steps"),
    [(PONG, 60.0, 1.0, 1, 15), (PONG, 60.0, 1.0, 3, 5), (PONG, 15.0, 1.0, 1, 4), (CARTPOLE, 50.0, 2.0, 1, 100)],
)
def test_as_many_steps_are_played_as_a_video_shows(tmp_path, config, fps, seconds, parts, steps):
    assert video_settings(config, tmp_path / "x.mp4", fps=fps, seconds=seconds).max_steps(parts) == steps
    assert video_settings(config, tmp_path / "x.mp4", fps=fps).max_steps(parts) is None
