"""What `reset` and `step` of any environment return is checked, and copied before anything keeps it."""

import re
from itertools import product

import numpy as np
import pytest

from odd_envs import OwnBuffer
from paac_cli.envs.guard import GuardedEnv
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvironmentSpecError, EnvOutputError
from playing_envs import observations, odd, play

# Environments that return their own arrays


@pytest.mark.parametrize(
    ("channels", "grayscale", "resize", "frame_stack"),
    list(product(["last", "first"], [False, True], [None, (4, 6)], [1, 3])),
)
def test_no_wrapper_keeps_an_array_of_the_environment(channels, grayscale, resize, frame_stack):
    """All pixels of an image are the number of steps so far, which no conversion changes."""
    kind = "image" if channels == "last" else "channels first"
    options = {"channels": channels, "grayscale": grayscale, "resize": resize, "frame_stack": frame_stack}
    obs = observations(odd("OwnBuffer", kind=kind, config=options))
    frames = obs.reshape(4, *(resize or (8, 12)), frame_stack, 1 if grayscale else 3)
    for step, frame in enumerate(frames):
        for age in range(frame_stack):
            assert set(frame[:, :, -1 - age].ravel().tolist()) == {max(step - age, 0)}, f"step {step}, frame {age}"


@pytest.mark.parametrize("kind", ["image", "dict", "tuple"])
def test_what_an_environment_gives_shares_no_memory_with_it(kind):
    env = OwnBuffer(kind)
    guarded = GuardedEnv(env)
    given = [guarded.reset(seed=1), *(guarded.step(0) for _ in range(3))]
    own = [env._image, env._speed, env._pair, env._info["steps"]]
    for obs, *_ in given:
        assert not any(np.shares_memory(array, mine) for array in arrays_in(obs) for mine in own)
    steps = [{float(number) for array in arrays_in(obs) for number in array.ravel()} for obs, *_ in given]
    assert steps == [{0.0}, {1.0}, {2.0}, {3.0}]
    assert all(info is not env._info for *_, info in given)


def arrays_in(obs):
    if isinstance(obs, np.ndarray):
        return [obs]
    return [array for entry in (obs.values() if isinstance(obs, dict) else obs) for array in arrays_in(entry)]


def test_a_reward_that_is_an_array_of_the_environment_is_read_at_once():
    _, outcomes = play(make_env(odd("OwnBuffer", kind="image")), 3)
    assert [outcome.reward for outcome in outcomes] == [1.0, 2.0, 3.0]


# Environments that answer in another form


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (odd("OldReset"), "reset() returned only a value of type ndarray; "),
        (odd("Returns", reset="nothing"), "reset() returned only a value of type NoneType; "),
        (odd("Returns", reset="three"), "reset() returned 3 values; "),
        (odd("Returns", reset="text info"), "reset() returned 2 values, whose info is of type str instead of dict; "),
        (odd("OldStep"), "step() returned 4 values; "),
        (odd("Returns", step="nothing"), "step() returned only a value of type NoneType; "),
        (odd("Returns", step="one"), "step() returned only a value of type ndarray; "),
        (odd("Returns", step="six"), "step() returned 6 values; "),
        (odd("Returns", step="list info"), "step() returned 5 values, whose info is of type list instead of dict; "),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.id,
)
def test_the_error_of_another_number_of_values_says_what_came_and_what_is_wanted(config, problem):
    with pytest.raises(EnvOutputError, match="^" + re.escape(problem)) as caught:
        play(make_env(config), 3)
    wanted = "2: (observation, info)", "5: (observation, reward, terminated, truncated, info)"
    assert str(caught.value).endswith(f"Gymnasium's returns {wanted['step' in problem]}")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("NoSeed", "reset() takes no seed; define reset(self, *, seed=None, options=None) and call "),
        ("NoSpace", "observation_space is missing; expected a space of gymnasium.spaces"),
        ("NotAnEnv", "builtins.object is not derived from gymnasium.Env; "),
    ],
)
def test_what_is_no_gymnasium_environment_cannot_be_made(name, problem):
    with pytest.raises(EnvironmentSpecError, match="^" + re.escape(f"odd_envs:{name}-v0: {problem}")):
        make_env(odd(name))


@pytest.mark.parametrize("name", ["NoOptions", "NoInfo", "NumpyOutputs", "NoMetadata"])
def test_small_deviations_do_not_matter(name):
    obs, outcomes = play(make_env(odd(name)), 5)
    assert obs[:, 0].tolist() == [0, 1, 2, 3]
    assert outcomes[-1] == (1.0, True, False, True)
    assert describe_env(odd(name)).fps == 30.0


def test_a_space_that_changes_is_an_error_that_names_the_shapes():
    env = make_env(odd("ChangingSpace"))
    play(env, 1)
    with pytest.raises(EnvOutputError, match=re.escape("at reset: observation has shape (2,); expected (1,)")):
        play(env, 1)


def test_the_wrappers_of_an_entry_point_are_left_as_they_are():
    obs = observations(odd("Stacked"))
    assert obs.shape == (4, 2, 6, 8, 3)
    assert obs[:, :, 0, 0, 0].tolist() == [[0, 0], [0, 1], [1, 2], [2, 3]]
