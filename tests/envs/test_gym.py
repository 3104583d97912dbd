"""Gymnasium environments: which are taken, and that nothing of them is changed."""

import gymnasium
import numpy as np
import pytest
from pydantic import ValidationError

import toy_envs
from paac_cli.config.schema import EnvConfig
from paac_cli.envs.gym import GymEnv
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed
from paac_cli.spec import EnvSpec, discrete_action


def play(env, seed, actions):
    """Observations and outcomes of one game, and nothing after its end."""
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(seed, out)
    seen, outcomes = [out.copy()], []
    for action in actions:
        outcomes.append(env.step(action, out))
        seen.append(out.copy())
        if outcomes[-1].game_over:
            break
    return np.array(seen), outcomes


def alternating(count):
    return [index % 2 for index in range(count)]


@pytest.mark.parametrize(
    ("toy", "space"),
    [
        (toy_envs.TextObservation, "observation space Text("),
        (toy_envs.TupleActions, "action space Tuple(Discrete(2), Discrete(3))"),
    ],
)
def test_unsupported_space_is_named_together_with_what_is_supported(toy, space):
    with pytest.raises(EnvironmentSpecError) as caught:
        describe_env(EnvConfig(id=f"{toy.__name__}-v0"))
    assert f"{toy.__name__}-v0: {space}" in str(caught.value)
    assert "is not supported; " in str(caught.value)
    assert ("(at words)" in str(caught.value)) == (toy is toy_envs.TextObservation)


def test_unknown_environment_is_refused_and_close_names_are_offered():
    with pytest.raises(EnvironmentSpecError, match=r"unknown environment 'CartPloe-v1'; did you mean .*CartPole-v1"):
        describe_env(EnvConfig(id="CartPloe-v1"))


def test_argument_that_the_environment_does_not_know_is_refused_by_name():
    with pytest.raises(EnvironmentSpecError, match=r"CartPole-v1 cannot be made.*gravitation"):
        describe_env(EnvConfig(id="CartPole-v1", kwargs={"gravitation": 9.81}))


def test_environment_named_with_the_module_that_registers_it_is_found():
    """Gymnasium's own spelling for environments outside Gymnasium."""
    assert describe_env(EnvConfig(id="toy_envs:Counting-v0")).action.num_actions == 4


def test_environment_that_knows_nothing_of_rendering_can_be_played():
    assert describe_env(toy_envs.config_of(toy_envs.NoRenderMode)) == toy_envs.spec_of(toy_envs.NoRenderMode)


def test_spec_tells_shape_dtype_actions_and_frames_per_second():
    spec = describe_env(EnvConfig(id="CartPole-v1"))
    assert spec == EnvSpec((4,), np.dtype(np.float32), discrete_action(("0", "1")), 50.0)
    assert describe_env(toy_envs.config_of(toy_envs.Counting)) == toy_envs.spec_of(toy_envs.Counting)


def test_actions_that_begin_at_one_are_shifted():
    env = GymEnv(toy_envs.config_of(toy_envs.ActionsFromOne, ends="never"))
    assert env.spec.action.names == ("1", "2", "3", "4")
    seen, outcomes = play(env, episode_seed(1, 0, 0), [0, 3, 1])
    assert seen[:, 2].tolist() == [0, 1, 5, 7]  # sums of the environment's own actions
    assert [outcome.reward for outcome in outcomes] == [101, 402, 203]


def test_environment_gives_what_gymnasium_gives():
    env, seed = make_env(EnvConfig(id="CartPole-v1")), episode_seed(5, 2, 3)
    seen, outcomes = play(env, seed, [1] * 50)
    reference = gymnasium.make("CartPole-v1")
    first, _ = reference.reset(seed=int(seed.generate_state(1)[0]))
    assert np.array_equal(seen[0], first)
    for obs, outcome in zip(seen[1:], outcomes, strict=True):
        expected, reward, terminated, truncated, _ = reference.step(1)
        assert np.array_equal(obs, expected)
        assert outcome == (reward, terminated, truncated, terminated)
    assert outcomes[-1].terminated
    assert (env.score, env.length) == (len(outcomes), len(outcomes))


def test_same_seed_gives_the_same_game_whatever_was_played_before():
    fresh, used = make_env(EnvConfig(id="CartPole-v1")), make_env(EnvConfig(id="CartPole-v1"))
    for episode in range(3):
        play(used, episode_seed(1, 0, episode), alternating(5 + episode))
    one, other = play(fresh, episode_seed(1, 0, 9), alternating(60)), play(used, episode_seed(1, 0, 9), alternating(60))
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert used.length == fresh.length == len(one[1])
    stranger, _ = play(used, episode_seed(1, 1, 9), [])
    assert not np.array_equal(one[0][0], stranger[0])


@pytest.mark.parametrize(
    ("ends", "expected"),
    [("terminated", (True, False, True)), ("truncated", (False, True, True)), ("both", (True, False, True))],
)
def test_a_true_end_wins_over_a_cut(ends, expected):
    env = GymEnv(toy_envs.config_of(toy_envs.Counting, length=2, ends=ends))
    _, outcomes = play(env, episode_seed(1, 0, 0), [0, 0])
    assert outcomes[0][1:] == (False, False, False)
    assert outcomes[1][1:] == expected


