"""`env.wrappers`: Gymnasium's wrappers by name, and those of users."""

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.config.load import load_config
from paac_cli.config.trust import ANY_CODE
from paac_cli.envs.determinism import check_determinism
from paac_cli.envs.make import describe_env, make_env
from paac_cli.envs.placeholders import Copy
from paac_cli.errors import EnvironmentSpecError, EnvOutputError, TrustError
from paac_cli.seeding import episode_seed


def cartpole(*wrappers):
    return EnvConfig(id="CartPole-v1", wrappers=list(wrappers))


def test_a_wrapper_is_a_name_or_a_name_with_arguments():
    first, second = cartpole("FlattenObservation", {"name": "TimeLimit", "kwargs": {"max_episode_steps": 3}}).wrappers
    assert (first.name, first.kwargs) == ("FlattenObservation", {})
    assert (second.name, second.kwargs) == ("TimeLimit", {"max_episode_steps": 3})


def test_wrappers_change_what_the_environment_does():
    env = make_env(cartpole({"name": "TimeLimit", "kwargs": {"max_episode_steps": 3}}))
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, 0), out)
    assert [env.step(np.int32(0), out).truncated for _ in range(3)] == [False, False, True]
    env.close()


def test_the_first_wrapper_is_the_innermost():
    repeat = {"name": "toy_envs:WithoutVelocity", "kwargs": {"keep": [2]}}
    assert describe_env(cartpole("toy_envs:WithoutVelocity")).obs_shape == (2,)
    assert describe_env(cartpole(repeat, {"name": "FrameStackObservation", "kwargs": {"stack_size": 3}})).obs_shape == (
        3,
        1,
    )
    stacked_first = cartpole({"name": "FrameStackObservation", "kwargs": {"stack_size": 3}}, "FlattenObservation")
    assert describe_env(stacked_first).obs_shape == (12,)


def test_outputs_of_wrappers_are_checked():
    env = make_env(cartpole("toy_envs:WrongShape"))
    with pytest.raises(EnvOutputError, match="shape"):
        env.new_game(episode_seed(1, 0, 0), np.empty(env.spec.obs_shape, env.spec.obs_dtype))
    env.close()


@pytest.mark.parametrize("name", ["RecordVideo", "HumanRendering"])
def test_wrappers_that_write_files_or_open_windows_are_refused(name, tmp_path):
    with pytest.raises(EnvironmentSpecError, match=f"'{name}' writes files or opens a window; use paac record"):
        describe_env(cartpole({"name": name, "kwargs": {"video_folder": str(tmp_path / "videos")}}))
    assert not (tmp_path / "videos").exists()


def test_a_wrapper_that_keeps_state_gets_a_new_environment_for_every_game():
    found = check_determinism(cartpole("NormalizeObservation"))
    assert found.verdict == "carries state"
    assert check_determinism(cartpole("FlattenObservation")).verdict == "exact"


def test_placeholders_in_the_arguments_of_wrappers_are_filled():
    limit = {"name": "TimeLimit", "kwargs": {"max_episode_steps": "{env_index + 2}"}}
    env = make_env(cartpole(limit), copy=Copy(env_index=1))
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, 0), out)
    assert [env.step(np.int32(0), out).truncated for _ in range(3)] == [False, False, True]
    env.close()


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ("TimeLimits", "'TimeLimits' is not a wrapper of gymnasium.wrappers; did you mean TimeLimit"),
        ("toy_envs:Missing", "cannot be imported: AttributeError"),
        ("missing_module:Wrapper", "cannot be imported: ModuleNotFoundError"),
        ("toy_envs:not_a_wrapper", "made a str; derive the wrapper from gymnasium.Wrapper"),
        ({"name": "TimeLimit", "kwargs": {"steps": 3}}, "cannot be applied: TypeError"),
        ("TimeLimit", "'max_episode_steps'; kwargs of {name: TimeLimit, kwargs: {...}} holds its arguments"),
    ],
)
def test_an_error_names_the_place_of_the_wrapper_in_the_config(wrapper, message):
    with pytest.raises(EnvironmentSpecError, match=r"env\.wrappers\[1\] = ") as caught:
        describe_env(cartpole("FlattenObservation", wrapper))
    assert message in str(caught.value)


def test_wrappers_of_users_are_imported_only_if_they_are_trusted():
    config = {"env": {"id": "CartPole-v1", "wrappers": ["toy_envs:WithoutVelocity"]}, "network": {"torso": "mlp"}}
    config["training"] = {"total_steps": 1}
    with pytest.raises(TrustError, match=r"env.wrappers\[0\].* = 'toy_envs:WithoutVelocity'"):
        load_config(config, "a checkpoint", trusted=())
    loaded = load_config(config, "a preset", trusted=ANY_CODE)
    assert loaded.env.wrappers[0].name == "toy_envs:WithoutVelocity"
    assert load_config(loaded.model_dump(mode="json"), "again", trusted=ANY_CODE) == loaded


def test_wrappers_are_not_for_atari():
    with pytest.raises(ValueError, match="wrappers cannot be set for Atari"):
        EnvConfig(id="ALE/Pong-v5", wrappers=["TimeLimit"])
