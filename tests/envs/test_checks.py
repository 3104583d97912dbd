"""Outputs of an environment that do not match its spaces are rejected; the error names field, value and expectation."""

import re

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.envs.checks import CheckedEnv
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvOutputError, WorkerError
from paac_cli.sampling.games import Games
from paac_cli.sampling.pool import WorkerPool
from paac_cli.seeding import episode_seed
from toy_envs import OBSERVATION_SPACES

NAN, INF = float("nan"), float("inf")


class Scripted(gymnasium.Env):
    """`reset` returns the observation `first`; each `step` returns the next of `steps`, tuples of five."""

    action_space = spaces.Discrete(2)

    def __init__(self, space, first, *steps):
        self.observation_space = space
        self._first = first
        self._steps = iter(steps)

    def reset(self, *, seed=None, options=None):
        return self._first, {}

    def step(self, action):
        return next(self._steps)


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


def step(obs, reward=0.0, terminated=False, truncated=False):
    return obs, reward, terminated, truncated, {}


def problem_of(space, obs):
    """The error for `obs` at the third step, without the step. It is the same at a reset."""
    env = CheckedEnv(Scripted(space, space.sample(), step(space.sample()), step(space.sample()), step(obs)))
    env.reset()
    env.step(0)
    env.step(0)
    with pytest.raises(EnvOutputError) as at_step:
        env.step(0)
    with pytest.raises(EnvOutputError) as at_reset:
        CheckedEnv(Scripted(space, obs)).reset()
    problem = str(at_step.value).removeprefix("after step 3 of the episode: ")
    assert str(at_reset.value) == f"at reset: {problem}"
    return problem


def box(dtype, shape=(3,)):
    return spaces.Box(0, 1, shape, dtype)


def robot(**entries):
    """An observation of the space "robot" with some `entries` replaced, or removed if None."""
    obs = OBSERVATION_SPACES["robot"].sample() | entries
    return {key: entry for key, entry in obs.items() if entry is not None}