def test_kwargs_reach_the_environment():
    env = make_env(EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 5}))
    _, outcomes = play(env, episode_seed(1, 0, 0), alternating(10))
    assert len(outcomes) == 5
    assert outcomes[-1][1:] == (False, True, True)


def test_film_gets_the_first_frame_and_one_a_step_and_does_not_change_the_play():
    frames, config = [], EnvConfig(id="CartPole-v1")
    filmed, plain = make_env(config, lambda frame: frames.append(frame.copy())), make_env(config)
    one, other = play(filmed, episode_seed(1, 0, 0), [1] * 6), play(plain, episode_seed(1, 0, 0), [1] * 6)
    filmed.close()
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert len(frames) == 7
    assert frames[0].dtype == np.uint8
    assert frames[0].shape[2] == 3
    assert not np.array_equal(frames[0], frames[-1])


# Screens


def screens(channels=3, script=None, **config):
    """A toy environment of 8 x 12 pixels under `config`."""
    return EnvConfig(id="TiledImages-v0", kwargs={"channels": channels, "script": script or {"length": 9}}, **config)


def shown(config, steps=4):
    """Observations from the first to that after `steps`."""
    env = make_env(config)
    seen, _ = play(env, episode_seed(1, 0, 0), [0] * steps)
    assert seen[0].shape == env.spec.obs_shape
    assert seen.dtype == env.spec.obs_dtype
    return seen.astype(int)


def grey(step, height=8, width=12):
    """Luma of the toy's screen, as ITU-R BT.709 weighs red, green and blue, without what is after the point."""
    rgb = toy_envs.TiledImages.image(3, step, height, width)
    return (rgb @ np.array([0.2125, 0.7154, 0.0721])).astype(int)


@pytest.mark.parametrize("channels", [0, 3])
def test_screens_that_nobody_changes_are_shown_as_they_are(channels):
    seen = shown(screens(channels))
    assert seen.tolist() == [toy_envs.TiledImages.image(channels, step).tolist() for step in range(5)]


def test_a_grey_screen_has_one_channel_of_what_its_colours_weigh():
    seen = shown(screens(grayscale=True))
    assert seen.shape == (5, 8, 12, 1)
    assert seen[..., 0].tolist() == [grey(step).tolist() for step in range(5)]


def test_a_screen_without_channels_is_grey_already():
    assert shown(screens(0, grayscale=True)).tolist() == shown(screens(0)).tolist()


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize(("height", "width"), [(4, 3), (4, 12), (8, 6)])
def test_height_comes_first_when_a_screen_is_resized(channels, height, width):
    seen = shown(screens(channels, resize=(height, width)))
    assert seen.tolist() == [toy_envs.TiledImages.image(channels, step, height, width).tolist() for step in range(5)]


@pytest.mark.parametrize("channels", [0, 1, 3])
def test_stacked_screens_lie_on_the_last_axis_from_the_oldest_to_the_newest(channels):
    config = screens(channels, frame_stack=3)
    assert describe_env(config).frame_stack == 3
    screen = [toy_envs.TiledImages.image(channels, step).reshape(8, 12, -1) for step in range(5)]
    order = [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]  # the first one is repeated
    expected = [np.concatenate([screen[step] for step in steps], axis=-1).tolist() for steps in order]
    assert shown(config).tolist() == expected


def test_a_stack_begins_anew_with_every_game():
    env = make_env(screens(frame_stack=3))
    first, _ = play(env, episode_seed(1, 0, 0), [0] * 5)
    again, _ = play(env, episode_seed(1, 0, 1), [0] * 5)
    assert np.array_equal(first, again)


def test_screens_are_made_grey_then_small_then_stacked():
    seen = shown(screens(grayscale=True, resize=(4, 6), frame_stack=2))
    assert seen.shape == (5, 4, 6, 2)
    order = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4)]
    assert seen.tolist() == [np.stack([grey(step, 4, 6) for step in steps], axis=-1).tolist() for steps in order]


@pytest.mark.parametrize(
    "option", [{"grayscale": True}, {"resize": (4, 6)}, {"frame_stack": 2}], ids=lambda option: next(iter(option))
)
@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("CartPole-v1", {}),
        ("SampledObservation-v0", {"space": "bytes"}),
        ("SampledObservation-v0", {"space": "choice"}),
    ],
)
def test_what_is_for_images_is_refused_where_there_are_none(env_id, kwargs, option):
    with pytest.raises(EnvironmentSpecError, match=rf"{env_id} cannot be made: .* are for images, and it shows"):
        describe_env(EnvConfig(id=env_id, kwargs=kwargs, **option))


def test_grey_is_for_three_colours():
    with pytest.raises(EnvironmentSpecError, match=r"TiledImages-v0 cannot be made: .*3 channels.*\(8, 12, 4\)"):
        describe_env(screens(4, grayscale=True))


@pytest.mark.parametrize(
    "option", [{"grayscale": True}, {"resize": (4, 6)}, {"frame_stack": 2}], ids=lambda option: next(iter(option))
)
def test_what_an_atari_protocol_says_is_not_said_again(option):
    with pytest.raises(ValidationError, match=f"{next(iter(option))} not for Atari: its protocol says everything"):
        EnvConfig(id="ALE/Pong-v5", **option)
