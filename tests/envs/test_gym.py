"""Gymnasium environments: which are supported, and that their observations and rewards are passed on unchanged."""

import gymnasium
import numpy as np
import pytest
from pydantic import ValidationError

import toy_envs
from paac_cli.config.env import EnvConfig
from paac_cli.envs.gym import GymEnv
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed, integer_seed
from paac_cli.spec import EnvSpec, discrete_action


def play(env, seed, actions):
    """Play until the game is over or `actions` end. Returns all observations [steps + 1, ...] and the outcomes."""
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(seed, out)
    obs, outcomes = [out.copy()], []
    for action in actions:
        outcomes.append(env.step(action, out))
        obs.append(out.copy())
        if outcomes[-1].game_over:
            break
    return np.array(obs), outcomes


def alternating(count):
    return [index % 2 for index in range(count)]


@pytest.mark.parametrize(
    ("toy", "space"),
    [
        (toy_envs.TextObservation, "observation space Text("),
        (toy_envs.TupleActions, "action space Tuple(Discrete(2), Discrete(3))"),
    ],
)
def test_the_error_of_an_unsupported_space_lists_the_supported_ones(toy, space):
    with pytest.raises(EnvironmentSpecError) as caught:
        describe_env(EnvConfig(id=f"{toy.__name__}-v0"))
    assert f"{toy.__name__}-v0: {space}" in str(caught.value)
    assert "is not supported; " in str(caught.value)
    assert ("(at words)" in str(caught.value)) == (toy is toy_envs.TextObservation)


def test_the_error_of_an_unknown_environment_suggests_the_nearest():
    with pytest.raises(EnvironmentSpecError, match=r"unknown environment 'CartPloe-v1'; did you mean .*CartPole-v1"):
        describe_env(EnvConfig(id="CartPloe-v1"))


def test_the_error_of_an_unknown_argument_names_it():
    with pytest.raises(EnvironmentSpecError, match=r"CartPole-v1 cannot be made.*gravitation.*; env.kwargs holds its"):
        describe_env(EnvConfig(id="CartPole-v1", kwargs={"gravitation": 9.81}))


def test_an_id_may_name_the_module_that_registers_the_environment():
    """`module:Name-v0` is Gymnasium's own notation."""
    assert describe_env(EnvConfig(id="toy_envs:Counting-v0")).action.num_actions == 4


def test_an_environment_need_not_take_render_mode():
    assert describe_env(toy_envs.config_of(toy_envs.NoRenderMode)) == toy_envs.spec_of(toy_envs.NoRenderMode)


def test_the_spec_has_shape_dtype_actions_and_frames_per_second():
    spec = describe_env(EnvConfig(id="CartPole-v1"))
    assert spec == EnvSpec((4,), np.dtype(np.float32), discrete_action(("0", "1")), 50.0)
    assert describe_env(toy_envs.config_of(toy_envs.Counting)) == toy_envs.spec_of(toy_envs.Counting)


def test_actions_that_start_at_one_are_shifted():
    env = GymEnv(toy_envs.config_of(toy_envs.ActionsFromOne, ends="never"))
    assert env.spec.action.names == ("1", "2", "3", "4")
    obs, outcomes = play(env, episode_seed(1, 0, 0), [0, 3, 1])
    assert obs[:, 2].tolist() == [0, 1, 5, 7]  # sums of the environment's own actions
    assert [outcome.reward for outcome in outcomes] == [101, 402, 203]


def test_observations_rewards_and_flags_are_those_of_gymnasium():
    env, seed = make_env(EnvConfig(id="CartPole-v1")), episode_seed(5, 2, 3)
    obs, outcomes = play(env, seed, [1] * 50)
    reference = gymnasium.make("CartPole-v1")
    first, _ = reference.reset(seed=integer_seed(seed))
    assert np.array_equal(obs[0], first)
    for ours, outcome in zip(obs[1:], outcomes, strict=True):
        expected, reward, terminated, truncated, _ = reference.step(1)
        assert np.array_equal(ours, expected)
        assert outcome == (reward, terminated, truncated, terminated)
    assert outcomes[-1].terminated
    assert (env.score, env.length) == (len(outcomes), len(outcomes))


def test_a_game_depends_on_its_seed_and_not_on_the_games_before():
    fresh, used = make_env(EnvConfig(id="CartPole-v1")), make_env(EnvConfig(id="CartPole-v1"))
    for episode in range(3):
        play(used, episode_seed(1, 0, episode), alternating(5 + episode))
    one, other = play(fresh, episode_seed(1, 0, 9), alternating(60)), play(used, episode_seed(1, 0, 9), alternating(60))
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert used.length == fresh.length == len(one[1])
    other_env, _ = play(used, episode_seed(1, 1, 9), [])
    assert not np.array_equal(one[0][0], other_env[0])


@pytest.mark.parametrize(
    ("ends", "expected"),
    [("terminated", (True, False, True)), ("truncated", (False, True, True)), ("both", (True, False, True))],
)
def test_an_episode_that_is_terminated_and_truncated_counts_as_terminated(ends, expected):
    env = GymEnv(toy_envs.config_of(toy_envs.Counting, length=2, ends=ends))
    _, outcomes = play(env, episode_seed(1, 0, 0), [0, 0])
    assert outcomes[0][1:] == (False, False, False)
    assert outcomes[1][1:] == expected


