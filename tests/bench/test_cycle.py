"""The timed loop, on real pools and on players whose every move is known."""

import time
from typing import NamedTuple

import numpy as np
import pytest

from paac_cli.bench.cycle import WINDOWS, Cycle, RandomPlayer, RecordedRollout, Window, median_window
from paac_cli.config.load import load_config
from paac_cli.errors import ConfigError
from paac_cli.sampling import cycle
from paac_cli.sampling.pool import WorkerPool
from paac_cli.spec import discrete_action
from toy_envs import Counting, config_of, spec_of

SPEC = spec_of(Counting)
T, N = 3, 4
CONFIG = load_config(
    {
        "env": config_of(Counting, length=10).model_dump(),
        "sampling": {"num_envs": N, "num_workers": 2},
        "algorithm": {"name": "paac", "num_steps": T},
        "network": {"torso": "mlp"},
        "training": {"total_steps": 1},
    },
    "test",
)


class Step(NamedTuple):
    slot: int
    reward: np.ndarray
    envs: slice = slice(None)


class Slots:
    """A stage of which only slots and rewards can be seen."""

    def __init__(self):
        self.busy, self._slot = np.zeros(2), 0

    num_parts = 1

    def reset(self):
        return self.latest()

    def latest(self, part=None):
        return Step(self._slot, np.zeros(N))

    def step(self, actions):
        self._slot = self._slot % T + 1
        self.busy += [0.25, 0.75]
        return Step(self._slot, np.zeros(N))


class SlowStarter:
    """Learns at the end of every rollout; the first two times it takes its time, as tracing does."""

    def __init__(self):
        self.acted, self.learned, self.updates = [], [], 0

    def act(self, step):
        self.acted.append(step.slot)
        return np.zeros(N)

    def learn(self, step):
        self.learned.append(step.slot)
        if step.slot < T:
            return None
        self.updates += 1
        time.sleep(0.2 if self.updates <= 2 else 0.001)
        return {}


def test_windows_are_whole_rollouts_after_a_warm_up():
    player = SlowStarter()
    windows = Cycle(player, Slots(), T).measure(0.1, learns=True)
    assert len(windows) == WINDOWS
    for window in windows:
        assert window.steps % (T * N) == 0
        assert 0.02 <= window.seconds < 0.2
        assert window.learn < 0.2
        assert window.act + window.env + window.learn == pytest.approx(window.seconds, rel=0.1)
        assert window.busy == pytest.approx(window.steps / N * 0.5)  # the mean of both workers
    assert player.acted[:5] == [0, 1, 2, 3, 1]
    assert player.learned == [1, 2, 3] * (len(player.learned) // T)


def test_whoever_does_not_learn_in_time_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(cycle, "_PATIENCE", 0.1)
    with pytest.raises(ConfigError, match=r"only 0 of 2 updates .*learning_starts"):
        Cycle(RandomPlayer(SPEC.action, N, 0), Slots(), T).measure(0.05, learns=True)


def test_cpu_time_is_that_of_this_process():
    class Thinker(SlowStarter):
        def act(self, step):
            end = time.process_time() + 0.002
            while time.process_time() < end:
                pass

    windows = Cycle(Thinker(), Slots(), T).measure(0.1, learns=False)
    for window in windows:
        assert window.cpu >= 0.002 * window.steps / N


def test_the_median_is_one_of_the_windows():
    windows = [Window(steps, 2.0, 0, 0, 0, 0, 0) for steps in (30, 10, 50, 20, 40)]
    assert median_window(windows) is windows[0]
    assert windows[0].steps_per_second == 15.0


def test_random_players_play_all_actions_and_then_the_same_again():
    player = RandomPlayer(discrete_action(("a", "b", "c")), N, seed=3)
    played = np.stack([player.act(Step(0, np.zeros(N))) for _ in range(2000)])
    assert played.shape == (2000, N)
    assert set(played.ravel()) == {0, 1, 2}
    assert np.array_equal(played[:1000], played[1000:])


def test_a_recorded_rollout_is_what_the_pool_has_shown():
    rollout, player = RecordedRollout.of(CONFIG, SPEC, pytest.fail), RandomPlayer(SPEC.action, N, CONFIG.seed)
    with WorkerPool.of(CONFIG, SPEC, pytest.fail) as pool:
        step = pool.reset()
        shown = [(step := pool.step(player.act(step))).obs.copy() for _ in range(T)]
    assert rollout.reset().slot == 0
    for _ in range(2):
        for slot, obs in enumerate(shown, start=1):
            step = rollout.step(None)
            assert step.slot == slot
            assert np.array_equal(step.obs, obs)
            assert np.array_equal(step.rollout.obs[slot], obs)


def test_workers_tell_how_busy_they_were():
    with WorkerPool.of(CONFIG, SPEC, pytest.fail) as pool:
        (window, *_) = Cycle(RandomPlayer(SPEC.action, N, 0), pool, T).measure(0.2, learns=False)
        assert pool.busy.shape == (2,)
        assert (pool.busy > 0).all()
    assert 0 < window.busy < window.env
