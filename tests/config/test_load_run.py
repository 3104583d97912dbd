"""The goal of a preset holds for the preset's own environment alone."""

import pytest

from paac_cli.config.load import load_config, load_run
from paac_cli.config.schema import StopWhen
from paac_cli.errors import ConfigError

PRESET = """
env: {id: CartPole-v1}
network: {torso: mlp}
training: {total_steps: 100, stop_when: {mean_return: 475}}
"""


TRAINING = {"training": {"total_steps": 100}}


@pytest.fixture
def preset(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(PRESET)
    return path


@pytest.mark.parametrize("overrides", [None, {}, {"seed": 3}, {"env.id": "CartPole-v1"}])
def test_the_goal_stays_with_the_environment_of_the_preset(preset, overrides):
    assert load_run(preset, overrides).training.stop_when == StopWhen(mean_return=475)


def test_the_goal_is_dropped_for_another_environment_and_nothing_else_is(preset):
    config = load_run(preset, {"env.id": "Acrobot-v1", "seed": 3})
    assert (config.env.id, config.seed) == ("Acrobot-v1", 3)
    assert config.training.stop_when is None
    assert config.training.total_steps == 100


def test_the_goal_is_dropped_if_a_whole_section_names_another_environment(preset):
    assert load_run(preset, {"env": {"id": "Acrobot-v1"}}).training.stop_when is None


@pytest.mark.parametrize(
    ("overrides", "goal"),
    [
        ({"training.stop_when": {"mean_return": -100.0}}, StopWhen(mean_return=-100.0)),
        ({"training.stop_when.episodes": 7}, StopWhen(mean_return=475, episodes=7)),
        ({"training.stop_when": None}, None),
        ({"training": {"total_steps": 7, "stop_when": {"mean_return": 5}}}, StopWhen(mean_return=5)),
    ],
)
def test_a_goal_in_the_overrides_holds_for_any_environment(preset, overrides, goal):
    assert load_run(preset, {"env.id": "Acrobot-v1"} | overrides).training.stop_when == goal


def test_the_goal_of_a_preset_without_an_environment_is_kept(preset):
    preset.write_text(PRESET.replace("env: {id: CartPole-v1}", "env:"))
    assert load_run(preset, {"env.id": "Acrobot-v1"}).training.stop_when == StopWhen(mean_return=475)


def test_an_error_names_the_flag(preset):
    with pytest.raises(ConfigError, match=r"^--env: env\.id = 3: "):
        load_run(preset, {"env.id": 3}, {"env.id": "--env"})


def frames_of_pong(**env):
    data = {"env": {"id": "ALE/Pong-v5"} | env, "network": {"torso": "nips"}, **TRAINING}
    return load_config(data, "test").env.frame_stack


NEWER_KEYS = {"mode": None, "difficulty": None, "wrappers": [], "fresh_per_episode": False, "channels": "auto"}


@pytest.mark.parametrize("newer", [{}, NEWER_KEYS])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_config_that_an_earlier_version_wrote_for_atari_has_four_frames(frames, newer):
    """It has all keys of its version, and `frame_stack: 1` had no effect."""
    keys = {"protocol": "baselines", "kwargs": {}, "grayscale": False, "resize": None, "frame_stack": frames}
    assert frames_of_pong(**keys, **newer) == 4


def test_a_preset_for_atari_that_sets_grayscale_keeps_its_frames():
    assert frames_of_pong(grayscale=False, frame_stack=1) == 1
    assert frames_of_pong(grayscale=False) == 4


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_config_that_this_version_wrote_for_atari_keeps_its_frames(frames):
    env = {"id": "ALE/Pong-v5", "frame_stack": frames}
    config = load_config({"env": env, "network": {"torso": "nips"}, **TRAINING}, "test")
    assert config.env.frame_stack == frames
    assert load_config(config.model_dump(mode="json"), "again") == config
