"""Each rule set, compared with the behaviour of the emulator."""

from itertools import pairwise

import gymnasium
import numpy as np
import pytest

from paac_cli.config.atari_names import game_ids
from paac_cli.config.env import EnvConfig
from paac_cli.envs import atari
from paac_cli.envs.atari import AtariEnv
from paac_cli.envs.atari_games import load_rom
from paac_cli.envs.make import describe_env, make_env
from paac_cli.envs.rules import MAX_STEPS, RULE_SETS
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed

NOOP, FIRE = 0, 1


def open_env(game, rules, on_frame=None):
    return AtariEnv(EnvConfig(id=f"ALE/{game}-v5", protocol=rules), on_frame)


def empty_obs(env):
    return np.empty(env.spec.obs_shape, env.spec.obs_dtype)


def random_actions(env, count, seed=0):
    return np.random.default_rng(seed).integers(env.spec.action.num_actions, size=count).tolist()


def play_game(env, seed, actions):
    """Play until the game is over or `actions` end. Returns all observations [T, ...] and the outcomes."""
    out = empty_obs(env)
    env.new_game(seed, out)
    obs, outcomes = [out.copy()], []
    for action in actions:
        outcomes.append(env.step(action, out))
        if outcomes[-1].game_over:
            break
        obs.append(out.copy())
    return np.array(obs), outcomes


def same_play(one, other):
    return np.array_equal(one[0], other[0]) and one[1] == other[1]


def count_start_frames(env, frames, episode):
    frames.clear()
    env.new_game(episode_seed(1, 0, episode), empty_obs(env))
    return len(frames)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_observations_are_the_newest_frames_of_the_stack(frames):
    four = open_env("Breakout", "baselines")
    fewer = AtariEnv(EnvConfig(id="ALE/Breakout-v5", protocol="baselines", frame_stack=frames))
    assert fewer.spec.obs_shape == (84, 84, frames)
    assert fewer.spec == describe_env(EnvConfig(id="ALE/Breakout-v5", frame_stack=frames))
    actions = random_actions(four, 50)
    all_frames, outcomes = play_game(four, episode_seed(1, 0, 0), actions)
    newest, same_outcomes = play_game(fewer, episode_seed(1, 0, 0), actions)
    np.testing.assert_array_equal(newest, all_frames[..., 4 - frames :])
    assert outcomes == same_outcomes


# The playable games


def test_every_playable_game_has_its_gymnasium_id():
    assert len(game_ids()) == 104
    assert set(game_ids()) <= set(gymnasium.registry)


@pytest.mark.parametrize("env_id", ["ALE/Pnog-v5", "ALE/pong-v5", "ALE/Pong-v4"])
def test_the_error_of_an_unknown_game_suggests_the_nearest(env_id):
    with pytest.raises(EnvironmentSpecError, match=rf"{env_id}.*did you mean.*ALE/Pong-v5"):
        make_env(EnvConfig(id=env_id))


@pytest.mark.parametrize("name", ["Combat", "Joust", "MazeCraze", "Warlords"])
def test_a_game_that_would_terminate_the_process_raises_an_error(name):
    with pytest.raises(EnvironmentSpecError, match=f"unplayable Atari game 'ALE/{name}-v5'"):
        make_env(EnvConfig(id=f"ALE/{name}-v5"))


# The rules


@pytest.mark.parametrize(("rules", "actions"), [("paac2017", 6), ("baselines", 6), ("machado2018", 18)])
def test_the_action_set_is_minimal_or_full_as_the_rule_set_says(rules, actions):
    spec = describe_env(EnvConfig(id="ALE/Pong-v5", protocol=rules))
    assert spec.action.num_actions == actions
    assert spec.action.names[:2] == ("NOOP", "FIRE")
    assert spec.obs_shape == (84, 84, 4)
    assert spec.obs_dtype == np.uint8


