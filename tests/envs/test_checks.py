"""What an environment must not give: refused at any step, by its field, what was found and what the space says."""

import re

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.checks import CheckedEnv
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvOutputError, WorkerError
from paac_cli.sampling.pool import WorkerPool
from paac_cli.seeding import episode_seed
from toy_envs import OBSERVATION_SPACES

NAN, INF = float("nan"), float("inf")


class Giving(gymnasium.Env):
    """Gives what it is told: a reset `first`, and the steps one tuple of five after the other."""

    action_space = spaces.Discrete(2)

    def __init__(self, space, first, *steps):
        self.observation_space = space
        self._first = first
        self._steps = iter(steps)

    def reset(self, *, seed=None, options=None):
        return self._first, {}

    def step(self, action):
        return next(self._steps)


def step(obs, reward=0.0, terminated=False, truncated=False):
    return obs, reward, terminated, truncated, {}


def refusal(space, obs):
    """Why `obs` is refused at the third step, and the same at a reset."""
    env = CheckedEnv(Giving(space, space.sample(), step(space.sample()), step(space.sample()), step(obs)))
    env.reset()
    env.step(0)
    env.step(0)
    with pytest.raises(EnvOutputError) as at_step:
        env.step(0)
    with pytest.raises(EnvOutputError) as at_reset:
        CheckedEnv(Giving(space, obs)).reset()
    finding = str(at_step.value).removesuffix(", after step 3 of the episode")
    assert str(at_reset.value) == f"{finding}, at reset"
    return finding


def box(dtype, shape=(3,)):
    return spaces.Box(0, 1, shape, dtype)


def robot(**entries):
    """An observation of the space of that name with other `entries`; an entry of None is left out."""
    obs = OBSERVATION_SPACES["robot"].sample() | entries
    return {key: entry for key, entry in obs.items() if entry is not None}


