"""The measured loop, on a real pool and with toys whose every step is known."""

import time

import pytest
from bench_toys import CONFIG, SPEC, N, SlotPool, SlowStarter, T, fail_on_event

from paac_cli.bench import cycle
from paac_cli.bench.cycle import WINDOWS, Cycle, TimedWindow, median_window
from paac_cli.bench.stand_ins import RandomPlayer
from paac_cli.errors import ConfigError
from paac_cli.sampling.make import make_pool


def test_windows_are_whole_rollouts_after_a_warm_up():
    player = SlowStarter()
    windows = Cycle(player, SlotPool(), T).measure(0.1, learns=True)
    assert len(windows) == WINDOWS
    for window in windows:
        assert window.steps % (T * N) == 0
        assert 0.02 <= window.seconds < 0.2
        assert window.learn < 0.2
        assert window.act + window.env + window.learn == pytest.approx(window.seconds, rel=0.1)
        assert window.busy == pytest.approx(window.steps / N * 0.5)  # the mean of both workers
    assert player.acted[:5] == [0, 1, 2, 3, 1]
    assert player.learned == [1, 2, 3] * (len(player.learned) // T)


def test_a_player_that_does_not_learn_in_time_is_an_error_that_names_the_setting(monkeypatch):
    monkeypatch.setattr(cycle, "_WARM_UP_TIMEOUT", 0.1)
    with pytest.raises(ConfigError, match=r"only 0 of 2 updates .*learning_starts"):
        Cycle(RandomPlayer(SPEC, N, 0), SlotPool(), T).measure(0.05, learns=True)


def test_cpu_time_is_that_of_this_process():
    class BusyPlayer(SlowStarter):
        def act(self, step):
            end = time.process_time() + 0.002
            while time.process_time() < end:
                pass

    windows = Cycle(BusyPlayer(), SlotPool(), T).measure(0.1, learns=False)
    for window in windows:
        assert window.cpu >= 0.002 * window.steps / N


def test_the_median_is_one_of_the_windows():
    windows = [TimedWindow(steps, 2.0, 0, 0, 0, 0, 0) for steps in (30, 10, 50, 20, 40)]
    assert median_window(windows) is windows[0]
    assert windows[0].steps_per_second == 15.0


def test_workers_report_how_long_they_were_busy():
    with make_pool(CONFIG, SPEC, fail_on_event) as pool:
        (window, *_) = Cycle(RandomPlayer(SPEC, N, 0), pool, T).measure(0.2, learns=False)
        assert pool.busy.shape == (2,)
        assert (pool.busy > 0).all()
    assert 0 < window.busy < window.env