def test_kwargs_reach_the_environment():
    env = make_env(EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 5}))
    _, outcomes = play(env, episode_seed(1, 0, 0), alternating(10))
    assert len(outcomes) == 5
    assert outcomes[-1][1:] == (False, True, True)


def test_a_video_has_the_first_frame_and_one_per_step_and_recording_does_not_change_the_game():
    frames, config = [], EnvConfig(id="CartPole-v1")
    recorded, plain = make_env(config, lambda frame: frames.append(frame.copy())), make_env(config)
    one, other = play(recorded, episode_seed(1, 0, 0), [1] * 6), play(plain, episode_seed(1, 0, 0), [1] * 6)
    recorded.close()
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
    assert len(frames) == 7
    assert frames[0].dtype == np.uint8
    assert frames[0].shape[2] == 3
    assert not np.array_equal(frames[0], frames[-1])


# Images


def images(channels=3, script=None, dtype="uint8", **config):
    """The config of `TiledImages`, 8 x 12 pixels in integers of `dtype`; `config` are fields of EnvConfig."""
    kwargs = {"channels": channels, "script": script or {"length": 9}, "dtype": dtype}
    return EnvConfig(id="TiledImages-v0", kwargs=kwargs, **config)


def observations(config, steps=4):
    """The observations of the first `steps` + 1 steps, [steps + 1, ...] int."""
    env = make_env(config)
    obs, _ = play(env, episode_seed(1, 0, 0), [0] * steps)
    assert obs[0].shape == env.spec.obs_shape
    assert obs.dtype == env.spec.obs_dtype
    return obs.astype(int)


def grey(step, height=8, width=12):
    """The image after `step` steps in grey: luma as in ITU-R BT.709, rounded down."""
    rgb = toy_envs.TiledImages.image(3, step, height, width)
    return (rgb @ np.array([0.2125, 0.7154, 0.0721])).astype(int)


@pytest.mark.parametrize("channels", [0, 3])
def test_images_are_unchanged_without_options(channels):
    obs = observations(images(channels))
    assert obs.tolist() == [toy_envs.TiledImages.image(channels, step).tolist() for step in range(5)]


def test_a_grey_image_has_one_channel_with_the_luma():
    obs = observations(images(grayscale=True))
    assert obs.shape == (5, 8, 12, 1)
    assert obs[..., 0].tolist() == [grey(step).tolist() for step in range(5)]


def test_an_image_without_channels_counts_as_grey():
    assert observations(images(0, grayscale=True)).tolist() == observations(images(0)).tolist()


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize(("height", "width"), [(4, 3), (4, 12), (8, 6)])
def test_resize_takes_height_then_width(channels, height, width):
    obs = observations(images(channels, resize=(height, width)))
    assert obs.tolist() == [toy_envs.TiledImages.image(channels, step, height, width).tolist() for step in range(5)]


@pytest.mark.parametrize("channels", [0, 1, 3])
def test_stacked_images_are_on_the_last_axis_with_the_newest_last(channels):
    config = images(channels, frame_stack=3)
    assert describe_env(config).frame_stack == 3
    image = [toy_envs.TiledImages.image(channels, step).reshape(8, 12, -1) for step in range(5)]
    order = [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]  # the first image is repeated
    expected = [np.concatenate([image[step] for step in steps], axis=-1).tolist() for steps in order]
    assert observations(config).tolist() == expected


def test_the_stack_is_reset_with_each_game():
    env = make_env(images(frame_stack=3))
    first, _ = play(env, episode_seed(1, 0, 0), [0] * 5)
    again, _ = play(env, episode_seed(1, 0, 1), [0] * 5)
    assert np.array_equal(first, again)


def test_images_are_converted_to_grey_then_resized_then_stacked():
    obs = observations(images(grayscale=True, resize=(4, 6), frame_stack=2))
    assert obs.shape == (5, 4, 6, 2)
    order = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4)]
    assert obs.tolist() == [np.stack([grey(step, 4, 6) for step in steps], axis=-1).tolist() for steps in order]


@pytest.mark.parametrize("option", [{"resize": (4, 6)}, {"frame_stack": 2}, {"grayscale": True, "resize": (4, 6)}])
def test_images_of_wider_integers_are_converted_as_bytes_are(option):
    assert observations(images(dtype="int64", **option)).tolist() == observations(images(**option)).tolist()


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
def test_options_for_images_are_rejected_for_other_observations(env_id, kwargs, option):
    with pytest.raises(EnvironmentSpecError, match=rf"{env_id} cannot be made: .* need image observations, not"):
        describe_env(EnvConfig(id=env_id, kwargs=kwargs, **option))


def test_grayscale_needs_three_channels():
    with pytest.raises(EnvironmentSpecError, match=r"TiledImages-v0 cannot be made: .*3 channels.*\(8, 12, 4\)"):
        describe_env(images(4, grayscale=True))


@pytest.mark.parametrize("option", [{"grayscale": True}, {"resize": (4, 6)}], ids=lambda option: next(iter(option)))
def test_options_for_images_are_rejected_for_atari(option):
    with pytest.raises(ValidationError, match=f"{next(iter(option))} cannot be set for Atari, whose rule set"):
        EnvConfig(id="ALE/Pong-v5", **option)


@pytest.mark.parametrize("frames", [5, 64])
def test_atari_stacks_at_most_four_frames(frames):
    with pytest.raises(ValidationError, match=rf"frame_stack \({frames}\) must be 1 to 4 for Atari"):
        EnvConfig(id="ALE/Pong-v5", frame_stack=frames)