@pytest.mark.parametrize(
    ("space", "obs", "finding"),
    [
        (box(np.float32), np.array([0, NAN, 0], np.float32), "observation is nan at [1]"),
        (box(np.float64, (2, 2)), np.array([[0, 0], [-INF, NAN]]), "observation is -inf at [1, 0]"),
        (box(np.float64), np.array([0, 0, 1e39]), "observation is 1e+39 at [2]"),
        (spaces.Box(-INF, INF, (1,)), np.array([INF], np.float32), "observation is inf at [0]"),
        (box(np.float16), np.array([0, 0, 1e6], np.float32), "observation is 1000000.0 at [2]"),
        (box(np.float32, ()), NAN, "observation is nan"),
        (box(np.float32), np.zeros(2, np.float32), "observation has shape (2,); the space says (3,)"),
        (box(np.float32), np.zeros(1, np.float32), "observation has shape (1,); the space says (3,)"),
        (box(np.float32), np.float32(0), "observation has shape (); the space says (3,)"),
        (box(np.float32), [0.0, 0.0, 0.0], "observation is of type list; the space says an array of shape (3,)"),
        (box(np.float32), None, "observation is of type NoneType; the space says an array of shape (3,)"),
        (box(np.float32), np.array(["a", "b", "c"]), "observation is of dtype <U1; the space says float32"),
        (box(np.float32), np.array([None] * 3), "observation is of dtype object; the space says float32"),
        (box(np.float32), np.zeros(3, np.complex64), "observation is of dtype complex64; the space says float32"),
        (box(np.uint8), np.zeros(3, np.float32), "observation is of dtype float32; the space says uint8"),
        (box(np.uint8), np.array([0, 256, 0]), "observation is of dtype int64; the space says uint8"),
        (box(np.bool_), np.zeros(3, np.uint8), "observation is of dtype uint8; the space says bool"),
        (spaces.Discrete(4, start=-1), 3, "observation is 3; the space says a whole number from -1 to 2"),
        (spaces.Discrete(4), np.int64(-1), "observation is np.int64(-1); the space says a whole number from 0 to 3"),
        (spaces.Discrete(4), 1.0, "observation is 1.0; the space says a whole number from 0 to 3"),
        (spaces.Discrete(4), "1", "observation is '1'; the space says a whole number from 0 to 3"),
        (
            spaces.Discrete(4),
            np.array([1]),
            "observation is array([1]); the space says a whole number from 0 to 3",
        ),
        (
            spaces.MultiDiscrete([2, 3], start=[5, 0]),
            np.array([6, 3]),
            "observation is 3 at [1]; the space says a whole number from 0 to 2",
        ),
        (
            spaces.MultiDiscrete([2, 3]),
            np.array([-1, 0]),
            "observation is -1 at [0]; the space says a whole number from 0 to 1",
        ),
        (
            spaces.MultiDiscrete([2, 3]),
            np.zeros(2),
            "observation is of dtype float64; the space says whole numbers",
        ),
        (spaces.MultiDiscrete([2, 3]), np.zeros(3, int), "observation has shape (3,); the space says (2,)"),
        (spaces.MultiBinary(3), np.array([0, 2, 1], np.int8), "observation is 2 at [1]; the space says 0 or 1"),
        (spaces.MultiBinary(3), np.array([0, NAN, 1]), "observation is nan at [1]; the space says 0 or 1"),
        (spaces.MultiBinary(3), np.zeros(4, np.int8), "observation has shape (4,); the space says (3,)"),
        (
            OBSERVATION_SPACES["pair"],
            (1, np.zeros(2, np.float32), 0),
            "observation has 3 entries; the space says 2",
        ),
        (OBSERVATION_SPACES["pair"], np.zeros(2), "observation is of type ndarray; the space says a tuple of 2"),
        (OBSERVATION_SPACES["pair"], (3, np.zeros(2, np.float32)), "observation['0'] is 3; the space says a whole"),
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
            "observation['arm'] has the keys ['angles']; the space says ['angles', 'grip']",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(mode=None, mood=1),
            "observation has the keys ['arm', 'camera', 'legs', 'mood']; the space says ['arm', 'camera', 'legs', 'm",
        ),
        (
            OBSERVATION_SPACES["robot"],
            robot(tail=0),
            "observation has the keys ['arm', 'camera', 'legs', 'mode', 'tail']; the space says ['arm', 'camera', 'l",
        ),
        (
            OBSERVATION_SPACES["robot"],
            [0],
            "observation is of type list; the space says a dict of ['arm', 'camera', 'legs', 'mode']",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused(space, obs, finding):
    assert refusal(space, obs).startswith(finding)


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
def test_what_can_be_written_as_the_space_says_passes_untouched(space, obs):
    env = CheckedEnv(Giving(space, obs, step(obs)))
    assert env.reset()[0] is obs
    assert env.step(0)[0] is obs


@pytest.mark.parametrize("name", OBSERVATION_SPACES)
def test_every_sample_of_a_space_passes(name):
    space = OBSERVATION_SPACES[name]
    env = CheckedEnv(Giving(space, space.sample(), *(step(space.sample()) for _ in range(50))))
    env.reset()
    for _ in range(50):
        env.step(0)


@pytest.mark.parametrize(
    ("reward", "finding"),
    [
        (NAN, "reward is nan, "),
        (np.float32(INF), "reward is inf, "),
        (-1e39, "reward is -1e+39, "),
        (None, "reward is None, which is no number, "),
        ("1.0", "reward is '1.0', which is no number, "),
        (np.array([1.0]), "reward is array([1.]), which is no number, "),
        (1j, "reward is 1j, which is no number, "),
    ],
)
def test_a_reward_must_be_one_number(reward, finding):
    space = box(np.float32)
    env = CheckedEnv(Giving(space, space.sample(), step(space.sample(), reward)))
    env.reset()
    with pytest.raises(EnvOutputError, match=re.escape(f"{finding}after step 1 of the episode")):
        env.step(0)


@pytest.mark.parametrize("reward", [2, np.float32(2), np.int8(2), np.array(2.0), np.float64(2)])
def test_a_reward_may_be_any_one_number(reward):
    space = box(np.float32)
    env = CheckedEnv(Giving(space, space.sample(), step(space.sample(), reward, np.True_, np.array(False))))
    env.reset()
    _, *outcome, _ = env.step(0)
    assert outcome == [2.0, True, False]
    assert list(map(type, outcome)) == [float, bool, bool]


@pytest.mark.parametrize("flag", [None, 1, 0.0, "False", np.array([True]), np.int64(0)])
@pytest.mark.parametrize("name", ["terminated", "truncated"])
def test_an_end_is_true_or_false(name, flag):
    space = box(np.float32)
    env = CheckedEnv(Giving(space, space.sample(), step(space.sample(), **{name: flag})))
    env.reset()
    with pytest.raises(EnvOutputError, match=f"^{name} is .*, which is neither True nor False, after step 1 of"):
        env.step(0)


def test_steps_are_counted_from_the_latest_reset():
    space = box(np.float32)
    fine = step(space.sample())
    env = CheckedEnv(Giving(space, space.sample(), fine, fine, fine, step(space.sample(), NAN)))
    for steps in (3, 0):
        env.reset()
        for _ in range(steps):
            env.step(0)
    with pytest.raises(EnvOutputError, match="after step 1 of the episode"):
        env.step(0)


class Blurring(gymnasium.Env):
    """Shows a grey screen, and from the third step on one that is no number."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Box(0, 255, (8, 12, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros((8, 12, 3), np.uint8), {}

    def step(self, action):
        self._steps += 1
        screen = np.zeros((8, 12, 3), np.uint8) if self._steps < 3 else np.full((8, 12, 3), NAN)
        return screen, 0.0, False, False, {}


gymnasium.register("Blurring-v0", entry_point=f"{__name__}:Blurring", disable_env_checker=True)


def test_screens_are_checked_before_they_become_bytes():
    """Gymnasium's GrayscaleObservation would make black of NaN."""
    env = make_env(EnvConfig(id="Blurring-v0", grayscale=True, frame_stack=2))
    out = np.empty(env.spec.obs_shape, env.spec.obs_dtype)
    env.new_game(episode_seed(1, 0, 0), out)
    env.step(0, out)
    env.step(0, out)
    with pytest.raises(EnvOutputError, match="observation is of dtype float64; the space says uint8, after step 3"):
        env.step(0, out)


def test_it_comes_home_from_a_worker():
    config = EnvConfig(id="toy_envs:ScriptedRewards-v0", kwargs={"rewards": [1.0, 0.5, "nan"]})
    sampling = SamplingConfig(num_envs=2)
    with WorkerPool(config, describe_env(config), sampling, rollout_length=5, seed=1, tell=print) as pool:
        pool.reset()
        for _ in range(2):
            pool.step(np.zeros(2, np.int32))
        with pytest.raises(WorkerError, match="EnvOutputError: reward is nan, after step 3 of the episode"):
            pool.step(np.zeros(2, np.int32))