@pytest.mark.parametrize(
    ("space", "obs", "problem"),
    [
        (box(np.float32), np.array([0, NAN, 0], np.float32), "observation is nan at [1]; expected a finite float32"),
        (box(np.float64, (2, 2)), np.array([[0, 0], [-INF, NAN]]), "observation is -inf at [1, 0]"),
        (box(np.float64), np.array([0, 0, 1e39]), "observation is 1e+39 at [2]; expected a finite float32"),
        (spaces.Box(-INF, INF, (1,)), np.array([INF], np.float32), "observation is inf at [0]"),
        (
            box(np.float16),
            np.array([0, 0, 1e6], np.float32),
            "observation is 1000000.0 at [2]; expected a finite float16",
        ),
        (box(np.float32, ()), NAN, "observation is nan"),
        (box(np.float32), np.zeros(2, np.float32), "observation has shape (2,); expected (3,)"),
        (box(np.float32), np.zeros(1, np.float32), "observation has shape (1,); expected (3,)"),
        (box(np.float32), np.float32(0), "observation has shape (); expected (3,)"),
        (box(np.float32), [0.0, 0.0, 0.0], "observation is of type list; expected an array of shape (3,)"),
        (box(np.float32), None, "observation is of type NoneType; expected an array of shape (3,)"),
        (box(np.float32), np.array(["a", "b", "c"]), "observation is of dtype <U1; expected float32"),
        (box(np.float32), np.array([None] * 3), "observation is of dtype object; expected float32"),
        (box(np.float32), np.zeros(3, np.complex64), "observation is of dtype complex64; expected float32"),
        (box(np.uint8), np.zeros(3, np.float32), "observation is of dtype float32; expected uint8"),
        (box(np.uint8), np.array([0, 256, 0]), "observation is of dtype int64; expected uint8"),
        (box(np.bool_), np.zeros(3, np.uint8), "observation is of dtype uint8; expected bool"),
        (spaces.Discrete(4, start=-1), 3, "observation is 3; expected an integer from -1 to 2"),
        (spaces.Discrete(4), np.int64(-1), "observation is np.int64(-1); expected an integer from 0 to 3"),
        (spaces.Discrete(4), 1.0, "observation is 1.0; expected an integer from 0 to 3"),
        (spaces.Discrete(4), "1", "observation is '1'; expected an integer from 0 to 3"),
        (
            spaces.Discrete(4),
            np.array([1]),
            "observation is array([1]); expected an integer from 0 to 3",
        ),
        (
            spaces.MultiDiscrete([2, 3], start=[5, 0]),
            np.array([6, 3]),
            "observation is 3 at [1]; expected an integer from 0 to 2",
        ),
        (
            spaces.MultiDiscrete([2, 3]),
            np.array([-1, 0]),
            "observation is -1 at [0]; expected an integer from 0 to 1",
        ),
        (
            spaces.MultiDiscrete([2, 3]),
            np.zeros(2),
            "observation is of dtype float64; expected integers",
        ),
        (spaces.MultiDiscrete([2, 3]), np.zeros(3, int), "observation has shape (3,); expected (2,)"),
        (spaces.MultiBinary(3), np.array([0, 2, 1], np.int8), "observation is 2 at [1]; expected 0 or 1"),
        (spaces.MultiBinary(3), np.array([0, NAN, 1]), "observation is nan at [1]; expected 0 or 1"),
        (spaces.MultiBinary(3), np.zeros(4, np.int8), "observation has shape (4,); expected (3,)"),
        (
            OBSERVATION_SPACES["pair"],
            (1, np.zeros(2, np.float32), 0),
            "observation has 3 entries; expected 2",
        ),
        (OBSERVATION_SPACES["pair"], np.zeros(2), "observation is of type ndarray; expected a tuple of 2"),
        (OBSERVATION_SPACES["pair"], (3, np.zeros(2, np.float32)), "observation['0'] is 3; expected an int"),
        (
            OBSERVATION_SPACES["robot"],
            robot(arm={"angles": np.array([0, 0, INF], np.float32), "grip": 0}),
            "observation['arm.angles'] is inf at [2]",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(legs=(np.zeros(2, np.int8), np.array(NAN, np.float32))),
            "observation['legs.1'] is nan",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(arm={"angles": np.zeros(3, np.float32)}),
            "observation['arm'] has the keys ['angles']; expected ['angles', 'grip']",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(mode=None, mood=1),
            "observation has the keys ['arm', 'camera', 'legs', 'mood']; expected ['arm', 'camera', 'legs', 'm",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(tail=0),
            "observation has the keys ['arm', 'camera', 'legs', 'mode', 'tail']; expected ['arm', 'camera', 'l",
        ),
        (
            OBSERVATION_SPACES["robot"],
            [0],
            "observation is of type list; expected a dict of ['arm', 'camera', 'legs', 'mode']",
        ),
    ],
)
def test_an_observation_that_does_not_match_its_space_is_rejected(space, obs, problem):
    assert problem_of(space, obs).startswith(problem)


@pytest.mark.parametrize(
    ("space", "obs"),
    [
        (box(np.float32), np.array([0.5, 0, 1])),  # many real environments compute in double precision
        (box(np.float32), np.array([5.0, -7.0, 0.0], np.float32)),  # and do not keep their bounds
        (box(np.float64), np.zeros(3, np.float32)),
        (box(np.float32), np.array([1, 0, 1])),
        (box(np.float32), np.array([True, False, True])),
        (box(np.uint8), np.array([0, 255, 3])),
        (box(np.int32), np.array([-(2**31), 0, 1])),
        (box(np.float32, ()), 0.5),
        (box(np.float32, ()), np.float64(0.5)),
        (spaces.Discrete(4), 3),
        (spaces.Discrete(4), np.uint8(3)),
        (spaces.Discrete(4), np.array(3)),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 2], np.uint8)),
        (spaces.MultiBinary(3), np.array([True, False, True])),
        (spaces.MultiBinary(3), np.array([1.0, 0.0, 1.0])),
        (OBSERVATION_SPACES["pair"], [1, np.zeros(2, np.float32)]),
        (OBSERVATION_SPACES["robot"], dict(reversed(robot().items()))),
    ],
)
def test_an_observation_that_can_be_converted_is_passed_on_unchanged(space, obs):
    env = CheckedEnv(Scripted(space, obs, step(obs)))
    assert env.reset()[0] is obs
    assert env.step(0)[0] is obs


@pytest.mark.parametrize("name", OBSERVATION_SPACES)
def test_every_sample_of_a_space_is_valid(name):
    space = OBSERVATION_SPACES[name]
    env = CheckedEnv(Scripted(space, space.sample(), *(step(space.sample()) for _ in range(50))))
    env.reset()
    for _ in range(50):
        env.step(0)