@pytest.mark.parametrize(
    ("rules", "game", "smallest", "largest"),
    [
        ("paac2017", "MsPacman", 0 + 16, 30 + 16),  # the frame stack is filled with four steps
        ("baselines", "MsPacman", 1, 30),
        ("baselines", "Pong", 1 + 8, 30 + 8),  # fire takes two steps
        ("machado2018", "Pong", 0, 0),
    ],
)
def test_a_game_starts_with_as_many_frames_as_the_rule_set_says(rules, game, smallest, largest):
    frames = []
    env = open_env(game, rules, lambda frame: frames.append(frame.shape))
    counts = {count_start_frames(env, frames, episode) for episode in range(200)}
    assert min(counts) == smallest
    assert max(counts) == largest


def test_warm_start_fills_the_stack_with_four_different_frames():
    obs, _ = play_game(open_env("Seaquest", "paac2017"), episode_seed(1, 0, 0), [])
    assert len({obs[0][..., age].tobytes() for age in range(4)}) == 4


@pytest.mark.parametrize("rules", ["baselines", "machado2018"])
def test_without_warm_start_the_first_frame_fills_the_stack(rules):
    obs, _ = play_game(open_env("Seaquest", rules), episode_seed(1, 0, 0), [])
    assert len({obs[0][..., age].tobytes() for age in range(4)}) == 1
    assert obs[0].any()


@pytest.mark.parametrize("rules", RULE_SETS)
def test_the_newest_frame_is_last_and_the_others_move_by_one(rules):
    env = open_env("Seaquest", rules)
    obs, _ = play_game(env, episode_seed(1, 0, 0), random_actions(env, 40))
    assert np.array_equal(obs[1:, ..., :3], obs[:-1, ..., 1:])
    assert all((after[..., 3] != before[..., 3]).any() for before, after in pairwise(obs))


def test_nearest_resize_adds_no_shade_of_grey_and_area_resize_does():
    def shades(rules):
        colours = set()
        env = open_env("Pong", rules, lambda frame: colours.update(map(tuple, frame.reshape(-1, 3).tolist())))
        obs, _ = play_game(env, episode_seed(1, 0, 0), [NOOP] * 3)
        return len(np.unique(obs)), len(colours)

    shades_of_obs, colours = shades("paac2017")
    assert shades_of_obs <= colours
    shades_of_obs, colours = shades("baselines")
    assert shades_of_obs > colours


def test_only_baselines_terminates_on_a_lost_life_and_fires_at_the_start_of_each():
    env = open_env("Breakout", "baselines")
    _, outcomes = play_game(env, episode_seed(1, 0, 0), [NOOP] * 400)
    assert [outcome.game_over for outcome in outcomes if outcome.terminated] == [False] * 4 + [True]

    for rules in ("paac2017", "machado2018"):
        env = open_env("Breakout", rules)
        _, outcomes = play_game(env, episode_seed(1, 0, 0), [NOOP] * 400)
        assert not any(outcome.terminated for outcome in outcomes)  # without FIRE, no life is lost
        _, outcomes = play_game(env, episode_seed(1, 0, 0), [FIRE] * 400)
        assert [outcome.game_over for outcome in outcomes if outcome.terminated] == [True]


def test_sticky_actions_follow_from_the_seed():
    env = open_env("Seaquest", "machado2018")
    actions = random_actions(env, 60)
    one = play_game(env, episode_seed(1, 0, 0), actions)
    assert same_play(one, play_game(env, episode_seed(1, 0, 0), actions))
    for other_seed in (episode_seed(1, 0, 1), episode_seed(1, 1, 0), episode_seed(2, 0, 0)):
        other = play_game(env, other_seed, actions)
        assert np.array_equal(one[0][0], other[0][0])  # no no-ops: the first observation is always the same
        assert not same_play(one, other)