@pytest.mark.parametrize(
    ("reward", "problem"),
    [
        (NAN, "reward is nan; expected a finite float32"),
        (np.float32(INF), "reward is inf; expected a finite float32"),
        (-1e39, "reward is -1e+39; expected a finite float32"),
        (None, "reward is None; expected a number"),
        ("1.0", "reward is '1.0'; expected a number"),
        (np.array([1.0]), "reward is array([1.]); expected a number"),
        (
            np.array([1.0, 2.0]),
            "reward is array([1., 2.]); expected a number; make one number of it in a wrapper (env.wrappers)",
        ),
        (1j, "reward is 1j; expected a number"),
        (10**400, "reward is 1000000000"),
        ([[1], [1, 2]], "reward is [[1], [1, 2]]; expected a finite float32"),
        (np.ones((30, 30)), "reward is array([[1., 1., "),
        (Unprintable(), "reward is a value of type Unprintable; expected a number"),
    ],
)
def test_a_reward_must_be_a_finite_number(reward, problem):
    space = box(np.float32)
    env = CheckedEnv(Scripted(space, space.sample(), step(space.sample(), reward)))
    env.reset()
    with pytest.raises(EnvOutputError, match=re.escape(f"after step 1 of the episode: {problem}")) as caught:
        env.step(0)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("reward", [2, np.float32(2), np.int8(2), np.array(2.0), np.float64(2)])
def test_a_reward_may_have_any_numeric_type(reward):
    space = box(np.float32)
    env = CheckedEnv(Scripted(space, space.sample(), step(space.sample(), reward, np.True_, np.array(False))))
    env.reset()
    _, *outcome, _ = env.step(0)
    assert outcome == [2.0, True, False]
    assert list(map(type, outcome)) == [float, bool, bool]


@pytest.mark.parametrize("flag", [None, 1, 0.0, "False", np.array([True]), np.int64(0)])
@pytest.mark.parametrize("name", ["terminated", "truncated"])
def test_terminated_and_truncated_must_be_booleans(name, flag):
    space = box(np.float32)
    env = CheckedEnv(Scripted(space, space.sample(), step(space.sample(), **{name: flag})))
    env.reset()
    with pytest.raises(EnvOutputError, match=f"^after step 1 of the episode: {name} is .*; expected True or False$"):
        env.step(0)


def test_steps_are_counted_from_the_latest_reset():
    space = box(np.float32)
    fine = step(space.sample())
    env = CheckedEnv(Scripted(space, space.sample(), fine, fine, fine, step(space.sample(), NAN)))
    for steps in (3, 0):
        env.reset()
        for _ in range(steps):
            env.step(0)
    with pytest.raises(EnvOutputError, match="after step 1 of the episode"):
        env.step(0)


class NanImages(gymnasium.Env):
    """Observations are black images; from the third step on, they are NaN."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(0, 255, (8, 12, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros((8, 12, 3), np.uint8), {}

    def step(self, action):
        self._steps += 1
        image = np.zeros((8, 12, 3), np.uint8) if self._steps < 3 else np.full((8, 12, 3), NAN)
        return image, 0.0, False, False, {}


gymnasium.register("NanImages-v0", entry_point=f"{__name__}:NanImages", disable_env_checker=True)


def test_images_are_checked_before_they_are_converted_to_grey():
    """Gymnasium's GrayscaleObservation would convert NaN to black."""
    env = make_env(EnvConfig(id="NanImages-v0", grayscale=True, frame_stack=2))
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, 0), out)
    env.step(0, out)
    env.step(0, out)
    with pytest.raises(
        EnvOutputError, match="after step 3 of the episode: observation is of dtype float64; expected uint8"
    ):
        env.step(0, out)


def test_the_error_of_a_worker_reaches_the_learner():
    config = EnvConfig(id="toy_envs:ScriptedRewards-v0", kwargs={"rewards": [1.0, 0.5, "nan"]})
    sampling = SamplingConfig(num_envs=2)
    with WorkerPool(Games(config, 1), describe_env(config), sampling, rollout_length=5, log=print) as pool:
        pool.reset()
        for _ in range(2):
            pool.step(np.zeros(2, np.int32))
        with pytest.raises(WorkerError, match="after step 3 of the episode: reward is nan"):
            pool.step(np.zeros(2, np.int32))