def test_each_emulator_frame_repeats_the_previous_action_with_probability_one_quarter():
    frames, repeats = [], 0
    env = open_env("Seaquest", "machado2018", lambda frame: frames.append(frame.copy()))
    actions = random_actions(env, 100)
    play_game(env, episode_seed(1, 0, 0), actions)

    ale = load_rom("ALE/Seaquest-v5")
    ale.reset_game()
    rng, last, legal = np.random.default_rng(episode_seed(1, 0, 0)), NOOP, ale.getLegalActionSet()
    rng.integers(0, 0, endpoint=True)  # the draw of the number of no-ops
    for index, frame in enumerate(frames):
        if rng.random() < 0.25:
            repeats += 1
        else:
            last = actions[index // 4]
        ale.act(legal[last])
        assert np.array_equal(frame, ale.getScreenRGB()), f"frame {index}"
    assert len(frames) == 400
    assert repeats == pytest.approx(100, abs=30)


def test_a_sticky_action_does_not_carry_over_to_the_next_game():
    env = open_env("Breakout", "machado2018")
    left, right = env.spec.action.names.index("LEFT"), env.spec.action.names.index("RIGHT")
    for episode in range(20):  # a quarter of these games start with a repeated action
        plays = []
        for last_action in (left, right):
            play_game(env, episode_seed(1, 1, 0), [last_action] * 20)
            plays.append(play_game(env, episode_seed(1, 0, episode), [NOOP] * 4))
        assert same_play(*plays)


@pytest.mark.parametrize(("rules", "smallest"), [("paac2017", 0), ("baselines", 1)])
def test_without_sticky_actions_the_seed_decides_only_the_number_of_noops(rules, smallest):
    def noops(episode):
        return int(np.random.default_rng(episode_seed(1, 0, episode)).integers(smallest, 30, endpoint=True))

    same_noops = next(episode for episode in range(1, 1000) if noops(episode) == noops(0))
    other_noops = next(episode for episode in range(1, 1000) if noops(episode) != noops(0))
    env = open_env("SpaceInvaders", rules)
    actions = random_actions(env, 60)
    one = play_game(env, episode_seed(1, 0, 0), actions)
    assert same_play(one, play_game(env, episode_seed(1, 0, same_noops), actions))
    assert not same_play(one, play_game(env, episode_seed(1, 0, other_noops), actions))


# Rewards, scores and lengths


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("game", ["MsPacman", "Qbert"])
def test_rewards_are_clipped_and_the_score_is_raw(game, rules):
    env = open_env(game, rules)
    out = empty_obs(env)
    env.new_game(episode_seed(1, 0, 0), out)
    before, rewards = env.score, []
    for action in random_actions(env, 300):
        outcome = env.step(action, out)
        if outcome.terminated:
            break
        assert outcome.reward == np.sign(env.score - before)
        rewards.append(env.score - before)
        before = env.score
    assert max(rewards) >= 10


def test_score_and_length_count_the_whole_game_across_lives():
    env = open_env("SpaceInvaders", "baselines")
    out = empty_obs(env)
    env.new_game(episode_seed(1, 0, 0), out)
    before, lives_lost, scores_at_loss = 0.0, 0, []
    for steps, action in enumerate(random_actions(env, 3_000), start=1):
        outcome = env.step(action, out)
        assert env.score >= before
        assert env.length == steps
        before = env.score
        if outcome.game_over:
            break
        if outcome.terminated:
            lives_lost += 1
            scores_at_loss.append(env.score)
    assert outcome.game_over
    assert lives_lost == 2
    assert 0 < scores_at_loss[0] <= scores_at_loss[1] <= env.score
    env.new_game(episode_seed(1, 0, 1), out)
    assert (env.score, env.length) == (0, 0)


@pytest.mark.parametrize("rules", RULE_SETS)
def test_a_game_is_truncated_after_the_maximum_number_of_steps_and_not_before(rules, monkeypatch):
    assert MAX_STEPS == 27_000  # 108,000 frames
    monkeypatch.setattr(atari, "MAX_STEPS", 20)
    env = open_env("Pong", rules)
    _, outcomes = play_game(env, episode_seed(1, 0, 0), [NOOP] * 30)
    assert len(outcomes) == 20
    assert not any(outcome.truncated or outcome.game_over for outcome in outcomes[:-1])
    assert outcomes[-1][1:] == (False, True, True)


def test_a_life_lost_in_the_last_step_terminates_and_does_not_truncate(monkeypatch):
    env = open_env("Breakout", "baselines")
    _, outcomes = play_game(env, episode_seed(1, 0, 0), [NOOP] * 100)
    steps = 1 + [outcome.terminated for outcome in outcomes].index(True)
    monkeypatch.setattr(atari, "MAX_STEPS", steps)
    _, outcomes = play_game(env, episode_seed(1, 0, 0), [NOOP] * 100)
    assert len(outcomes) == steps
    assert outcomes[-1][1:] == (True, False, True)


# A game is a function of its seed and its actions


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("game", ["Breakout", "Qbert", "Tetris", "YarsRevenge", "Amidar"])
def test_a_game_does_not_depend_on_the_games_before_it(game, rules):
    """Restoring a snapshot does not restore all of Qbert, Tetris and Yars' Revenge; Amidar keeps its screen."""
    frames = {"fresh": [], "used": []}
    fresh = open_env(game, rules, lambda frame: frames["fresh"].append(frame.tobytes()))
    used = open_env(game, rules, lambda frame: frames["used"].append(frame.tobytes()))
    for episode, steps in enumerate((150, 1, 40)):  # none of them ends
        play_game(used, episode_seed(1, 0, episode), random_actions(used, steps, seed=episode))
    frames["used"].clear()

    actions = random_actions(fresh, 80, seed=99)
    assert same_play(
        play_game(fresh, episode_seed(1, 0, 7), actions),
        play_game(used, episode_seed(1, 0, 7), actions),
    )
    assert frames["fresh"] == frames["used"]


@pytest.mark.parametrize("game", ["Breakout", "Qbert", "BeamRider"])
def test_a_game_on_a_prepared_emulator_is_the_same(game):
    env, other = open_env(game, "baselines"), open_env(game, "baselines")
    actions = random_actions(env, 100)
    plays = []
    for prepares in (False, True, False, True):
        play_game(other, episode_seed(1, 1, 0), actions)  # shares the spare emulators
        while prepares and env.prepare():
            pass
        plays.append(play_game(env, episode_seed(1, 0, 0), actions))
    assert other.prepare()  # resets the emulator that `env` exchanged last
    assert not other.prepare()
    assert all(same_play(plays[0], play) for play in plays[1:])


def test_the_first_observation_has_no_pixel_of_the_previous_game():
    """After one no-op, the observation is made of the very first screen, of which Koolaid draws only a part."""
    episode = next(
        episode
        for episode in range(1000)
        if np.random.default_rng(episode_seed(1, 0, episode)).integers(1, 30, endpoint=True) == 1
    )
    env = open_env("Koolaid", "baselines")
    out, _ = play_game(env, episode_seed(1, 0, episode), random_actions(env, 200))
    again, _ = play_game(env, episode_seed(1, 0, episode), [])
    assert np.array_equal(out[0], again[0])


# Videos


@pytest.mark.parametrize("rules", RULE_SETS)
def test_a_video_has_four_frames_per_step_and_recording_does_not_change_the_game(rules):
    frames = []
    recorded = open_env("Seaquest", rules, lambda frame: frames.append((frame.shape, frame.dtype)))
    plain = open_env("Seaquest", rules)
    actions = random_actions(plain, 50)
    at_start = count_start_frames(recorded, frames, episode=3)
    frames.clear()
    recorded_play = play_game(recorded, episode_seed(1, 0, 3), actions)
    assert same_play(recorded_play, play_game(plain, episode_seed(1, 0, 3), actions))
    assert not any(outcome.terminated for outcome in recorded_play[1])
    assert len(frames) == at_start + 4 * len(actions)
    assert set(frames) == {((210, 160, 3), np.dtype(np.uint8))}


def test_a_video_has_the_frames_between_two_lives():
    frames = []
    env = open_env("Breakout", "baselines", frames.append)
    out = empty_obs(env)
    env.new_game(episode_seed(1, 0, 0), out)
    for _ in range(100):
        frames.clear()
        outcome = env.step(NOOP, out)
        if outcome.terminated:
            break
        assert len(frames) == 4
    assert len(frames) == 4 + 4 + 8  # the step, one step of NOOP, two of fire
